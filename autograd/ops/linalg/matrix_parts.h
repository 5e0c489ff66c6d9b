#pragma once
// Triangles and diagonals of the matrices in the last two axes, for rules and for einsum. All dtypes.

#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

/// The lower triangle of x [..., n, n]: y[..., i, j] = j <= i + diagonal ? x[..., i, j] : 0.
Tensor lower_triangle(const Tensor& x, std::int64_t diagonal = 0);
/// The upper triangle: y[..., i, j] = j >= i + diagonal ? x[..., i, j] : 0.
Tensor upper_triangle(const Tensor& x, std::int64_t diagonal = 0);

/// The diagonals of x [..., n, n]: y[..., i] = x[..., i, i].
Tensor diagonal(const Tensor& x);
/// Matrices with these diagonals, otherwise 0: x [..., n] -> y [..., n, n].
Tensor diagonal_matrix(const Tensor& x);

}  // namespace adjoint::ops
