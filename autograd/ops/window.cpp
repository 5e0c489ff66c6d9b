#include "autograd/ops/window.h"

#include <algorithm>
#include <fmt/core.h>

#include "autograd/check.h"

namespace adjoint::ops {
namespace {

std::int64_t count_along(const char* op, const char* lines, const Shape& x, const Windows& windows,
                         std::int64_t PerAxis::*axis, std::int64_t image) {
  const std::int64_t padding = windows.padding.*axis;
  std::int64_t reach = 0, padded = 0;
  const bool overflows = __builtin_mul_overflow(windows.dilation.*axis, windows.size.*axis - 1, &reach) ||
                         __builtin_add_overflow(reach, 1, &reach) ||
                         __builtin_add_overflow(padding, padding, &padded) ||
                         __builtin_add_overflow(padded, image, &padded);
  check_shape(!overflows, "{}: window {}, dilation {} or padding {} is too large", op, windows.size,
              windows.dilation, windows.padding);
  check_shape(reach <= padded,
              "{}: a window reaches over {} {}, x has {} with its padding (x {}, window {}, dilation {}, "
              "padding {})",
              op, reach, lines, padded, x, windows.size, windows.dilation, windows.padding);
  return (padded - reach) / (windows.stride.*axis) + 1;
}

}  // namespace

void check_at_least(std::int64_t least, const char* op, const char* option, PerAxis value) {
  check(value.height >= least && value.width >= least, "{}: {} must be at least {}, it is {}", op, option,
        least, value);
}

PerAxis count_windows(const char* op, const Shape& x, const Windows& windows) {
  return {count_along(op, "rows", x, windows, &PerAxis::height, x[2]),
          count_along(op, "columns", x, windows, &PerAxis::width, x[3])};
}

void check_image(const char* op, const Shape& x) {
  check_shape(x.rank() == 4, "{}: x must have 4 axes, it is {}", op, x);
  check_shape(x[1] > 0 && x[2] > 0 && x[3] > 0,
              "{}: x must have at least one channel, row and column, it is {}", op, x);
}

}  // namespace adjoint::ops

auto fmt::formatter<adjoint::PerAxis>::format(const adjoint::PerAxis& value,
                                              fmt::format_context& context) const
    -> fmt::format_context::iterator {
  return std::ranges::copy(fmt::format("{{{}, {}}}", value.height, value.width), context.out()).out;
}
