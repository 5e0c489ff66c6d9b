#pragma once
// Activations and flattening: the ops of the same name as layers, for use in a Sequential.

#include "adjoint/modules/module.h"
#include "adjoint/ops/activation.h"
#include "adjoint/ops/shape.h"

namespace adjoint {

/// y = 1 / (1 + e^-x).
class Sigmoid : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
};

/// y = tanh(x).
class Tanh : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return tanh(x); }
};

/// y = max(x, 0).
class Relu : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return relu(x); }
};

/// y = x > 0 ? x : slope x.
class LeakyRelu : public Layer {
 public:
  explicit LeakyRelu(const LeakyReluOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override { return leaky_relu(x, options_); }

 private:
  LeakyReluOptions options_;
};

/// y = ln(1 + e^x).
class Softplus : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return softplus(x); }
};

/// y = x / (1 + e^-x).
class Silu : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return silu(x); }
};

/// x [N, ...] -> y [N, M] with M the product of the other sizes.
class Flatten : public Layer {
 public:
  explicit Flatten(const FlattenOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override { return flatten(x, options_); }

 private:
  FlattenOptions options_;
};

}  // namespace adjoint
