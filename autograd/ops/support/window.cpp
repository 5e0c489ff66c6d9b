#include "adjoint/ops/window.h"

#include <algorithm>
#include <fmt/core.h>

#include "adjoint/tensor/check.h"

namespace adjoint::ops {
namespace {

/// The limit on the elements of an image with its padding. Kernels count them in int64 and, for maximum
/// pooling, in float64.
constexpr std::int64_t kMostPadded = std::int64_t{1} << 53;

void check_size(bool condition, const char* op, const Windows& windows) {
  check_shape(condition, "{}: window {}, dilation {} or padding {} is too large", op, windows.size,
              windows.dilation, windows.padding);
}

/// Rows or columns of an image with its padding.
std::int64_t padded_size(const char* op, const Windows& windows, std::int64_t PerAxis::*axis,
                         std::int64_t image) {
  std::int64_t padded = 0;
  check_size(!__builtin_mul_overflow(windows.padding.*axis, 2, &padded) &&
                 !__builtin_add_overflow(padded, image, &padded),
             op, windows);
  return padded;
}

std::int64_t count_along(const char* op, const char* lines, const Shape& x, const Windows& windows,
                         std::int64_t PerAxis::*axis, std::int64_t padded) {
  std::int64_t reach = 0;
  check_size(!__builtin_mul_overflow(windows.dilation.*axis, windows.size.*axis - 1, &reach) &&
                 !__builtin_add_overflow(reach, 1, &reach),
             op, windows);
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
  const std::int64_t height = padded_size(op, windows, &PerAxis::height, x[2]);
  const std::int64_t width = padded_size(op, windows, &PerAxis::width, x[3]);
  std::int64_t padded = 0;
  check_size(!__builtin_mul_overflow(height, width, &padded) && padded <= kMostPadded, op, windows);
  return {count_along(op, "rows", x, windows, &PerAxis::height, height),
          count_along(op, "columns", x, windows, &PerAxis::width, width)};
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
