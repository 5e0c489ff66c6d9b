#pragma once
// Optimisers: rules that change parameters along their gradients.

#include <span>
#include <vector>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// What the rules have in common: the parameters and the learning rate.
///
///     Sgd sgd(net.parameters(), {.learning_rate = 0.1});
///     sgd.zero_grad();  loss.backward();  sgd.step();
class Optimiser {
 public:
  Optimiser(const Optimiser&) = delete;
  Optimiser& operator=(const Optimiser&) = delete;
  virtual ~Optimiser() = default;

  /// Forgets the parameters' gradients.
  void zero_grad();
  /// Updates every parameter that has a gradient; the others stay as they are. Throws std::bad_alloc; nothing
  /// has changed then.
  virtual void step() = 0;

  double learning_rate() const { return learning_rate_; }
  /// Throws Error unless the rate is finite and not negative.
  void set_learning_rate(double learning_rate);

 protected:
  /// Throws Error unless there are parameters and each is a leaf that requires a gradient and comes once.
  Optimiser(const char* name, std::vector<Tensor> parameters, double learning_rate);
  std::span<Tensor> parameters() { return parameters_; }
  /// A zero of every parameter's shape and dtype, for what a rule remembers from step to step.
  std::vector<Tensor> zeros_like_parameters() const;

 private:
  const char* const name_;
  std::vector<Tensor> parameters_;
  double learning_rate_ = 0;
};

struct SgdOptions {
  double learning_rate = 0.01;
  double momentum = 0;      ///< In [0, 1).
  double weight_decay = 0;  ///< Not negative.
};

/// Stochastic gradient descent, with p a parameter and dp its gradient:
/// g = dp + weight_decay p;   v = momentum v + g, v = 0 at the start;   p <- p - learning_rate v.
class Sgd final : public Optimiser {
 public:
  /// Throws Error when an option is out of range, and as Optimiser.
  explicit Sgd(std::vector<Tensor> parameters, const SgdOptions& options = {});
  void step() override;

 private:
  SgdOptions options_;
  std::vector<Tensor> velocity_;  // Empty without momentum.
};

struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9, beta2 = 0.999;  ///< In [0, 1).
  double epsilon = 1e-8;              ///< Positive.
  double weight_decay = 0;            ///< Not negative.
};

/// Kingma, Ba: Adam: a method for stochastic optimization, 2015. In a parameter's step number t = 1, 2, ...
/// g = dp + weight_decay p;   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2;
/// p <- p - learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
class Adam final : public Optimiser {
 public:
  /// Throws Error when an option is out of range, and as Optimiser.
  explicit Adam(std::vector<Tensor> parameters, const AdamOptions& options = {});
  void step() override;

 private:
  AdamOptions options_;
  std::vector<Tensor> m_, v_;
  std::vector<double> steps_;  // Of each parameter, those without a gradient not counted.
};

}  // namespace adjoint
