#pragma once
// Activations and flattening: the ops of the same name as layers, for use in a Sequential.

#include "adjoint/modules/module.h"
#include "adjoint/ops/activation.h"
#include "adjoint/ops/shape.h"
#include "adjoint/tensor/create.h"

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

/// y = min(max(x, 0), 6).
class Relu6 : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return relu6(x); }
};

struct PreluOptions {
  std::int64_t channels = 1;  ///< 1: one weight for all of x. Otherwise, the size of x's axis 1.
  double init = 0.25;         ///< The first value of the weight.
  DType dtype = DType::float32;
};
/// y = x > 0 ? x : weight x, weight [channels]. The constructor throws ShapeError unless channels > 0.
class Prelu : public Layer {
 public:
  explicit Prelu(const PreluOptions& options = {}) {
    check_shape(options.channels >= 1, "Prelu: channels must be positive, got {}", options.channels);
    weight_ = register_parameter("weight", full({options.channels}, options.init, {.dtype = options.dtype}));
  }
  Tensor forward(const Tensor& x) override { return prelu(x, weight_); }

  Tensor weight() const { return weight_; }

 private:
  Tensor weight_;
};

/// y = x > threshold ? x : value.
class Threshold : public Layer {
 public:
  explicit Threshold(const ThresholdOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) override { return threshold(x, options_); }

 private:
  ThresholdOptions options_;
};

/// y = min(max(x, min), max).
class Hardtanh : public Layer {
 public:
  explicit Hardtanh(const HardtanhOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override { return hardtanh(x, options_); }

 private:
  HardtanhOptions options_;
};

/// y = min(max(x + 3, 0), 6) / 6.
class Hardsigmoid : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return hardsigmoid(x); }
};

/// y = x min(max(x + 3, 0), 6) / 6.
class Hardswish : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return hardswish(x); }
};

/// y = ln(1 + e^(beta x)) / beta.
class Softplus : public Layer {
 public:
  explicit Softplus(const SoftplusOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override { return softplus(x, options_); }

 private:
  SoftplusOptions options_;
};

/// y = x / (1 + |x|).
class Softsign : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return softsign(x); }
};

/// y = ln(1 / (1 + e^-x)).
class LogSigmoid : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return log_sigmoid(x); }
};

/// y = x / (1 + e^-x).
class Silu : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return silu(x); }
};

/// y = x tanh(softplus(x)).
class Mish : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return mish(x); }
};

/// y = x F(x) with the normal distribution F.
class Gelu : public Layer {
 public:
  explicit Gelu(const GeluOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override { return gelu(x, options_); }

 private:
  GeluOptions options_;
};

/// y = x > 0 ? x : alpha (e^x - 1).
class Elu : public Layer {
 public:
  explicit Elu(const EluOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override { return elu(x, options_); }

 private:
  EluOptions options_;
};

/// y = x > 0 ? x : alpha (e^(x / alpha) - 1).
class Celu : public Layer {
 public:
  explicit Celu(const EluOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override { return celu(x, options_); }

 private:
  EluOptions options_;
};

/// y = 1.0507... (x > 0 ? x : 1.6732... (e^x - 1)).
class Selu : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return selu(x); }
};

/// y = a sigmoid(b), a and b being the two halves of x along axis.
class Glu : public Layer {
 public:
  explicit Glu(int axis = -1) : axis_(axis) {}
  Tensor forward(const Tensor& x) override { return glu(x, axis_); }

 private:
  int axis_;
};

/// y_k = e^-x_k / sum_j e^-x_j along axis.
class Softmin : public Layer {
 public:
  explicit Softmin(int axis = -1) : axis_(axis) {}
  Tensor forward(const Tensor& x) override { return softmin(x, axis_); }

 private:
  int axis_;
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
