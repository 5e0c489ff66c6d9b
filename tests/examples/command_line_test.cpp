// The programs' command lines: every flag is either accepted or refused in one line.

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "examples/documented_cnn/settings.h"
#include "tests/examples/run_program.h"
#include "tests/support/files.h"

namespace {

using namespace adjoint::support;
using documented_cnn::parse_command_line;
using documented_cnn::Settings;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kPrograms[] = {"mnist_cnn", "five_by_five", "scalar_expression", "spiral", "custom_op"};

Settings settings_of(const std::vector<const char*>& arguments) {
  std::vector<const char*> argv = {"mnist_cnn"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return parse_command_line(static_cast<int>(argv.size()), argv.data()).value();
}

void expect_wrong_usage(const std::string& arguments, const std::string& text) {
  expect_failure("mnist_cnn", arguments, 2, text);
}

TEST(CommandLine, NumbersOutOfRangeAreRefusedWithTheRange) {
  for (const char* text : {"-1", "many", "1e3", "0x10", "1.5", "''", "' 1'", "'1 '", "+1", "1,000", "nan",
                           "1000000001", "1000000000000", "9223372036854775807", "9223372036854775808",
                           "99999999999999999999999999999999999999"}) {
    expect_wrong_usage("--epochs " + std::string(text),
                       "--epochs must be a whole number from 0 to 1000000000");
    for (const std::string flag : {"--batch-size", "--test-batch-size", "--limit"})
      expect_wrong_usage(flag + " " + text, flag + " must be a whole number from 1 to 1000000000");
  }
  for (const std::string flag : {"--batch-size", "--test-batch-size", "--limit"})
    expect_wrong_usage(flag + " 0", flag + " must be a whole number from 1 to 1000000000, not '0'");
  for (const char* text : {"-1", "abc", "1e3", "18446744073709551616", "''", "0x10"})
    expect_wrong_usage("--seed " + std::string(text),
                       "--seed must be a whole number from 0 to 18446744073709551615, not '");
  for (const char* text : {"0", "257", "1.5", "-1", "two", "''"})
    expect_wrong_usage("--threads " + std::string(text),
                       "--threads must be a whole number from 1 to 256, not '");
  for (const char* text :
       {"-1", "nan", "-nan", "inf", "1e-400", "1e400", "0x10", "1000001", "''", "0.1.2", "0,1"})
    expect_wrong_usage("--lr " + std::string(text), "--lr must be a number from 0 to 1000000, not '");
  for (const char* text : {"-0.1", "1", "1.5", "nan", "inf", "''"})
    expect_wrong_usage("--momentum " + std::string(text), "--momentum must be a number in [0, 1), not '");
}

TEST(CommandLine, NumbersWithinRangeAreTaken) {
  EXPECT_EQ(settings_of({"--epochs", "0"}).epochs, 0);
  EXPECT_EQ(settings_of({"--epochs", "010"}).epochs, 10);  // not octal
  EXPECT_EQ(settings_of({"--batch-size", "1000000000"}).batch_size, 1000000000);
  EXPECT_EQ(settings_of({"--test-batch-size=1"}).test_batch_size, 1);
  EXPECT_EQ(settings_of({"--limit", "7"}).limit, 7);
  EXPECT_EQ(settings_of({"--seed", "18446744073709551615"}).seed, 18446744073709551615u);
  EXPECT_EQ(settings_of({"--threads", "256"}).threads, 256);
  EXPECT_EQ(settings_of({"--lr", "1e-3"}).learning_rate, 1e-3);
  EXPECT_EQ(settings_of({"--learning-rate", ".5"}).learning_rate, 0.5);
  EXPECT_EQ(settings_of({"--learning-rate=1000000"}).learning_rate, 1e6);
  EXPECT_FALSE(std::signbit(settings_of({"--lr", "-0"}).learning_rate));
  EXPECT_EQ(settings_of({"--momentum", "0.99"}).momentum, 0.99);
}

TEST(CommandLine, NamesAreRefusedWhenEmptyOrUnknown) {
  for (const std::string flag : {"--data", "--save", "--load", "--metrics"}) {
    expect_wrong_usage(flag + " ''", flag + " must not be empty");
    expect_wrong_usage(flag + "=", flag + " must not be empty");
  }
  expect_wrong_usage("--activation gelu", "--activation must be one of sigmoid, tanh, relu, not 'gelu'");
  expect_wrong_usage("--activation ''", "--activation must be one of");
  expect_wrong_usage("--pooling median", "--pooling must be one of avg, max, not 'median'");
}

TEST(CommandLine, AFlagNeedsItsValueAndNoOther) {
  expect_wrong_usage("--seed", ": --seed needs a value, as in --seed N (see");
  expect_wrong_usage("--seed 1 --learning-rate",
                     ": --learning-rate needs a value, as in --learning-rate X (see");
  expect_wrong_usage("--save --epochs 0",
                     ": --save needs a value, as in --save FILE; '--epochs' is a flag (see");
  expect_wrong_usage("--lr= 0.1", "--lr must not be empty");
  for (const std::string flag : {"--verify-gradients", "--help", "--version"}) {
    for (const char* value : {"banana", "true", "false", ""})
      expect_wrong_usage(flag + "=" + value, ": " + flag + " takes no value (see");
  }
  EXPECT_EQ(settings_of({"--save=strange=name"}).save, "strange=name");
}

TEST(CommandLine, AFlagIsGivenOnce) {
  expect_wrong_usage("--epochs 1 --epochs 2", ": --epochs is given twice (see");
  expect_wrong_usage("--epochs 1 --epochs 1 --epochs=1", ": --epochs is given twice (see");
  expect_wrong_usage("--lr 0.1 --lr 0.2", ": --lr or --learning-rate is given twice (see");
  expect_wrong_usage("--lr 0.1 --learning-rate=0.2", ": --lr or --learning-rate is given twice (see");
  expect_wrong_usage("--verify-gradients --verify-gradients", ": --verify-gradients is given twice (see");
}

TEST(CommandLine, UnknownFlagsAreNamed) {
  for (const std::string flag : {"--learning_rate", "--epoch", "-lr", "--SEED", "--verify", "--no-such-flag"})
    expect_wrong_usage(flag + " 3", "unknown flag " + flag + " (see --help)");
  for (const std::string flag : {"-h-seed", "-hhh-epochs"}) expect_wrong_usage(flag, "unknown flag " + flag);
  expect_wrong_usage("stray other", "'stray' is not a flag");
  expect_wrong_usage("''", "'' is not a flag");
}

TEST(CommandLine, StrangeArgumentsStayOnOneShortLine) {
  expect_wrong_usage("--lr \"$(printf '1\\n2\\033[31m')\"", "not '1\\x0a2\\x1b[31m'");
  const std::string umlauts = "\"$(printf 'ü%.0s' $(seq 50000))\"";
  for (const std::string flag : {"--lr", "--data", ""}) {
    const Outcome outcome = run("mnist_cnn", flag + " " + umlauts);
    EXPECT_EQ(outcome.exit_code, flag == "--data" ? 1 : 2);
    EXPECT_LT(outcome.err.size(), 1100u);
    EXPECT_THAT(outcome.err, HasSubstr("ü ... ü"));
  }
}

TEST(CommandLine, FlagsThatContradictEachOtherAreRefused) {
  const adjoint::support::TemporaryDirectory directory;
  const std::string d = directory.path().string();
  expect_wrong_usage(
      "--metrics " + d + "/x --save " + d + "/../" + directory.path().filename().string() + "/x",
      "--metrics and --save must be different files");
  expect_wrong_usage("--metrics " + d + "/x --load " + d + "/x", "--metrics and --load must be different");
  std::filesystem::create_directories(d + "/folder/below");
  std::filesystem::create_directory_symlink(d + "/folder/below", d + "/link");
  std::filesystem::create_symlink("../new", d + "/folder/dangling");
  std::filesystem::create_symlink("folder/dangling", d + "/chain");
  std::ofstream(d + "/old").close();
  std::filesystem::create_hard_link(d + "/old", d + "/hard");
  for (const auto& [one, other] : {std::pair("/chain", "/new"),
                                   {"/new", "/folder/dangling"},
                                   {"/chain", "/link/../dangling"},
                                   {"/link/x", "/folder/below/x"},
                                   {"/link/../x", "/folder/x"},
                                   {"/hard", "/old"}}) {
    expect_wrong_usage("--metrics " + d + one + " --save " + d + other, "--metrics and --save must be diff");
    expect_wrong_usage("--metrics " + d + one + " --load " + d + other, "--metrics and --load must be diff");
  }
  for (const auto& [one, other] : {std::pair("/link/x", "/folder/x"), {"/chain", "/folder/new"}}) {
    const std::string save = d + other;
    EXPECT_EQ(settings_of({"--metrics", (d + one).c_str(), "--save", save.c_str()}).save, save);
  }
  expect_wrong_usage("--verify-gradients --pooling max", "--verify-gradients needs --pooling avg");
  for (const std::string flag : {"--save", "--load", "--metrics"})
    expect_wrong_usage("--verify-gradients " + flag + " x", "does not go with " + flag);
  EXPECT_EQ(settings_of({"--load", "x", "--save", "x"}).save, "x") << "going on where a run ended";
}

TEST(CommandLine, HelpNamesEveryFlagWithinAScreensWidth) {
  const Outcome help = run("mnist_cnn", "--help");
  EXPECT_EQ(help.exit_code, 0);
  for (const char* flag : {"--data", "--epochs", "--batch-size", "--test-batch-size", "--lr,--learning-rate",
                           "--momentum", "--activation", "--pooling", "--seed", "--threads", "--limit",
                           "--metrics", "--save", "--load", "--verify-gradients", "-h,--help", "--version"}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + flag));
  }
  std::size_t longest = 0;
  for (std::size_t at = 0, end; (end = help.out.find('\n', at)) != std::string::npos; at = end + 1)
    longest = std::max(longest, end - at);
  EXPECT_LE(longest, 80u);
}

TEST(CommandLine, EveryProgramAnswersAndRefuses) {
  for (const std::string program : kPrograms) {
    for (const char* flag : {"--help", "-h"}) {
      const Outcome help = run(program, flag);
      EXPECT_EQ(help.exit_code, 0);
      EXPECT_THAT(help.out, AllOf(HasSubstr("Usage: " + program + " ["), HasSubstr("--version")));
      EXPECT_EQ(help.err, "");
    }
    const Outcome version = run(program, "--version");
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_THAT(version.out, StartsWith(program + " 0."));
    expect_failure(program, "stray", 2, "'stray' is not a flag");
    expect_failure(program, "--halp", 2, "unknown flag --halp");
  }
}

}  // namespace
