#pragma once
// Padding, and the windows of an image as columns of a matrix.

#include <cstdint>
#include <initializer_list>
#include <span>

#include "adjoint/ops/window.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// What padding contains, for the axis [1,2,3] with padding 2 on both sides:
enum class PadMode : std::uint8_t {
  constant,   ///< [v,v,1,2,3,v,v]
  reflect,    ///< [3,2,1,2,3,2,1]; less than the size of the axis
  replicate,  ///< [1,1,1,2,3,3,3]; the axis must not be empty
  circular,   ///< [2,3,1,2,3,1,2]; at most the size of the axis
};

struct PadOptions {
  PadMode mode = PadMode::constant;
  double value = 0;  ///< Of PadMode::constant.
};
/// y = x with padding before and after each axis. `sides` lists two numbers for each axis, from the last axis
/// to the first, as in PyTorch: {left, right, top, bottom, ...}; axes without numbers are not padded.
/// Negative numbers crop, in every mode. All axes and all dtypes are allowed. Throws ShapeError when the
/// number of sides is odd or x has too few axes, when a size gets negative, and when an axis is too small for
/// the mode; throws Error when an int64 tensor cannot hold value. Example: pad(image, {1, 1, 2, 2}, {.mode =
/// PadMode::reflect}).
Tensor pad(const Tensor& x, std::span<const std::int64_t> sides, const PadOptions& options = {});
Tensor pad(const Tensor& x, std::initializer_list<std::int64_t> sides, const PadOptions& options = {});

struct UnfoldOptions {
  PerAxis window;
  PerAxis stride = 1;
  PerAxis padding = 0;
  PerAxis dilation = 1;
};
/// The windows of images x [N,C,H,W] (or [C,H,W]) as columns: y [N, C wh ww, L] (or [C wh ww, L]), also known
/// as im2col. Row (c, i, j) of y has tap (i, j) of channel c of all L = OH OW windows, with OH and OW as for
/// conv2d; padding counts as zeros. All dtypes are allowed. Throws ShapeError when x has another number of
/// axes, no channel, row or column, or is smaller than a window; throws Error when an option is out of range.
Tensor unfold(const Tensor& x, const UnfoldOptions& options);

struct FoldOptions {
  PerAxis size;  ///< H and W of the image.
  PerAxis window;
  PerAxis stride = 1;
  PerAxis padding = 0;
  PerAxis dilation = 1;
};
/// The sum of windows at their places, also known as col2im: from x [N, C wh ww, L] (or [C wh ww, L]) to
/// images y [N,C,H,W] (or [C,H,W]). It is the gradient of unfold: where windows overlap, they add up. int64
/// wraps around. Throws ShapeError unless x has this many rows and columns, and Error as unfold.
Tensor fold(const Tensor& x, const FoldOptions& options);

}  // namespace adjoint
