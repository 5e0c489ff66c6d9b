#pragma once
// Products of matrices, and the fully connected layer as one op.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct MatmulOptions {
  bool transpose_a = false;  ///< a is given as its transpose, [K,M].
  bool transpose_b = false;  ///< b is given as its transpose, [N,K].
};

/// y = op(a) op(b), where op transposes if the options say so: op(a) [M,K], op(b) [K,N] -> y [M,N]. Throws
/// ShapeError unless a and b have two axes and agree on K, and DTypeError unless they have the same floating
/// dtype.
/// d op(a) = dy op(b)^T,   d op(b) = op(a)^T dy.
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

// Both forms of dense throw ShapeError when shapes do not fit and DTypeError unless all arguments are float32
// or all are float64. Any size may be 0.

/// y = x w^T.   x [N,I], w [O,I] -> y [N,O].   dx = dy w,   dw = dy^T x.
Tensor dense(const Tensor& x, const Tensor& w);
/// y = x w^T + b, b [O] added to each row.   db = the sum of dy over N.
Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b);

}  // namespace adjoint
