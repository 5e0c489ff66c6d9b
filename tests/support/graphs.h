#pragma once
// Parts of small graphs.

#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/tensor/create.h"

namespace adjoint::support {

/// A number that requires a gradient.
inline Tensor leaf(double value) { return scalar(value, {.dtype = float64, .requires_grad = true}); }

/// y = x with a rule of the test's choice.
template <class Rule>
Tensor identity(const Tensor& x, Rule rule) {
  return record("identity", x.values(), {x}, std::move(rule));
}

}  // namespace adjoint::support
