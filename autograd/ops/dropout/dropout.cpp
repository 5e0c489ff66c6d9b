#include "adjoint/ops/dropout.h"

#include <cmath>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/tensor/sample.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// Checks the arguments. Returns whether y is x.
bool is_identity(const char* op, const Tensor& x, const DropoutOptions& options) {
  ops::check_floating(op, "x", x);
  check(options.p >= 0 && options.p <= 1, "{}: p must be in [0, 1], it is {}", op, options.p);
  return !options.training || options.p == 0;
}

/// x / (1 - p) where a choice of this shape, which is broadcast to x, is to keep it.
Tensor dropped(const Tensor& x, const Shape& choices, double p, Rng& rng) {
  const Tensor kept = where(bernoulli(choices, 1 - p, {.dtype = boolean}, rng), x, 0);
  return p == 1 ? kept : kept * (1 / (1 - p));
}

}  // namespace

Tensor dropout(const Tensor& x, const DropoutOptions& options, Rng& rng) {
  if (is_identity("dropout", x, options)) return pass_through("dropout", x);
  return dropped(x, x.shape(), options.p, rng);
}

Tensor channel_dropout(const Tensor& x, const DropoutOptions& options, Rng& rng) {
  const bool identity = is_identity("channel_dropout", x, options);
  check_shape(x.rank() >= 2, "channel_dropout: x must be [N,C,...], it is {}", x.shape());
  if (identity) return pass_through("channel_dropout", x);
  Shape choices = x.shape();
  for (int i = 2; i < x.rank(); ++i) choices = choices.with(i, 1);
  return dropped(x, choices, options.p, rng);
}

Tensor alpha_dropout(const Tensor& x, const DropoutOptions& options, Rng& rng) {
  if (is_identity("alpha_dropout", x, options)) return pass_through("alpha_dropout", x);
  const double p = options.p;
  if (p == 1) return dropped(x, x.shape(), p, rng);
  constexpr double kLimit = -1.7580993408473766;
  const double a = 1 / std::sqrt((1 - p) * (1 + p * kLimit * kLimit));
  return where(bernoulli(x.shape(), 1 - p, {.dtype = boolean}, rng), x, kLimit) * a - a * p * kLimit;
}

}  // namespace adjoint
