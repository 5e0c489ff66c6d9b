#pragma once
// The base class of optimizers.

#include <span>
#include <vector>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// A rule that changes parameters along their gradients.
///
///     Sgd sgd(net.parameters(), {.learning_rate = 0.1});
///     sgd.zero_grad();  loss.backward();  sgd.step();
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// Makes the gradients of all parameters undefined.
  void zero_grad();
  /// Updates every parameter that has a gradient; the others stay as they are. If it throws std::bad_alloc,
  /// nothing has changed.
  virtual void step() = 0;

  double learning_rate() const { return learning_rate_; }
  /// Throws Error unless the rate is finite and not negative.
  void set_learning_rate(double learning_rate);

 protected:
  /// Throws Error unless there are parameters and each is a leaf that requires a gradient and appears once.
  Optimizer(const char* name, std::vector<Tensor> parameters, double learning_rate);
  std::span<Tensor> parameters() { return parameters_; }
  /// Zeros with the shape and dtype of each parameter, for the state that a rule keeps between steps.
  std::vector<Tensor> zeros_like_parameters() const;
  /// Throw Error unless value, an option, is finite and not negative, or in [0, 1).
  void check_not_negative(const char* option, double value) const;
  void check_fraction(const char* option, double value) const;
  /// Allocates all that step() will need before it changes anything: memory for the updated parameters, and
  /// their gradients in row-major memory. Gradients that are outer products stay so if the rule takes them.
  void prepare_step(bool takes_outer_product);

 private:
  const char* const name_;
  std::vector<Tensor> parameters_;
  double learning_rate_ = 0;
};

}  // namespace adjoint
