#pragma once
// Two-dimensional average and maximum pooling, with first and second derivatives, in both layouts.
//
// The window of output (i, j) is the input rectangle [i sh - ph, i sh - ph + KH) x [j sw - pw, j sw - pw +
// KW), cut to the image. Windows may overlap or leave gaps, and input that no window reaches gets a gradient
// of 0.

#include <cstdint>

#include "adjoint/tensor/layout.h"

namespace adjoint::kernels {

/// The sizes, checked by the caller. All are positive, except that batch and padding may be 0. Padding is
/// less than the window. Every window meets the image: (out - 1) stride - padding < size.
struct Pool2dSizes {
  std::int64_t batch, channels, height, width;  // x
  std::int64_t out_height, out_width;           // y
  std::int64_t window_height, window_width;
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t padding_height = 0, padding_width = 0;
  bool count_include_pad = true;  // averages: divide by KH KW, or by the elements inside the image
};

// T is float or double. Results are overwritten, never read first, and must not overlap the arguments. Every
// array is in the given layout.

/// y [N,C,OH,OW] = the average over each window of x [N,C,H,W].
template <class T>
void avg_pool2d(Layout layout, const Pool2dSizes& sizes, const T* x, T* y);

/// dx [N,C,H,W] from dy [N,C,OH,OW]: the transpose of avg_pool2d, which is linear.
template <class T>
void avg_pool2d_grad(Layout layout, const Pool2dSizes& sizes, const T* dy, T* dx);

/// y [N,C,OH,OW] = the maximum over each window of x [N,C,H,W], and offset [N,C,OH,OW] = where it lies: KW u
/// + v for row u and column v of the window, unless offset is null. The first of equal maxima counts; a NaN
/// is greater than any number.
template <class T>
void max_pool2d(Layout layout, const Pool2dSizes& sizes, const T* x, T* y, T* offset);

/// dx [N,C,H,W] = the sum of dy [N,C,OH,OW] over the windows whose maximum, by offset, lies at the element.
template <class T>
void max_pool2d_grad(Layout layout, const Pool2dSizes& sizes, const T* dy, const T* offset, T* dx);

/// y [N,C,OH,OW] = the elements of x [N,C,H,W] at offset: the transpose of max_pool2d_grad.
template <class T>
void max_pool2d_gather(Layout layout, const Pool2dSizes& sizes, const T* x, const T* offset, T* y);

}  // namespace adjoint::kernels
