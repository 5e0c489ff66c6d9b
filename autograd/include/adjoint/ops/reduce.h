#pragma once
// Sums, products, maxima and their like over chosen axes, and broadcasting with the sum that is its gradient.
//
// All of these throw ShapeError when an axis is out of range or given twice, and DTypeError when x has a
// dtype that they do not take. Without axes, they reduce over all of them. y has x's shape without these
// axes; with keepdim, they stay, with size 1.

#include "adjoint/ops/axes.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct ReduceOptions {
  bool keepdim = false;  ///< Keep the axes reduced over, with size 1.
};

/// y = sum of x's elements; 0 where there are none. int64 is allowed, and wraps around. For booleans, see
/// count_nonzero.
Tensor sum(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});
/// y = mean of x's elements; NaN where there are none. Floating dtypes only.
Tensor mean(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});
/// y = product of x's elements; 1 where there are none. int64 is allowed, and wraps around. dx is dy times
/// the product of the other elements, also where some are 0.
Tensor prod(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});

/// y = the largest of x's elements (PyTorch's amax). If any of them is NaN, y and the gradient are NaN. Equal
/// maxima share the gradient equally. int64 is allowed. Throws ShapeError when an element of y is the maximum
/// of no elements. For the position of a maximum, see argmax.
Tensor max(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});
/// y = the smallest of x's elements (PyTorch's amin); otherwise as max.
Tensor min(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});

/// y = any of x's elements is not 0; false where there are none. All dtypes; y is boolean.
Tensor any(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});
/// y = no element of x is 0; true where there are none. All dtypes; y is boolean.
Tensor all(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});
/// y = the number of elements that are not 0, int64. All dtypes.
Tensor count_nonzero(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});

/// y = x broadcast to shape, by the rules in arithmetic.h; all dtypes. If the shapes are equal, y has x's own
/// values. Throws ShapeError unless x broadcasts to exactly this shape.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// y = x summed to shape: the sum over every axis that is repeated when shape is broadcast to x's shape. If
/// the shapes are equal, y has x's own values. Floating dtypes only. Throws ShapeError unless shape
/// broadcasts to x's shape.
Tensor sum_to(Tensor x, const Shape& shape);

}  // namespace adjoint
