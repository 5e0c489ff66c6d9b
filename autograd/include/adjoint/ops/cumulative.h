#pragma once
// Running sums, products and their like along an axis: y has x's shape and dtype. All of these throw
// ShapeError when x has no such axis, and DTypeError on boolean.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y[..., k, ...] = x[..., 0, ...] + ... + x[..., k, ...] along axis. int64 wraps around.
Tensor cumsum(const Tensor& x, int axis);
/// y[..., k, ...] = x[..., 0, ...] ... x[..., k, ...] along axis. int64 wraps around. The gradient is right
/// where elements are 0.
Tensor cumprod(const Tensor& x, int axis);
/// y[..., k, ...] = ln(e^x[..., 0, ...] + ... + e^x[..., k, ...]) along axis, without overflow. -infinity
/// where all terms are, with gradient 0 there. Floating dtypes only.
Tensor logcumsumexp(const Tensor& x, int axis);

}  // namespace adjoint
