#pragma once
// Softmax and its logarithm along an axis.
//
// Both throw ShapeError when the axis is out of range and DTypeError on int64. The maximum is subtracted
// first, so no finite x overflows. An x of -inf has probability 0.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y_k = e^x_k / sum_j e^x_j, k and j running over axis; y has x's shape.
Tensor softmax(const Tensor& x, int axis = -1);

/// y_k = x_k - ln sum_j e^x_j, k and j running over axis; y has x's shape.
Tensor log_softmax(const Tensor& x, int axis = -1);

}  // namespace adjoint
