#pragma once
// Sums, means and maxima over chosen axes, and the sum that undoes broadcasting.

#include <initializer_list>
#include <span>

#include "autograd/tensor.h"

namespace adjoint {

struct ReduceOptions {
  bool keepdim = false;  ///< Keep the axes reduced over, with size 1.
};

/// y = sum of all elements, shape [].
Tensor sum(const Tensor& x);
/// y = x broadcast-summed to shape: the sum over every axis that broadcasting shape to x's shape repeats. x
/// itself when the shapes are equal. Throws ShapeError unless shape broadcasts to x's.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace adjoint
