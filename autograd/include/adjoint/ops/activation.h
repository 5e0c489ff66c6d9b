#pragma once
// Activation functions, applied to every element. They take float32 and float64, and throw DTypeError on
// int64. If x is a temporary, as in relu(conv2d(x, w)), they compute in its memory, unless the gradient reads
// x.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = tanh(x).   dx = dy (1 - y^2).
Tensor tanh(Tensor x);
/// y = 1 / (1 + e^-x).   dx = dy y (1 - y).
Tensor sigmoid(Tensor x);
/// y = max(x, 0), NaN where x is NaN.   dx = x <= 0 ? 0 : dy, so dy where x is NaN.
Tensor relu(Tensor x);
/// y = ln(1 + e^x).   dx = dy sigmoid(x).
Tensor softplus(Tensor x);

/// y = x s with s = sigmoid(x); also called swish.   dx = dy s (1 + x (1 - s)). Hendrycks, Gimpel: Gaussian
/// error linear units, 2016.
Tensor silu(Tensor x);

struct LeakyReluOptions {
  double slope = 0.01;  ///< The slope where x <= 0.
};
/// y = x > 0 ? x : slope x.   dx = x <= 0 ? slope dy : dy, so dy where x is NaN, as for relu.
Tensor leaky_relu(Tensor x, const LeakyReluOptions& options = {});

}  // namespace adjoint
