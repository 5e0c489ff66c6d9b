#pragma once
// Average and maximum pooling of images: y [N,C,OH,OW] from x [N,C,H,W].
//
// The window of y's element (i, j) starts at row i sh - ph and column j sw - pw of x. Only whole windows
// count, OH = floor((H + 2 ph - window height) / sh) + 1 and OW likewise: rows and columns that are left over
// at the lower and right edge are dropped, and their gradient is 0. Padding is at most half the window, so
// that every window sees the image.
//
// Both ops throw ShapeError when x has not 4 axes, has no channel, row or column (the batch may be empty) or
// is smaller than the window even with its padding, Error when an option is out of range and DTypeError on
// int64.

#include "adjoint/ops/window.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct AvgPool2dOptions {
  PerAxis window;
  PerAxis stride = window;
  PerAxis padding = 0;
  bool count_include_pad = true;  ///< Divide by the window's size, or else by its elements inside the image.
};

struct MaxPool2dOptions {
  PerAxis window;
  PerAxis stride = window;
  PerAxis padding = 0;
};

/// y[n,c,i,j] = the average of x over the window, padding counting as zeros: avg_pool2d(x, {.window = 2}).
Tensor avg_pool2d(const Tensor& x, const AvgPool2dOptions& options);

/// y[n,c,i,j] = the maximum of x over the window, padding left out: max_pool2d(x, {.window = 2}). The
/// gradient goes to the maximum, of several equal ones to the first in row-major order. A NaN in the window
/// is its maximum, and the first NaN gets the gradient.
Tensor max_pool2d(const Tensor& x, const MaxPool2dOptions& options);

}  // namespace adjoint
