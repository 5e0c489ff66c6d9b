#pragma once
// A line on the terminal that shows how far an epoch is.

#include <adjoint/adjoint.h>
#include <cstdint>
#include <string>

namespace documented_cnn {

/// What the line says of an epoch of `examples` examples, in fewer than width columns: a bar, the share that
/// is done, the loss, the speed and the seconds left. What there is no room for is left out.
std::string progress_line(const adjoint::TrainResult& so_far, std::int64_t examples, std::size_t width);

/// Draws on stdout, a few times a second, when that is a terminal that can erase a line; otherwise nothing.
/// Erases the line at the end of its life, so that an error's message has a line of its own. Ctrl-C ends it
/// where it is, and the program.
class ProgressBar {
 public:
  explicit ProgressBar(std::int64_t examples);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(const adjoint::TrainResult& so_far);
  void clear();

 private:
  std::int64_t examples_;
  bool can_draw_;
  bool drawn_ = false;
  double next_seconds_ = 0;
};

}  // namespace documented_cnn
