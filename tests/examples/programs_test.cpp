// The programs as a person calls them: what they print and write, how they fail. Wrong flags, standard output
// and terminals have their own tests.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/stat.h>
#include <vector>

#include "examples/documented_cnn/model.h"
#include "tests/examples/run_program.h"
#include "tests/support/files.h"

namespace {

using namespace adjoint::support;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr const char* kShortTraining = "--epochs 1 --limit 32 --threads 1";

Outcome mnist_cnn(const std::string& arguments) { return run("mnist_cnn", arguments); }

/// Writes the network's parameters, all of them this number.
void save_network_of(float value, const std::string& path) {
  adjoint::Rng rng(1);
  documented_cnn::DocumentedCnn net({}, rng);
  for (adjoint::Tensor& parameter : net.parameters())
    parameter.assign(adjoint::full(parameter.shape(), value));
  adjoint::save_checkpoint(path, net.state_dict());
}

/// The program refuses the flags in one line with exit code 1, before the first epoch.
void expect_refused_at_once(const std::string& flags, const std::string& text) {
  const Outcome outcome = expect_failure("mnist_cnn", std::string(kShortTraining) + " " + flags, 1, text);
  EXPECT_THAT(outcome.out, Not(HasSubstr("epoch")));
}

TEST(MnistCnn, FilesThatCannotBeReadAreRefused) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  std::ofstream(d + "/text") << "not a checkpoint";
  adjoint::save_checkpoint(d + "/other", {{"w", adjoint::zeros({2, 3})}});
  expect_refused_at_once("--data " + d + "/nowhere", d + "/nowhere");
  expect_refused_at_once("--data " + d, d);
  expect_refused_at_once("--load " + d + "/missing", d + "/missing");
  expect_refused_at_once("--load " + d + "/text", d + "/text");
  expect_refused_at_once("--load " + d, d);
  expect_refused_at_once("--load " + d + "/other", d + "/other: does not fit this network: ");
}

TEST(MnistCnn, ImagesOfAnotherSizeAreRefused) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  for (const std::string set : {"/train", "/t10k"}) {
    write_file(d + set + "-images-idx3-ubyte",
               adjoint::support::idx_bytes({1, 5, 6}, std::vector<std::uint8_t>(30)));
    write_file(d + set + "-labels-idx1-ubyte",
               adjoint::support::idx_bytes({1}, std::vector<std::uint8_t>(1)));
  }
  expect_refused_at_once("--data " + d,
                         "--data " + d + ": the network takes images of 28x28, these have 5x6");
}

TEST(MnistCnn, FilesThatCannotBeWrittenAreRefusedUnderTheirOwnName) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  ASSERT_EQ(mkfifo((d + "/fifo").c_str(), 0666), 0);
  for (const std::string flag : {"--save ", "--metrics "}) {
    for (const std::string& path : {d, d + "/", d + "/none/net", d + "/fifo", std::string("/proc/net_x"),
                                    d + "/" + std::string(300, 'x')}) {
      expect_refused_at_once(flag + path, "mnist_cnn: " + path + ": ");
    }
  }
  expect_refused_at_once("--metrics /dev/full", "mnist_cnn: /dev/full: ");
  // A device in a folder in which even root cannot create files, so a failing test does not damage the
  // system.
  expect_refused_at_once("--save /dev/pts/ptmx", "mnist_cnn: /dev/pts/ptmx: ");
  EXPECT_TRUE(S_ISFIFO([&] {
    struct stat status {};
    stat((d + "/fifo").c_str(), &status);
    return status.st_mode;
  }()));
}

TEST(MnistCnn, SavingTouchesNoFileOfAnotherName) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  std::ofstream(d + "/net.probe") << "mine";
  EXPECT_EQ(mnist_cnn(std::string(kShortTraining) + " --save " + d + "/net").exit_code, 0);
  EXPECT_EQ(read_file(d + "/net.probe"), "mine");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(d), {}), 2);
}

TEST(MnistCnn, SaysWhenTheTrainedParametersAreLost) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "net").string();
  // Files of at most 4096 bytes: enough for those of the tests before the training, not for the parameters.
  const Outcome outcome = run_shell("trap '' XFSZ; ulimit -f 8; " + program_path("mnist_cnn") + " " +
                                    kShortTraining + " --save " + path);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("epoch  1/1: "), Not(HasSubstr("Saved"))));
  EXPECT_EQ(outcome.err,
            "mnist_cnn: " + path + ": cannot be written: File too large; the trained parameters are lost\n");
  EXPECT_THAT(read_file(path), IsEmpty());
}

