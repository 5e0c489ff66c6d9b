#pragma once
// Layers without parameters: the ops of the same name, to stand in a Sequential.

#include "autograd/ops/activation.h"
#include "autograd/ops/reshape.h"
#include "layers/module.h"

namespace adjoint {

/// y = 1 / (1 + e^-x).
class Sigmoid : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
};

class Tanh : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return tanh(x); }
};

/// y = max(x, 0).
class Relu : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return relu(x); }
};

/// y = x > 0 ? x : negative_slope x.
class LeakyRelu : public Layer {
 public:
  explicit LeakyRelu(double negative_slope = 0.01) : negative_slope_(negative_slope) {}
  Tensor forward(const Tensor& x) override { return leaky_relu(x, negative_slope_); }

 private:
  double negative_slope_;
};

/// y = ln(1 + e^x).
class Softplus : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return softplus(x); }
};

/// x [N, ...] -> y [N, everything else].
class Flatten : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return flatten(x); }
};

}  // namespace adjoint
