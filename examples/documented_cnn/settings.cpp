#include "examples/documented_cnn/settings.h"

#include <cmath>
#include <filesystem>
#include <fmt/core.h>
#include <limits>

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

/// Whether two paths, of files that need not be there yet, lead to the same.
bool same_file(const std::string& a, const std::string& b) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path whole_a = fs::weakly_canonical(fs::absolute(a, error), error);
  return !error && whole_a == fs::weakly_canonical(fs::absolute(b, error), error) && !error;
}

/// Flags that are right each by itself but not together.
void check_together(const Settings& s) {
  for (const auto& [flag, file] : {std::pair("--save", s.save), {"--load", s.load}}) {
    if (!s.metrics.empty() && !file.empty() && same_file(s.metrics, file))
      throw UsageError(fmt::format("--metrics and {} must be different files, both are {}", flag, file));
  }
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
