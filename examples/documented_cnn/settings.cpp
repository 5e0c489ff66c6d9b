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

/// Of epochs and images. Batches beyond the data hold all of it.
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
       "Directory with MNIST's four IDX files, plain or\n"
       "gzipped (default: 5,000 + 1,000 built-in images)",
       [&](const std::string& text) { s.data = parse_name(text); }},
      {"--epochs", "", "N",
       fmt::format("Passes over the training images; 0 only tests\n(default {})", s.epochs),
       [&](const std::string& text) { s.epochs = parse_count(text, 0); }},
      {"--batch-size", "", "N",
       fmt::format("Images for each update; the note has 1\n(default {})", s.batch_size),
       [&](const std::string& text) { s.batch_size = parse_count(text, 1); }},
      {"--test-batch-size", "", "N", fmt::format("Images tested at a time (default {})", s.test_batch_size),
       [&](const std::string& text) { s.test_batch_size = parse_count(text, 1); }},
      {"--lr", "--learning-rate", "X",
       fmt::format("Learning rate, 0 to {} (default {})", kMostLearningRate, s.learning_rate),
       [&](const std::string& text) {
         s.learning_rate = parse_number(text, 0.0, kMostLearningRate,
                                        fmt::format("a number from 0 to {}", kMostLearningRate));
       }},
      {"--momentum", "", "X", fmt::format("Momentum of SGD, in [0, 1) (default {})", s.momentum),
       [&](const std::string& text) {
         s.momentum = parse_number(text, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
       }},
      {"--activation", "", "NAME",
       fmt::format("Activation: sigmoid, tanh or relu (default {})", s.activation),
       [&](const std::string& text) {
         s.activation = parse_choice(text, {"sigmoid", "tanh", "relu"});
       }},
      {"--pooling", "", "NAME", fmt::format("Pooling: avg, as in the note, or max (default {})", s.pooling),
       [&](const std::string& text) {
         s.pooling = parse_choice(text, {"avg", "max"});
       }},
      {"--seed", "", "N",
       fmt::format("Seed of the initial weights and of the images' order,\n0 to {} (default {})", kMostSeed,
                   s.seed),
       [&](const std::string& text) {
         s.seed = parse_number(text, std::uint64_t{0}, kMostSeed,
                               fmt::format("a whole number from 0 to {}", kMostSeed));
       }},
      {"--threads", "", "N",
       fmt::format("Threads, 1 to {} (default: one for each core);\nthe results do not depend on it",
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
       "Write a line for each epoch to this file, a JSON\nobject; an old file is kept until the first line",
       [&](const std::string& text) { s.metrics = parse_name(text); }},
      {"--save", "", "FILE", "Write the trained parameters to this file\n(safetensors)",
       [&](const std::string& text) { s.save = parse_name(text); }},
      {"--load", "", "FILE", "Start from the parameters in this file",
       [&](const std::string& text) { s.load = parse_name(text); }},
      {"--verify-gradients", "", "",
       "Compare autodiff with the note's formulas on random\nimages and exit; uses --activation, --seed "
       "and\n"
       "--threads",
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
    // Others are pipes and terminals, which several may write to.
    if (std::filesystem::is_regular_file(path, error)) files.push_back({what, path, true});
  }
  std::erase_if(files, [](const File& file) { return file.path.empty(); });
  return files;
}

/// One that goes on where a run ended saves over what it loads; a shell's 2>&1 joins the streams.
bool may_be_one(const File& a, const File& b) {
  return (a.what == "--save" && b.what == "--load") ||
         (a.what == "standard output" && b.what == "standard error");
}

/// Nothing that is written may be another file.
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

/// Flags that are right each by itself but not together.
void check_together(const Settings& s) {
  check_files(s);
  if (!s.verify_gradients) return;
  if (s.pooling != "avg") throw UsageError("--verify-gradients needs --pooling avg: the note has no other");
  for (const auto& [flag, value] :
       {std::pair("--metrics", s.metrics), {"--save", s.save}, {"--load", s.load}}) {
    if (!value.empty())
      throw UsageError(fmt::format("--verify-gradients trains nothing and so does not go with {}", flag));
  }
}

}  // namespace

std::optional<Settings> parse_command_line(int argc, const char* const* argv) {
  Settings settings;
  examples::Program program = {
      "mnist_cnn",
      "Trains the CNN of the lecture note on MNIST and tests it after each epoch.\n"
      "A batch larger than the data is all of the data.\n"
      "Exit codes: 0 success, 1 failure (also a loss that is infinite or NaN), 2 wrong\n"
      "usage.",
      training_flags(settings)};
  for (Flag& flag : file_flags(settings)) program.flags.push_back(std::move(flag));
  if (!examples::parse(program, argc, argv)) return std::nullopt;
  check_together(settings);
  return settings;
}

}  // namespace documented_cnn
