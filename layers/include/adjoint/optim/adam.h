#pragma once

#include <vector>

#include "adjoint/optim/optimizer.h"

namespace adjoint {

struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9, beta2 = 0.999;  ///< In [0, 1).
  double epsilon = 1e-8;              ///< Positive.
  double weight_decay = 0;            ///< Not negative.
};

/// Kingma, Ba: Adam: a method for stochastic optimization, 2015. In step t = 1, 2, ... of a parameter:
/// g = dp + weight_decay p;   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2;
/// p <- p - learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
class Adam final : public Optimizer {
 public:
  /// Throws Error when an option is out of range, and as Optimizer.
  explicit Adam(std::vector<Tensor> parameters, const AdamOptions& options = {});
  void step() override;

 private:
  AdamOptions options_;
  std::vector<Tensor> m_, v_;
  std::vector<double> steps_;  // Of each parameter; steps without a gradient do not count.
};

}  // namespace adjoint
