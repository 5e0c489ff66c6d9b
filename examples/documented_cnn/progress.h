#pragma once
// A line on the terminal that shows how far an epoch is.

#include <chrono>
#include <cstdint>

#include "examples/documented_cnn/training.h"

namespace documented_cnn {

/// Draws on stdout, a few times a second, when that is a terminal; otherwise nothing.
class ProgressBar {
 public:
  explicit ProgressBar(std::int64_t examples);
  void show(const TrainResult& so_far);
  /// Removes the line.
  void clear();

 private:
  std::int64_t examples_;
  bool on_terminal_;
  bool drawn_ = false;
  double next_seconds_ = 0;
};

}  // namespace documented_cnn
