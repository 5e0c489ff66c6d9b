// The programs as a person calls them: what they print, what they write, how they fail.

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/wait.h>
#include <vector>

#include "layers/mnist.h"
#include "tests/support/files.h"

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

#ifdef ADJOINT_EMULATOR
constexpr const char* kEmulator = ADJOINT_EMULATOR " ";
#else
constexpr const char* kEmulator = "";
#endif

struct Outcome {
  int exit_code;
  std::string out;
};

Outcome run(const std::string& program, const std::string& arguments, const char* streams = "2>&1") {
  const std::string command =
      std::string(kEmulator) + ADJOINT_EXAMPLES "/" + program + " " + arguments + " < /dev/null " + streams;
  FILE* pipe = popen(command.c_str(), "r");
  std::string out;
  std::array<char, 4096> part;
  while (const std::size_t got = fread(part.data(), 1, part.size(), pipe)) out.append(part.data(), got);
  return {WEXITSTATUS(pclose(pipe)), out};
}

Outcome mnist_cnn(const std::string& arguments) { return run("mnist_cnn", arguments); }

/// The program ends with this exit code and one line on stderr, which begins with its name and has this text
/// in it.
void expect_failure(const std::string& arguments, int exit_code, const std::string& text) {
  const Outcome outcome = run("mnist_cnn", arguments, "2>&1 > /dev/null");
  EXPECT_EQ(outcome.exit_code, exit_code) << arguments;
  EXPECT_THAT(outcome.out, AllOf(StartsWith("mnist_cnn: "), HasSubstr(text)));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1) << outcome.out;
}

TEST(MnistCnn, WrongUsageExitsWith2) {
  expect_failure("--no-such-flag", 2, "--no-such-flag");
  expect_failure("stray", 2, "stray");
  expect_failure("--epochs -1", 2, "--epochs");
  expect_failure("--epochs many", 2, "--epochs");
  expect_failure("--batch-size 0", 2, "--batch-size");
  expect_failure("--test-batch-size 0", 2, "--test-batch-size");
  expect_failure("--lr -1", 2, "--lr");
  expect_failure("--lr nan", 2, "--lr");
  expect_failure("--momentum 1", 2, "--momentum");
  expect_failure("--activation gelu", 2, "--activation");
  expect_failure("--pooling median", 2, "--pooling");
  expect_failure("--threads 0", 2, "--threads");
  expect_failure("--limit 0", 2, "--limit");
  expect_failure("--seed", 2, "--seed");
  expect_failure("--seed -5", 2, "--seed");
}

TEST(MnistCnn, FailuresExitWith1) {
  const adjoint::support::TemporaryDirectory directory;
  const std::string d = directory.path().string();
  std::ofstream(d + "/text") << "not a checkpoint";
  expect_failure("--data " + d + "/nowhere", 1, d + "/nowhere");
  expect_failure("--data " + d, 1, d);
  expect_failure("--epochs 1 --limit 32 --metrics " + d + "/none/metrics", 1, "/none/metrics");
  expect_failure("--epochs 1 --limit 32 --metrics " + d, 1, d);
  expect_failure("--epochs 1 --limit 32 --save " + d + "/none/net", 1, "/none/net");
  expect_failure("--epochs 1 --limit 32 --save " + d, 1, d);
  expect_failure("--epochs 1 --limit 32 --load " + d + "/missing", 1, "/missing");
  expect_failure("--epochs 1 --limit 32 --load " + d + "/text", 1, "/text");
}

TEST(MnistCnn, HelpAndVersion) {
  const Outcome help = mnist_cnn("--help");
  EXPECT_EQ(help.exit_code, 0);
  for (const char* flag : {"--data", "--epochs", "--batch-size", "--test-batch-size", "--lr", "--momentum",
                           "--activation", "--pooling", "--seed", "--threads", "--limit", "--metrics",
                           "--save", "--load", "--verify-gradients", "--version"}) {
    EXPECT_THAT(help.out, HasSubstr(flag));
  }
  const Outcome version = mnist_cnn("--version");
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, StartsWith("mnist_cnn "));
}