TEST(MnistCnn, OldMetricsStayUntilThereAreNew) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  std::ofstream(d + "/metrics") << "of an earlier run\n";
  EXPECT_EQ(mnist_cnn("--epochs 1 --limit 32 --metrics " + d + "/metrics --load " + d + "/none").exit_code,
            1);
  EXPECT_EQ(mnist_cnn("--epochs 1 --limit 32 --metrics " + d + "/metrics --save " + d).exit_code, 1);
  EXPECT_EQ(mnist_cnn("--epochs 1 --limit 32 --metrics " + d + "/metrics > /dev/full").exit_code, 1);
  EXPECT_EQ(mnist_cnn("--epochs 0 --metrics " + d + "/metrics").exit_code, 0);
  EXPECT_EQ(read_file(d + "/metrics"), "of an earlier run\n");
  EXPECT_EQ(mnist_cnn("--epochs 2 --limit 32 --metrics " + d + "/metrics").exit_code, 0);
  const std::string after = read_file(d + "/metrics");
  EXPECT_THAT(after, StartsWith("{\"epoch\": 1,"));
  EXPECT_EQ(std::count(after.begin(), after.end(), '\n'), 2);
}

/// The program refuses arguments, which may redirect streams, with one line in file, and changes nothing
/// else.
void expect_kept(const std::string& arguments, const std::string& file, const std::string& text) {
  std::ofstream(file) << "keep\n";
  const std::string command = std::string(kShortTraining) + " " + arguments;
  const Outcome outcome = mnist_cnn(command);
  EXPECT_EQ(outcome.exit_code, 2) << command;
  std::string shown = outcome.err + read_file(file);
  ASSERT_THAT(shown, HasSubstr("keep\n")) << command;
  shown.erase(shown.find("keep\n"), 5);
  EXPECT_THAT(shown,
              AllOf(StartsWith("mnist_cnn: " + text), HasSubstr(" must be different files, both are ")));
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 1) << shown;
}

TEST(MnistCnn, WritesNothingOverTheFileThatItPrintsTo) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string(), log = d + "/log";
  std::filesystem::create_symlink("log", d + "/link");
  for (const std::string flag : {"--metrics", "--save", "--load"}) {
    for (const std::string& path : {log, d + "/link", d + "/./log", std::string("/dev/stdout"),
                                    std::string("/proc/self/fd/1"), std::string("/dev/fd/1")})
      expect_kept(flag + " " + path + " >> " + log, log, flag + " and standard output");
    for (const std::string& path : {log, std::string("/dev/stderr"), std::string("/proc/self/fd/2")})
      expect_kept(flag + " " + path + " 2>> " + log, log, flag + " and standard error");
    expect_kept(flag + " " + log + " >> " + log + " 2>&1", log, flag + " and standard output");
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(d), {}), 2);
}

TEST(MnistCnn, PrintsAndWritesToOnePipeOrDevice) {
  const std::string training = program_path("mnist_cnn") + " " + kShortTraining;
  const Outcome piped = run_shell(training + " --metrics /dev/stdout | cat");
  EXPECT_THAT(piped.out, AllOf(HasSubstr("\nepoch  1/1: "), HasSubstr("\n{\"epoch\": 1,")));
  EXPECT_EQ(run_shell(training + " --metrics /dev/null > /dev/null 2>&1").exit_code, 0);
  const TemporaryDirectory directory;
  const std::string log = (directory.path() / "log").string();
  EXPECT_EQ(run_shell(training + " > " + log + " 2>&1").exit_code, 0);
}

TEST(MnistCnn, WritesNothingOverItsData) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  std::filesystem::create_directories(d + "/raw/t10k-labels.idx1-ubyte");
  std::filesystem::create_directory_symlink(d, d + "/link");
  // All are names that load_mnist() takes.
  for (const std::string name :
       {"train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", "t10k-images.idx3-ubyte",
        "t10k-labels.idx1-ubyte.gz", "raw/train-labels-idx1-ubyte",
        "raw/t10k-labels.idx1-ubyte/t10k-labels-idx1-ubyte"}) {
    const std::string file = d + "/" + name;
    for (const std::string flag : {"--metrics ", "--save "}) {
      expect_kept("--data " + d + " " + flag + d + "/link/" + name, file, flag + "and a file of --data");
      std::filesystem::remove(file);
      expect_failure("mnist_cnn", "--data " + d + "/link " + flag + file, 2, flag + "and a file of --data");
      EXPECT_FALSE(std::filesystem::exists(file)) << "it would hide the file of another spelling";
    }
    expect_kept("--data " + d + " >> " + file, file, "a file of --data and standard output");
    std::filesystem::remove(file);
  }
  std::ofstream(d + "/train-images-idx3-ubyte").close();
  std::filesystem::create_symlink("train-images-idx3-ubyte", d + "/t10k-images-idx3-ubyte");
  const Outcome beside = mnist_cnn("--data " + d + " --save " + d + "/net");
  EXPECT_EQ(beside.exit_code, 1) << "files that are only read may be one";
  EXPECT_THAT(beside.err, StartsWith("mnist_cnn: " + d));
}

