#pragma once
// The fully connected layer as one op.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

// Both throw ShapeError when shapes do not fit and DTypeError unless all arguments are float32 or all are
// float64. Any size may be 0.

/// y = x w^T.   x [N,I], w [O,I] -> y [N,O].   dx = dy w,   dw = dy^T x.
Tensor dense(const Tensor& x, const Tensor& w);
/// y = x w^T + b, b [O] added to each row.   db = the sum of dy over N.
Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b);

}  // namespace adjoint
