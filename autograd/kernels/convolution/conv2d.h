#pragma once
// Two-dimensional cross-correlation (or true convolution, with flip) and its two gradients, in both layouts.
//
//   y[n,o,i,j] = bias[o] + sum_{c,u,v} x[n, g C + c, i sh + u dh - ph, j sw + v dw - pw] w[o,c,u,v]
//
// with g = o / (O / groups) the group of output channel o, C = in_channels / groups, reads outside x being 0,
// and w[o,c,u,v] replaced by w[o,c,KH-1-u,KW-1-v] when flip is set. It is linear in x and in w; the gradients
// are its two transposes.

#include <cstdint>

#include "adjoint/tensor/layout.h"

namespace adjoint::kernels {

/// Sizes of one convolution, checked by the caller: all positive but batch and padding, which may be 0.
struct Conv2dSizes {
  std::int64_t batch, in_channels, height, width;    // x
  std::int64_t out_channels, out_height, out_width;  // y
  std::int64_t kernel_height, kernel_width;          // w [out_channels, in_channels / groups, KH, KW]
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t padding_height = 0, padding_width = 0;
  std::int64_t dilation_height = 1, dilation_width = 1;
  std::int64_t groups = 1;
  bool flip = false;
};

// T is float or double. Results are overwritten, never read first. x, y, dx, dy are in the given layout; w,
// bias and dw are always row-major.

/// y [N,O,OH,OW] from x [N,C,H,W]; bias [O] or null.
template <class T>
void conv2d(Layout layout, const Conv2dSizes& sizes, const T* x, const T* w, const T* bias, T* y);

/// dx [N,C,H,W] from dy [N,O,OH,OW].
template <class T>
void conv2d_input_grad(Layout layout, const Conv2dSizes& sizes, const T* dy, const T* w, T* dx);

/// dw [O,C/groups,KH,KW] from dy [N,O,OH,OW] and x [N,C,H,W]; zeros when the batch is empty.
template <class T>
void conv2d_weight_grad(Layout layout, const Conv2dSizes& sizes, const T* dy, const T* x, T* dw);

}  // namespace adjoint::kernels