TEST(MnistCnn, VerifiesItsGradients) {
  for (const char* activation : {"sigmoid", "tanh", "relu"}) {
    const Outcome outcome = mnist_cnn(std::string("--verify-gradients --activation ") + activation);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("All within bounds."));
    for (const char* name : {"K1", "b1'", "W2", "delta_C1", "delta_flatten"})
      EXPECT_THAT(outcome.out, HasSubstr(name));
  }
}

TEST(MnistCnn, WritesMetricsAndCheckpoints) {
  const adjoint::support::TemporaryDirectory directory;
  const std::string d = directory.path().string();
  const Outcome trained =
      mnist_cnn("--epochs 2 --limit 640 --threads 1 --metrics " + d + "/metrics --save " + d + "/net");
  ASSERT_EQ(trained.exit_code, 0) << trained.out;
  EXPECT_THAT(trained.out, StartsWith("Data: "));
  EXPECT_THAT(trained.out, testing::Not(HasSubstr("\r"))) << "no progress bar outside a terminal";

  std::ifstream metrics(d + "/metrics");
  std::string line;
  std::vector<nlohmann::json> epochs;
  while (std::getline(metrics, line)) epochs.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(epochs.size(), 2u);
  for (const char* key : {"epoch", "train_seconds", "eval_seconds", "train_loss", "test_loss",
                          "test_accuracy", "examples", "batch_size", "threads", "peak_rss_bytes"}) {
    EXPECT_TRUE(epochs[1][key].is_number()) << key;
  }
  EXPECT_EQ(epochs[1]["epoch"], 2);
  EXPECT_EQ(epochs[1]["examples"], 640);
  EXPECT_EQ(epochs[1]["batch_size"], 32);
  EXPECT_EQ(epochs[1]["threads"], 1);
  EXPECT_LT(epochs[1]["train_loss"], epochs[0]["train_loss"]);

  const Outcome tested = mnist_cnn("--epochs 0 --load " + d + "/net");
  EXPECT_EQ(tested.exit_code, 0);
  char expected[64];
  std::snprintf(expected, sizeof expected, "test accuracy %.2f %%",
                100 * epochs[1]["test_accuracy"].get<double>());
  EXPECT_THAT(tested.out, HasSubstr(expected));
}

TEST(MnistCnn, ResultsDoNotDependOnTheThreads) {
  const adjoint::support::TemporaryDirectory directory;
  const std::string d = directory.path().string();
  std::vector<std::string> checkpoints;
  for (const char* threads : {"1", "2", "3"}) {
    const std::string path = d + "/net" + threads;
    ASSERT_EQ(mnist_cnn("--epochs 1 --limit 1000 --batch-size 100 --threads " + std::string(threads) +
                        " --save " + path)
                  .exit_code,
              0);
    std::ifstream file(path, std::ios::binary);
    checkpoints.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  EXPECT_GT(checkpoints[0].size(), 6070u * 4);
  EXPECT_TRUE(checkpoints[0] == checkpoints[1]);
  EXPECT_TRUE(checkpoints[0] == checkpoints[2]);
}

TEST(Programs, FiveByFivePrintsEverySum) {
  const Outcome outcome = run("five_by_five", "");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("a1 dZ1 + a3 dZ2 + a11 dZ3 + a13 dZ4"));
  EXPECT_THAT(outcome.out, HasSubstr("a13 dZ1 + a15 dZ2 + a23 dZ3 + a25 dZ4"));
}

TEST(Programs, TheSmallOnesRun) {
  EXPECT_THAT(run("scalar_expression", "").out,
              AllOf(HasSubstr("dz/dx = 12.196612"), HasSubstr("first derivative 12, second derivative 12")));
  EXPECT_THAT(run("spiral", "").out, HasSubstr("step 600: loss 0.0"));
  const Outcome custom = run("custom_op", "");
  EXPECT_EQ(custom.exit_code, 0);
  EXPECT_THAT(custom.out, HasSubstr("gradcheck passed, gradgradcheck passed"));
}

}  // namespace
