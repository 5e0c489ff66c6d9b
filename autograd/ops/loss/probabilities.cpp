// Losses whose prediction is a probability or the parameter of a distribution.

#include <cmath>
#include <limits>
#include <numbers>

#include "adjoint/graph/node.h"
#include "adjoint/ops/activation.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/math.h"
#include "autograd/ops/loss/reduction.h"

namespace adjoint {
namespace {

Tensor at_least(const Tensor& x, double least) { return where(x < least, least, x); }  // NaN stays.

/// ln x, where values below -100 count as -100.
Tensor bounded_log(const Tensor& x) { return at_least(log(x), -100); }

/// Throws unless ok(element) for all elements of x.
template <class Ok>
void check_elements(const char* op, const char* argument, const Tensor& x, const char* rule, Ok ok) {
  visit_floating(x.dtype(), [&]<class T>() {
    const T* values = x.values().row_major<T>();
    for (std::int64_t i = 0; i < x.numel(); ++i)
      check(ok(values[i]), "{}: {} must {}, {}[{}] is {} in row-major order", op, argument, rule, argument, i,
            values[i]);
  });
}

/// -t ln x - (1 - t) ln(1 - x)
Tensor bernoulli_loss(const Tensor& x, const Tensor& t) {
  const NoGrad values_only;
  return -(t * bounded_log(x) + (1 - t) * bounded_log(1 - x));
}

}  // namespace

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const BinaryCrossEntropyOptions& options) {
  const char* op = "binary_cross_entropy";
  ops::check_same(op, "x", x, "target", target);
  check_elements(op, "x", x, "be in [0, 1]", [](auto p) { return !(p < 0 || p > 1); });
  const Tensor losses =
      record(op, bernoulli_loss(x, target).values(), {x, target},
             [x = Saved(x), target = Saved(target)](const Tensor& dy, Needs needs) -> Grads {
               const Tensor &p = x, &t = target;
               return {needs[0] ? dy * (p - t) / at_least(p * (1 - p), 1e-12) : Tensor{},
                       needs[1] ? dy * (bounded_log(1 - p) - bounded_log(p)) : Tensor{}};
             });
  return ops::reduce_losses(op, options.reduction, ops::weighted(op, losses, "weight", options.weight));
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        const BinaryCrossEntropyWithLogitsOptions& options) {
  const char* op = "binary_cross_entropy_with_logits";
  ops::check_same(op, "x", x, "target", target);
  // Both terms are positive: nothing cancels.
  const Tensor positive = ops::weighted(op, target * softplus(-x), "pos_weight", options.pos_weight);
  const Tensor losses = positive + (1 - target) * softplus(x);
  return ops::reduce_losses(op, options.reduction, ops::weighted(op, losses, "weight", options.weight));
}

Tensor kl_div(const Tensor& x, const Tensor& target, const KlDivOptions& options) {
  ops::check_same("kl_div", "x", x, "target", target);
  const double nothing = options.log_target ? -std::numeric_limits<double>::infinity() : 0;
  const Tensor is_zero = target == nothing;
  // Where t is 0, any finite numbers will do: the term is replaced.
  const Tensor safe = where(is_zero, 1, target), log_p = where(is_zero, 0, x);
  const Tensor terms = options.log_target ? exp(safe) * (safe - log_p) : safe * (log(safe) - log_p);
  return ops::reduce_losses("kl_div", options.reduction, where(is_zero, 0, terms));
}

Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, const PoissonNllOptions& options) {
  const char* op = "poisson_nll_loss";
  ops::check_same(op, "x", x, "target", target);
  Tensor losses = options.log_input ? exp(x) - target * x : x - target * log(x + options.eps);
  if (options.full) {
    const Tensor counts = target > 1, t = where(counts, target, 1);
    const Tensor stirling = t * log(t) - t + log(t * (2 * std::numbers::pi)) * 0.5;
    losses = losses + where(counts, stirling, 0);
  }
  return ops::reduce_losses(op, options.reduction, losses);
}

Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& variance,
                         const GaussianNllOptions& options) {
  const char* op = "gaussian_nll_loss";
  ops::check_same(op, "x", x, "target", target);
  ops::check_same_dtype(op, "x", x, "variance", variance);
  check_shape(broadcast_shape(op, x.shape(), variance.shape()) == x.shape(),
              "{}: variance must broadcast to the shape of x {}, it is {}", op, x.shape(), variance.shape());
  check(options.eps > 0, "{}: eps must be positive, it is {}", op, options.eps);
  check_elements(op, "variance", variance, "not be negative", [](auto v) { return !(v < 0); });
  const Tensor constant = variance.detach();
  const Tensor v = where(constant < options.eps, variance - constant + options.eps, variance);
  Tensor losses = (log(v) + square(x - target) / v) * 0.5;
  if (options.full) losses = losses + 0.5 * std::log(2 * std::numbers::pi);
  return ops::reduce_losses(op, options.reduction, losses);
}

}  // namespace adjoint
