#pragma once
// Triangles of matrices, for the rules of factorizations.

#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

/// The lower triangle of x [..., n, n]: y[..., i, j] = j <= i + diagonal ? x[..., i, j] : 0.
Tensor lower_triangle(const Tensor& x, std::int64_t diagonal = 0);
/// The upper triangle: y[..., i, j] = j >= i + diagonal ? x[..., i, j] : 0.
Tensor upper_triangle(const Tensor& x, std::int64_t diagonal = 0);

}  // namespace adjoint::ops
