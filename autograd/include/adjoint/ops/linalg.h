#pragma once
// Products of matrices and vectors, and the fully connected layer as one op.
//
// All ops throw ShapeError when shapes do not fit, and DTypeError unless all arguments are float32 or all are
// float64. Any size may be 0.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct MatmulOptions {
  bool transpose_a = false;  ///< a's matrices are given as their transposes, [..., K, M].
  bool transpose_b = false;  ///< b's matrices are given as their transposes, [..., N, K].
};

/// y = op(a) op(b), where op transposes the last two axes if the options say so; nothing is copied for that.
/// op(a) [..., M, K], op(b) [..., K, N] -> y [..., M, N]. The axes in front, the batch, broadcast as in
/// arithmetic.h. A vector a [K] is a matrix with one row, and a vector b [K] a matrix with one column; y does
/// not have this axis. So [K] times [K] gives [], and [..., M, K] times [K] gives [..., M]. Throws ShapeError
/// unless a and b agree on K and their batches broadcast, and when a vector is to be transposed.
/// d op(a) = dy op(b)^T,   d op(b) = op(a)^T dy, summed over batch axes that were repeated.
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

/// y = sum_k a[k] b[k].   a [K], b [K] -> y [].   da = dy b,   db = dy a.
Tensor dot(const Tensor& a, const Tensor& b);
/// y[i] = sum_k a[i,k] x[k].   a [M,K], x [K] -> y [M].   da = dy x^T,   dx = a^T dy.
Tensor mv(const Tensor& a, const Tensor& x);
/// y[i,j] = a[i] b[j].   a [M], b [N] -> y [M,N].   da = dy b,   db = dy^T a.
Tensor outer(const Tensor& a, const Tensor& b);

/// y = x w^T.   x [..., I], w [O,I] -> y [..., O].   dx = dy w,   dw = dy^T x, summed over the axes in front.
Tensor dense(const Tensor& x, const Tensor& w);
/// y = x w^T + b, b [O] added to each row.   db = the sum of dy over the axes in front.
Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b);

/// y[..., o] = sum_{i,j} x1[..., i] w[o,i,j] x2[..., j] + b[o].   x1 [..., I], x2 [..., J], w [O,I,J], b [O]
/// or undefined -> y [..., O]. The axes in front of x1 and x2 must be equal.
/// dx1[..., i] = sum_{o,j} dy[..., o] w[o,i,j] x2[..., j], and likewise dx2;
/// dw[o,i,j] = dy[..., o] x1[..., i] x2[..., j] summed over the axes in front;   db = the sum of dy over
/// them.
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& w, const Tensor& b = {});

}  // namespace adjoint
