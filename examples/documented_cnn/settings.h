#pragma once
// The command line of mnist_cnn.

#include <cstdint>
#include <optional>
#include <string>

#include "examples/support/flags.h"

namespace documented_cnn {

using examples::UsageError;

struct Settings {
  std::string data;  ///< Directory of IDX files; empty: the subset in the library.
  std::int64_t epochs = 25;
  std::int64_t batch_size = 32;
  std::int64_t test_batch_size = 250;
  double learning_rate = 0.05;
  double momentum = 0;
  std::string activation = "relu";
  std::string pooling = "avg";
  std::uint64_t seed = 1;
  std::optional<int> threads;  ///< Default: every core.
  std::optional<std::int64_t> limit;
  std::string metrics, save, load;  ///< Files; empty: none.
  bool verify_gradients = false;
};

/// The settings; none when --help or --version was given and its text was printed. Throws UsageError when the
/// arguments are wrong.
std::optional<Settings> parse_command_line(int argc, const char* const* argv);

}  // namespace documented_cnn
