#pragma once
// Two-dimensional convolution of images, and the two products that give its gradients. All three are linear
// in each argument, and the gradients of each one are the other two. So they give derivatives of every order.

#include "adjoint/ops/window.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct Conv2dOptions {
  PerAxis stride = 1;
  PerAxis padding = 0;  ///< Zeros added on each side of the image.
  PerAxis dilation = 1;
  std::int64_t groups = 1;   ///< Number of groups of channels; each group of y reads one group of x.
  bool flip_kernel = false;  ///< True convolution: the rows and columns of w are reversed.
};

// All of these throw ShapeError when shapes do not fit, and Error when an option is out of range. They throw
// DTypeError unless all arguments are float32 or all are float64. The batch may be empty; no other axis may.

/// y[n,o,i,j] = sum_{c,u,v} x[n, g C + c, i sh + u dh - ph, j sw + v dw - pw] w[o,c,u,v]
///
/// x [N, C groups, H, W], w [O, C, KH, KW] -> y [N, O, OH, OW]. g is the group of output channel o. x is 0
/// outside the image. (sh, sw) is the stride, (ph, pw) the padding, (dh, dw) the dilation.
/// OH = floor((H + 2 ph - dh (KH - 1) - 1) / sh) + 1, and OW likewise. With flip_kernel, w[o,c,KH-1-u,KW-1-v]
/// takes the place of w[o,c,u,v].
Tensor conv2d(const Tensor& x, const Tensor& w, const Conv2dOptions& options = {});
/// The same plus b[o], where b is [O].
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2dOptions& options = {});

/// The gradient of sum(dy * conv2d(x, w)) with respect to x: dy [N,O,OH,OW], w -> dx with the shape x_shape,
/// [N, C groups, H, W].
Tensor conv2d_input_grad(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                         const Conv2dOptions& options = {});
/// The gradient of sum(dy * conv2d(x, w)) with respect to w: dy [N,O,OH,OW], x -> dw with the shape w_shape,
/// [O,C,KH,KW].
Tensor conv2d_weight_grad(const Tensor& dy, const Tensor& x, const Shape& w_shape,
                          const Conv2dOptions& options = {});

}  // namespace adjoint
