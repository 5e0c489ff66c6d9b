// Losses of single elements that depend on the difference of prediction and target.

#include "adjoint/ops/compare.h"
#include "adjoint/ops/math.h"
#include "autograd/ops/loss/reduction.h"

namespace adjoint {
namespace {

/// |d| < beta ? d^2 / (2 beta) : |d| - beta / 2, for beta > 0.
Tensor smooth_size(const Tensor& d, double beta) {
  const Tensor size = abs(d);
  return where(size < beta, square(d) * (0.5 / beta), size - beta / 2);
}

}  // namespace

Tensor l1_loss(const Tensor& x, const Tensor& target, const LossOptions& options) {
  ops::check_same("l1_loss", "x", x, "target", target);
  return ops::reduce_losses("l1_loss", options.reduction, abs(x - target));
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, const SmoothL1Options& options) {
  ops::check_same("smooth_l1_loss", "x", x, "target", target);
  check(options.beta >= 0, "smooth_l1_loss: beta must not be negative, it is {}", options.beta);
  const Tensor d = x - target;
  return ops::reduce_losses("smooth_l1_loss", options.reduction,
                            options.beta == 0 ? abs(d) : smooth_size(d, options.beta));
}

Tensor huber_loss(const Tensor& x, const Tensor& target, const HuberOptions& options) {
  ops::check_same("huber_loss", "x", x, "target", target);
  check(options.delta > 0, "huber_loss: delta must be positive, it is {}", options.delta);
  return ops::reduce_losses("huber_loss", options.reduction,
                            smooth_size(x - target, options.delta) * options.delta);
}

}  // namespace adjoint
