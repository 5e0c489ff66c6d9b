#pragma once

#include <vector>

#include "adjoint/optim/optimizer.h"

namespace adjoint {

struct SgdOptions {
  double learning_rate = 0.01;
  double momentum = 0;      ///< In [0, 1).
  double weight_decay = 0;  ///< Not negative.
};

/// Stochastic gradient descent, with p a parameter and dp its gradient:
/// g = dp + weight_decay p;   v = momentum v + g, v = 0 at the start;   p <- p - learning_rate v.
class Sgd final : public Optimizer {
 public:
  /// Throws Error when an option is out of range, and as Optimizer.
  explicit Sgd(std::vector<Tensor> parameters, const SgdOptions& options = {});
  void step() override;

 private:
  SgdOptions options_;
  std::vector<Tensor> velocity_;  // Empty without momentum.
};

}  // namespace adjoint
