#pragma once
// The arguments with which a function is differentiated on its own.

#include "adjoint/tensor/tensor.h"

namespace adjoint::engine {

/// A tensor with x's values that only its receiver can use, so its gradient comes from there alone. If
/// connected, and x requires a gradient, gradients flow on to x.
Tensor as_argument(const Tensor& x, bool connected);

}  // namespace adjoint::engine
