#pragma once
// Windows that slide over the two axes of an image: options and checks that convolution and pooling share.

#include <cstdint>
#include <fmt/core.h>

#include "adjoint/tensor/shape.h"

namespace adjoint {

/// One number for both axes of an image, or one for each: {.stride = 2} or {.stride = {2, 1}}.
struct PerAxis {
  constexpr PerAxis(std::int64_t both) : height(both), width(both) {}  // NOLINT: {.stride = 2}
  constexpr PerAxis(std::int64_t height, std::int64_t width) : height(height), width(width) {}

  std::int64_t height, width;
};

namespace ops {

/// Throws Error, naming the option, unless both numbers are at least `least`.
void check_at_least(std::int64_t least, const char* op, const char* option, PerAxis value);

/// How windows lie on an image.
struct Windows {
  PerAxis size;
  PerAxis stride;
  PerAxis padding;
  PerAxis dilation = 1;
};

/// The number of whole windows along each axis of x [N,C,H,W]: floor((H + 2 padding - reach) / stride) + 1,
/// where reach is dilation (size - 1) + 1. Throws ShapeError when no window fits, when an image with its
/// padding has more than 2^53 elements, and when reach overflows. Size, stride and dilation must be positive,
/// and padding must not be negative.
PerAxis count_windows(const char* op, const Shape& x, const Windows& windows);

/// The step (stride or dilation) to use along an axis with this number of positions. With one position, the
/// step has no effect: 1 is returned, so that kernels never get a huge number.
constexpr std::int64_t step_between(std::int64_t positions, std::int64_t step) {
  return positions > 1 ? step : 1;
}

/// Throws ShapeError unless x [N,C,H,W] has a channel, a row and a column; N may be 0.
void check_image(const char* op, const Shape& x);

}  // namespace ops
}  // namespace adjoint

template <>
struct fmt::formatter<adjoint::PerAxis> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(const adjoint::PerAxis& value, fmt::format_context& context) const
      -> fmt::format_context::iterator;
};
