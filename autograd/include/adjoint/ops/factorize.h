#pragma once
// Linear systems, inverses, determinants and Cholesky factors of small matrices: up to about a hundred rows.
//
// The matrices are the last two axes of the arguments, and the axes in front of them are a batch. Those of
// two arguments broadcast as in arithmetic.h. Everything can be differentiated any number of times. All ops
// throw ShapeError when shapes do not fit, and DTypeError unless all arguments are float32 or all are
// float64. Any size may be 0.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct SolveOptions {
  bool transpose_a = false;  ///< Solve a^T x = b.
};

/// x = op(a)^-1 b, the solution of op(a) x = b, by an LU factorization with partial pivoting.
/// a [..., n, n], b [..., n, k] -> x [..., n, k]. b holds vectors [..., n], and so does x, if b has one axis
/// or has the shape of a without its last axis. Throws Error, naming the matrix of the batch, when a pivot is
/// exactly 0.
/// db = op(a)^-T dx,   d op(a) = -db x^T, summed over batch axes that were repeated.
Tensor solve(const Tensor& a, const Tensor& b, const SolveOptions& options = {});

struct TriangularSolveOptions {
  bool upper = false;          ///< a is upper triangular, else lower.
  bool transpose_a = false;    ///< Solve a^T x = b.
  bool unit_diagonal = false;  ///< a's diagonal is taken to be 1.
};

/// x = op(a)^-1 b as in solve(), for triangular matrices. The other triangle, and a unit diagonal, are not
/// read and get the gradient 0. Throws Error when an element of the diagonal is 0.
Tensor triangular_solve(const Tensor& a, const Tensor& b, const TriangularSolveOptions& options = {});

/// y = a^-1.   a [..., n, n] -> y [..., n, n].   da = -y^T dy y^T. Throws Error as solve() does.
Tensor inverse(const Tensor& a);

/// The lower triangular l with a = l l^T.   a [..., n, n] symmetric -> l [..., n, n]. Only a's lower triangle
/// is read. Throws Error, naming the matrix of the batch, unless a is positive definite.
/// da = (s + s^T) / 2 for s = l^-T p l^-1, where p is the lower triangle of l^T dl, its diagonal halved: the
/// gradient is symmetric, as in PyTorch, although only one triangle is read. It is right for every function
/// of symmetric matrices.
Tensor cholesky(const Tensor& a);

/// y = the determinant of a.   a [..., n, n] -> y [...]; 1 if n is 0.
/// da = dy times the cofactors of a, which is dy y a^-T if a is not singular, and also right if it is. The
/// gradient's own gradient takes a^-1: it throws Error if a is singular.
Tensor det(const Tensor& a);

struct Slogdet {
  Tensor sign;       ///< -1, 0 or 1; a constant.
  Tensor logabsdet;  ///< log |det a|; -inf if a is singular.
};
/// The sign and the logarithm of the determinant, which does not overflow.   a [..., n, n] -> both [...].
/// da = d(logabsdet) a^-T, which throws Error if a is singular.
Slogdet slogdet(const Tensor& a);

}  // namespace adjoint
