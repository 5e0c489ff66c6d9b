#include "examples/documented_cnn/settings.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <limits>

namespace documented_cnn {
namespace {

constexpr auto kAny = std::numeric_limits<std::int64_t>::max();

/// Accepts what is_valid does; says otherwise what is wanted.
CLI::Validator number(const char* wanted, bool (*is_valid)(double)) {
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        const bool valid = CLI::detail::lexical_cast(text, value) && is_valid(value);
        return valid ? std::string() : text + " is not " + wanted;
      },
      "");
}

void add_flags(CLI::App& app, Settings& settings) {
  app.add_option("--data", settings.data,
                 "Directory with MNIST's four IDX files, plain or .gz\n(default: 5,000 + 1,000 images that "
                 "are built in)");
  app.add_option("--epochs", settings.epochs, "Passes over the training images; 0 only tests")
      ->check(CLI::Range(std::int64_t{0}, kAny))
      ->capture_default_str();
  app.add_option("--batch-size", settings.batch_size, "Images for each update; the note has 1")
      ->check(CLI::Range(std::int64_t{1}, kAny))
      ->capture_default_str();
  app.add_option("--test-batch-size", settings.test_batch_size, "Images tested at a time")
      ->check(CLI::Range(std::int64_t{1}, kAny))
      ->capture_default_str();
  app.add_option("--lr", settings.learning_rate, "Learning rate")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--momentum", settings.momentum, "Share of the last update that is made again, below 1")
      ->check(number("a number from 0 to below 1", [](double x) { return x >= 0 && x < 1; }))
      ->capture_default_str();
  app.add_option("--activation", settings.activation, "f of the note: sigmoid, tanh or relu")
      ->check(CLI::IsMember({"sigmoid", "tanh", "relu"}))
      ->capture_default_str();
  app.add_option("--pooling", settings.pooling, "avg, as in the note, or max")
      ->check(CLI::IsMember({"avg", "max"}))
      ->capture_default_str();
  app.add_option("--seed", settings.seed, "Of the initial weights and of the images' order")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--threads", settings.threads,
                 "Threads (default: one for each core); results do not depend on it")
      ->check(CLI::Range(1, 256));
  app.add_option("--limit", settings.limit, "Train on the first so many images only")
      ->check(CLI::Range(std::int64_t{1}, kAny));
  app.add_option("--metrics", settings.metrics,
                 "Write a JSON object for each epoch to this file, one a line");
  app.add_option("--save", settings.save, "Write the trained parameters to this file (safetensors)");
  app.add_option("--load", settings.load, "Start from the parameters in this file");
  app.add_flag("--verify-gradients", settings.verify_gradients,
               "Compare autodiff with the note's formulas, print the table, and exit");
}

}  // namespace

std::optional<Settings> parse_command_line(int argc, const char* const* argv) {
  CLI::App app("Trains the CNN of the lecture note on MNIST.", "mnist_cnn");
  Settings settings;
  add_flags(app, settings);
  app.set_version_flag("--version", "mnist_cnn " ADJOINT_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return std::nullopt;
  } catch (const CLI::CallForVersion& version) {
    app.exit(version);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw UsageError(std::string(error.what()) + " (--help lists the flags)");
  }
  if (!std::isfinite(settings.learning_rate))
    throw UsageError("--lr: must be a finite number (--help lists the flags)");
  return settings;
}

}  // namespace documented_cnn
