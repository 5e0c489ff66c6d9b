#pragma once
// Activation functions, applied to every element. They take float32 and float64, and throw DTypeError on
// int64. If x is a temporary, as in relu(conv2d(x, w)), they compute in its memory, unless the gradient reads
// x. NaN gives NaN. At infinity, they have the values and slopes that they tend to.

#include <limits>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = tanh(x).   dx = dy (1 - y^2).
Tensor tanh(Tensor x);
/// y = 1 / (1 + e^-x).   dx = dy y (1 - y).
Tensor sigmoid(Tensor x);
/// y = ln(sigmoid(x)).   dx = dy sigmoid(-x).
Tensor log_sigmoid(Tensor x);

struct SoftplusOptions {
  double beta = 1;  ///< Positive.
  /// Where beta x is larger, y = x. The formula needs no such limit (PyTorch's default is 20).
  double threshold = std::numeric_limits<double>::infinity();
};
/// y = ln(1 + e^(beta x)) / beta.   dx = dy sigmoid(beta x). Throws Error unless beta > 0.
Tensor softplus(Tensor x, const SoftplusOptions& options = {});
/// y = x / (1 + |x|).   dx = dy / (1 + |x|)^2.
Tensor softsign(Tensor x);

/// y = x s with s = sigmoid(x); also called swish.   dx = dy s (1 + x (1 - s)). Hendrycks, Gimpel: Gaussian
/// error linear units, 2016.
Tensor silu(Tensor x);
/// y = x t with t = tanh(softplus(x)).   dx = dy (t + x (1 - t^2) sigmoid(x)). Misra: Mish, 2019.
Tensor mish(Tensor x);

struct GeluOptions {
  bool tanh =
      false;  ///< y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, within 0.0005 of the exact y.
};
/// y = x F(x) with the normal distribution F(x) = erfc(-x / sqrt(2)) / 2.   dx = dy (F(x) + x F'(x)).
Tensor gelu(Tensor x, const GeluOptions& options = {});

struct EluOptions {
  double alpha = 1;
};
/// y = x > 0 ? x : alpha (e^x - 1).   dx = x > 0 ? dy : dy alpha e^x.
Tensor elu(Tensor x, const EluOptions& options = {});
/// y = x > 0 ? x : alpha (e^(x / alpha) - 1).   dx = x > 0 ? dy : dy e^(x / alpha). Throws Error if alpha is
/// 0.
Tensor celu(Tensor x, const EluOptions& options = {});
/// y = 1.0507... (x > 0 ? x : 1.6732... (e^x - 1)), which keeps mean 0 and variance 1.   dx as for elu.
/// Klambauer et al.: Self-normalizing neural networks, 2017.
Tensor selu(Tensor x);

// Made of straight lines. Where x is NaN, dx is dy.

/// y = max(x, 0), NaN where x is NaN.   dx = x <= 0 ? 0 : dy, so dy where x is NaN.
Tensor relu(Tensor x);
/// y = min(max(x, 0), 6).   dx = 0 < x < 6 ? dy : 0.
Tensor relu6(Tensor x);

struct LeakyReluOptions {
  double slope = 0.01;  ///< The slope where x <= 0.
};
/// y = x > 0 ? x : slope x.   dx = x <= 0 ? slope dy : dy, so dy where x is NaN, as for relu.
Tensor leaky_relu(Tensor x, const LeakyReluOptions& options = {});

/// y = x > 0 ? x : w x; weight has one element, or one for each channel, axis 1 of x.
/// dx = x <= 0 ? w dy : dy;   dw is the sum of dy x over the elements of x <= 0 that it belongs to. Throws
/// ShapeError when weight does not fit and DTypeError when the dtypes differ.
Tensor prelu(const Tensor& x, const Tensor& weight);

struct HardtanhOptions {
  double min = -1, max = 1;
};
/// y = min(max(x, min), max).   dx = min < x < max ? dy : 0, unlike clamp's at a bound. Throws Error when
/// min > max.
Tensor hardtanh(Tensor x, const HardtanhOptions& options = {});
/// y = min(max(x + 3, 0), 6) / 6.   dx = -3 < x < 3 ? dy / 6 : 0.
Tensor hardsigmoid(Tensor x);
/// y = x hardsigmoid(x).   dx = x <= -3 ? 0 : x < 3 ? dy (x / 3 + 1/2) : dy; NaN where x is.
Tensor hardswish(Tensor x);

struct ThresholdOptions {
  double threshold;
  double value;
};
/// y = x > threshold ? x : value, NaN where x is NaN.   dx = x <= threshold ? 0 : dy.
Tensor threshold(Tensor x, const ThresholdOptions& options);

// Along an axis. They throw ShapeError when the axis is out of range.

/// y = a sigmoid(b), a and b being the two halves of x along axis. Throws ShapeError when its size is odd.
/// Dauphin et al.: Language modeling with gated convolutional networks, 2016.
Tensor glu(const Tensor& x, int axis = -1);
/// y_k = e^-x_k / sum_j e^-x_j, k and j running over axis; y has x's shape.
Tensor softmin(const Tensor& x, int axis = -1);

}  // namespace adjoint