TEST(MnistCnn, WritesMetricsToPipes) {
  const Outcome outcome = run_shell("{ " + program_path("mnist_cnn") + " " + kShortTraining +
                                    " --metrics /dev/fd/3 > /dev/null; } 3>&1 | cat");
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["examples"], 32);
}

TEST(MnistCnn, StopsWhenTheLossIsNoNumber) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float value : {nan, -nan}) {
    save_network_of(value, d + "/nan");
    const Outcome outcome = mnist_cnn("--epochs 3 --limit 32 --lr 0.5 --load " + d + "/nan --save " + d +
                                      "/net --metrics " + d + "/metrics");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.err,
              "mnist_cnn: the loss is nan: training diverged; try a --lr below 0.5; nothing is saved\n");
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("epoch  1/3: loss nan, test loss nan, "),
                                   Not(HasSubstr("epoch  2/3")), Not(HasSubstr("-nan"))));
    EXPECT_THAT(read_file(d + "/net"), IsEmpty());
    EXPECT_TRUE(nlohmann::json::parse(read_file(d + "/metrics"))["train_loss"].is_null());

    const Outcome tested = mnist_cnn("--epochs 0 --load " + d + "/nan");
    EXPECT_EQ(tested.exit_code, 1);
    EXPECT_THAT(tested.out, HasSubstr("test loss nan, "));
    EXPECT_EQ(tested.err, "mnist_cnn: the test loss is nan: the parameters are too large or NaN\n");
  }
}

TEST(MnistCnn, ABatchLargerThanTheDataIsAllOfIt) {
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  const std::string most = "1000000000";
  for (const std::string batch : {"640", most.c_str()}) {
    const Outcome outcome = mnist_cnn("--epochs 1 --limit 640 --batch-size " + batch + " --test-batch-size " +
                                      (batch == most ? most : "1000") + " --metrics " + d +
                                      "/metrics --save " + d + "/net" + batch);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("batch 640,"), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
    const auto metrics = nlohmann::json::parse(read_file(d + "/metrics"));
    EXPECT_EQ(metrics["examples"], 640);
    EXPECT_EQ(metrics["batch_size"], 640);
  }
  EXPECT_EQ(read_file(d + "/net640"), read_file(d + "/net" + most)) << "the same one step";
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
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  const Outcome trained =
      mnist_cnn("--epochs 2 --limit 640 --threads 1 --metrics " + d + "/metrics --save " + d + "/net");
  ASSERT_EQ(trained.exit_code, 0) << trained.out;
  EXPECT_THAT(trained.out, StartsWith("Data: "));
  EXPECT_THAT(trained.out, Not(HasSubstr("\r"))) << "no progress bar outside a terminal";

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
  const TemporaryDirectory directory;
  const std::string d = directory.path().string();
  std::vector<std::string> checkpoints;
  for (const char* threads : {"1", "2", "3"}) {
    const std::string path = d + "/net" + threads;
    ASSERT_EQ(mnist_cnn("--epochs 1 --limit 1000 --batch-size 100 --threads " + std::string(threads) +
                        " --save " + path)
                  .exit_code,
              0);
    checkpoints.push_back(read_file(path));
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

TEST(Programs, FiveByFiveGivesEachReadingANameOfItsOwn) {
  const Outcome outcome = run("five_by_five", "");
  for (const char* name : {"(a) ", "(b) ", "(c1) ", "(c2) "}) {
    const std::string line = std::string("\n\n") + name;
    EXPECT_THAT(outcome.out, HasSubstr(line));
    EXPECT_EQ(outcome.out.find(line), outcome.out.rfind(line)) << name;
  }
}

TEST(Programs, TheFetchingScriptTakesNoArguments) {
  const Outcome help = run_shell(ADJOINT_SOURCE "/examples/get_mnist.sh --help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("examples/data/mnist"));
  const Outcome wrong = run_shell(ADJOINT_SOURCE "/examples/get_mnist.sh --halp me");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(wrong.err, "get_mnist.sh: takes no arguments, not --halp me (see --help)\n");
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
