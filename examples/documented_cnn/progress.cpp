#include "examples/documented_cnn/progress.h"

#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <unistd.h>

namespace documented_cnn {
namespace {

constexpr std::int64_t kWidth = 24;
constexpr double kSecondsBetween = 0.1;

}  // namespace

ProgressBar::ProgressBar(std::int64_t examples)
    : examples_(examples), on_terminal_(isatty(STDOUT_FILENO) == 1) {}

void ProgressBar::show(const TrainResult& so_far) {
  if (!on_terminal_ || so_far.seconds < next_seconds_) return;
  next_seconds_ = so_far.seconds + kSecondsBetween;
  const auto filled = static_cast<std::size_t>(so_far.examples * kWidth / examples_);
  const double rate = static_cast<double>(so_far.examples) / so_far.seconds;
  const double left = static_cast<double>(examples_ - so_far.examples) / rate;
  fmt::print("\r[{:-<{}}] {:3}%   loss {:.4f}   {:.0f} images/s   {:.0f} s left\033[K",
             std::string(filled, '#'), kWidth, so_far.examples * 100 / examples_, so_far.loss, rate, left);
  std::fflush(stdout);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (drawn_) fmt::print("\r\033[K");
}

}  // namespace documented_cnn
