#include "examples/documented_cnn/settings.h"

#include <cmath>
#include <filesystem>
#include <fmt/core.h>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "adjoint/data/mnist.h"
#include "layers/io/file.h"

namespace documented_cnn {
namespace {

using examples::Flag;
using examples::parse_choice;
using examples::parse_name;
using examples::parse_number;

/// The largest number of epochs and images. A batch larger than the data holds all of it.
constexpr std::int64_t kMostCounted = 1'000'000'000;
constexpr double kMostLearningRate = 1e6;
constexpr int kMostThreads = 256;
constexpr auto kMostSeed = std::numeric_limits<std::uint64_t>::max();

std::int64_t parse_count(const std::string& text, std::int64_t low) {
  return parse_number(text, low, kMostCounted,
                      fmt::format("a whole number from {} to {}", low, kMostCounted));
}

std::vector<Flag> training_flags(Settings& s) {
  return {
      {"--data", "", "DIR",
       "Directory with the four IDX files of MNIST, plain\n"
       "or gzipped (default: 5,000 + 1,000 built-in images)",
       [&](const std::string& text) { s.data = parse_name(text); }},
      {"--epochs", "", "N",
       fmt::format("Passes over the training images; 0: only test\n(default {})", s.epochs),
       [&](const std::string& text) { s.epochs = parse_count(text, 0); }},
      {"--batch-size", "", "N", fmt::format("Images per update (default {})", s.batch_size),
       [&](const std::string& text) { s.batch_size = parse_count(text, 1); }},
      {"--test-batch-size", "", "N",
       fmt::format("Images per batch when testing (default {})", s.test_batch_size),
       [&](const std::string& text) { s.test_batch_size = parse_count(text, 1); }},
      {"--lr", "--learning-rate", "X",
       fmt::format("Learning rate, from 0 to {} (default {})", kMostLearningRate, s.learning_rate),
       [&](const std::string& text) {
         s.learning_rate = parse_number(text, 0.0, kMostLearningRate,
                                        fmt::format("a number from 0 to {}", kMostLearningRate));
       }},
      {"--momentum", "", "X", fmt::format("Momentum, in [0, 1) (default {})", s.momentum),
       [&](const std::string& text) {
         s.momentum = parse_number(text, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
       }},
      {"--activation", "", "NAME",
       fmt::format("Activation: sigmoid, tanh or relu (default {})", s.activation),
       [&](const std::string& text) {
         s.activation = parse_choice(text, {"sigmoid", "tanh", "relu"});
       }},
      {"--pooling", "", "NAME", fmt::format("Pooling: avg or max (default {})", s.pooling),
       [&](const std::string& text) {
         s.pooling = parse_choice(text, {"avg", "max"});
       }},
      {"--seed", "", "N",
       fmt::format("Seed for the initial weights and the order of the\nimages, from 0 to {}\n(default {})",
                   kMostSeed, s.seed),
       [&](const std::string& text) {
         s.seed = parse_number(text, std::uint64_t{0}, kMostSeed,
                               fmt::format("a whole number from 0 to {}", kMostSeed));
       }},
      {"--threads", "", "N",
       fmt::format("Threads, from 1 to {} (default: one per core);\nresults do not depend on the number",
                   kMostThreads),
       [&](const std::string& text) {
         s.threads =
             parse_number(text, 1, kMostThreads, fmt::format("a whole number from 1 to {}", kMostThreads));
       }},
      {"--limit", "", "N", "Train on the first N images only",
       [&](const std::string& text) { s.limit = parse_count(text, 1); }},
  };
}

std::vector<Flag> file_flags(Settings& s) {
  return {
      {"--metrics", "", "FILE",
       "Write one line per epoch, a JSON object, to this\n"
       "file; an existing one is kept until the first line",
       [&](const std::string& text) { s.metrics = parse_name(text); }},
      {"--save", "", "FILE", "Save the trained parameters to this file\n(safetensors format)",
       [&](const std::string& text) { s.save = parse_name(text); }},
      {"--load", "", "FILE", "Start with the parameters in this file",
       [&](const std::string& text) { s.load = parse_name(text); }},
      {"--verify-gradients", "", "",
       "Compare the gradients with the formulas derived by\n"
       "hand, on random images, and exit; uses\n"
       "--activation, --seed and --threads",
       [&](const std::string&) { s.verify_gradients = true; }},
  };
}

/// A file that a run reads or writes.
struct File {
  std::string_view what;
  std::string path;
  bool is_written;
};

std::vector<File> files_of(const Settings& s) {
  std::vector<File> files = {
      {"--metrics", s.metrics, true}, {"--save", s.save, true}, {"--load", s.load, false}};
  if (!s.data.empty()) {
    for (std::string& path : adjoint::mnist_paths(s.data))
      files.push_back({"a file of --data", std::move(path), false});
  }
  for (const auto& [what, path] :
       {std::pair("standard output", "/dev/stdout"), {"standard error", "/dev/stderr"}}) {
    std::error_code error;
    // Several streams may write to a pipe or a terminal.
    if (std::filesystem::is_regular_file(path, error)) files.push_back({what, path, true});
  }
  std::erase_if(files, [](const File& file) { return file.path.empty(); });
  return files;
}

/// A run that continues another one saves over the file that it loaded; a shell's 2>&1 joins the streams.
bool may_be_one(const File& a, const File& b) {
  return (a.what == "--save" && b.what == "--load") ||
         (a.what == "standard output" && b.what == "standard error");
}

/// No file that is written may be another file of the run.
void check_files(const Settings& s) {
  const std::vector<File> files = files_of(s);
  for (auto a = files.begin(); a != files.end(); ++a) {
    for (auto b = a + 1; b != files.end(); ++b) {
      if ((a->is_written || b->is_written) && !may_be_one(*a, *b) && adjoint::same_file(a->path, b->path))
        throw UsageError(
            fmt::format("{} and {} must be different files, both are {}", a->what, b->what, a->path));
    }
  }
}

/// Flags that are right by themselves but not together.
void check_together(const Settings& s) {
  check_files(s);
  if (!s.verify_gradients) return;
  if (s.pooling != "avg")
    throw UsageError("--verify-gradients needs --pooling avg: the formulas are for average pooling");
  for (const auto& [flag, value] :
       {std::pair("--metrics", s.metrics), {"--save", s.save}, {"--load", s.load}}) {
    if (!value.empty())
      throw UsageError(fmt::format("--verify-gradients does not go with {}: it trains nothing", flag));
  }
}

}  // namespace

std::optional<Settings> parse_command_line(int argc, const char* const* argv) {
  Settings settings;
  examples::Program program = {
      "mnist_cnn",
      "Trains a small convolutional network on MNIST and tests it after each epoch.\n"
      "examples/documented_cnn/README.md describes the network and its formulas.\n"
      "A batch size larger than the data set means the whole data set.\n"
      "Exit codes: 0 success; 1 failure, including an infinite or NaN loss; 2 wrong\n"
      "usage.",
      training_flags(settings)};
  for (Flag& flag : file_flags(settings)) program.flags.push_back(std::move(flag));
  if (!examples::parse(program, argc, argv)) return std::nullopt;
  check_together(settings);
  return settings;
}

}  // namespace documented_cnn
