#pragma once
// Average and maximum pooling of images: y [N,C,OH,OW] from x [N,C,H,W].
//
// The window of y's element (i, j) starts at row i sh - ph and column j sw - pw of x. There are only whole
// windows: OH = floor((H + 2 ph - window height) / sh) + 1, and OW likewise. Rows and columns that are left
// over at the lower and right edges are not read, and their gradient is 0. Padding is at most half the
// window, so every window contains a part of the image.
//
// Both ops throw ShapeError when x does not have 4 axes, when it has no channel, row or column (the batch may
// be empty), and when it is smaller than the window even with its padding. They throw Error when an option is
// out of range, and DTypeError on int64.

#include "adjoint/ops/window.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct AvgPool2dOptions {
  PerAxis window;
  PerAxis stride = window;
  PerAxis padding = 0;
  bool count_include_pad = true;  ///< Divide by the window's size; if false, by its elements in the image.
};

struct MaxPool2dOptions {
  PerAxis window;
  PerAxis stride = window;
  PerAxis padding = 0;
};

/// y[n,c,i,j] = the average of x over the window, where padding counts as zeros.
/// Example: avg_pool2d(x, {.window = 2}).
Tensor avg_pool2d(const Tensor& x, const AvgPool2dOptions& options);

/// y[n,c,i,j] = the maximum of x over the window without its padding. Example: max_pool2d(x, {.window = 2}).
/// The gradient goes to the maximum. If several are equal, it goes to the first in row-major order. If the
/// window contains a NaN, y is NaN, and the first NaN gets the gradient.
Tensor max_pool2d(const Tensor& x, const MaxPool2dOptions& options);

}  // namespace adjoint
