#pragma once
// Parts of rules that choose between values. A product with a mask would not do: 0 times infinity is NaN.

#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

/// x where keep is not 0, and 0 elsewhere. keep is a constant of x's shape and dtype.
Tensor selected(const Tensor& x, const Tensor& keep);

/// 1 where x is 0, and 0 elsewhere: a constant, to be added to a divisor.
Tensor one_at_zero(const Tensor& x);

}  // namespace adjoint::ops
