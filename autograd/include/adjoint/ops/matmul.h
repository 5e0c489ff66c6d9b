#pragma once
// The product of matrices.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct MatmulOptions {
  bool transpose_a = false;  ///< Take a stored as [K,M].
  bool transpose_b = false;  ///< Take b stored as [N,K].
};

/// y = op(a) op(b), where op transposes as options say: op(a) [M,K], op(b) [K,N] -> y [M,N]. Throws
/// ShapeError unless a and b have two axes and agree on K, DTypeError unless they have one floating dtype. d
/// op(a) = dy op(b)^T,   d op(b) = op(a)^T dy.
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

}  // namespace adjoint
