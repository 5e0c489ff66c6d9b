#pragma once
// A line on the terminal that shows the progress of an epoch.

#include <adjoint/adjoint.h>
#include <cstdint>
#include <string>

namespace documented_cnn {

/// The line for an epoch of `examples` images, in fewer than width columns: a bar, the share that is done,
/// the loss, the speed and the seconds left. It leaves out what there is no room for.
std::string progress_line(const adjoint::TrainResult& so_far, std::int64_t examples, std::size_t width);

/// Draws on stdout, a few times a second, if that is a terminal that can erase a line; otherwise draws
/// nothing. The destructor erases the line, so that an error message gets its own line. Ctrl-C leaves the
/// line as it is and ends the program.
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
