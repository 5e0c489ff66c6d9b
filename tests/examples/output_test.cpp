// Standard output that cannot be written: full, closed, or a pipe without a reader.

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>

#include "tests/examples/run_program.h"
#include "tests/support/files.h"

namespace {

using namespace adjoint::support;

/// Each program and ways to make it print.
const std::pair<const char*, std::string> kPrinting[] = {
    {"five_by_five", ""},
    {"five_by_five", "--help"},
    {"scalar_expression", ""},
    {"scalar_expression", "--version"},
    {"spiral", ""},
    {"spiral", "--help"},
    {"custom_op", ""},
    {"custom_op", "--version"},
    {"mnist_cnn", "--help"},
    {"mnist_cnn", "--version"},
    {"mnist_cnn", "--verify-gradients"},
    {"mnist_cnn", "--epochs 1 --limit 32"},
    {"mnist_cnn", "--epochs 0"},
};

TEST(Output, ThatTheDeviceRefusesIsAFailure) {
  for (const auto& [program, arguments] : kPrinting)
    expect_failure(program, arguments + " > /dev/full", 1,
                   "cannot write to standard output: No space left on device");
}

TEST(Output, ThatIsClosedIsAFailure) {
  for (const auto& [program, arguments] : kPrinting)
    expect_failure(program, arguments + " >&-", 1, "cannot write to standard output: Bad file descriptor");
}

TEST(Output, FailureShowsInTheExitCodeWhereStderrIsClosedToo) {
  for (const auto& [program, arguments] : kPrinting) {
    EXPECT_EQ(run(program, arguments + " > /dev/full 2>&-").exit_code, 1) << program << " " << arguments;
    EXPECT_EQ(run(program, arguments + " >&- 2>&- <&-").exit_code, 1) << program << " " << arguments;
  }
}

TEST(Output, NeverGoesToAFileThatTookAClosedStreamsNumber) {
  for (const char* streams : {">&-", "> /dev/full 2>&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    const TemporaryDirectory directory;
    const std::string path = (directory.path() / "metrics").string();
    EXPECT_EQ(run("mnist_cnn", "--epochs 1 --limit 32 --metrics " + path + " " + streams).exit_code, 1);
    EXPECT_EQ(read_file(path), "") << streams;
  }
}

TEST(Output, EndsTheProgramWhenNobodyReadsItAnyMore) {
  const TemporaryDirectory directory;
  const std::string code = (directory.path() / "code").string();
  const std::string training = program_path("mnist_cnn") + " --epochs 500 --limit 1 --threads 1";
  const std::string pipeline = "{ " + training + "; echo $? > " + code + "; } | head -n 1";
  int exit_code = 0;

  const Outcome killed = run_shell(pipeline);
  std::ifstream(code) >> exit_code;
  EXPECT_EQ(exit_code, 128 + 13) << "by SIGPIPE, silently";
  EXPECT_EQ(killed.err, "");

  const Outcome failed = run_shell("trap '' PIPE; " + pipeline);
  std::ifstream(code) >> exit_code;
  EXPECT_EQ(exit_code, 1);
  EXPECT_EQ(failed.err, "mnist_cnn: cannot write to standard output: Broken pipe\n");
}

}  // namespace
