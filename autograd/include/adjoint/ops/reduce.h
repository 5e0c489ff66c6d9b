#pragma once
// Sums, means and maxima over chosen axes, cumulative sums, and broadcasting with the sum that is its
// gradient.
//
// Axes are counted from 0, or from the end when negative. All of these throw ShapeError when an axis is out
// of range or given twice. They throw DTypeError unless x is float32 or float64; broadcast_to and cumsum take
// int64, too.

#include <initializer_list>
#include <span>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct ReduceOptions {
  bool keepdim = false;  ///< Keep the axes reduced over, with size 1.
};

/// y = sum of all elements, shape []; 0 when there are none.
Tensor sum(const Tensor& x);
/// y = sum over these axes. y has x's shape without these axes. With keepdim, they stay, with size 1.
Tensor sum(const Tensor& x, std::span<const int> axes, const ReduceOptions& options = {});
Tensor sum(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options = {});

/// y = mean of all elements, shape []; NaN when there are none.
Tensor mean(const Tensor& x);
/// y = mean over these axes; shapes as for sum, NaN where there are no elements.
Tensor mean(const Tensor& x, std::span<const int> axes, const ReduceOptions& options = {});
Tensor mean(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options = {});

/// y = the largest of all elements, shape []. If any element is NaN, y and the gradient are NaN. Equal maxima
/// share the gradient equally. Throws ShapeError when there are no elements.
Tensor max(const Tensor& x);
/// y = maximum over these axes; shapes as for sum. Throws ShapeError when an element of y is the maximum of
/// no elements.
Tensor max(const Tensor& x, std::span<const int> axes, const ReduceOptions& options = {});
Tensor max(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options = {});

/// y[..., k, ...] = x[..., 0, ...] + ... + x[..., k, ...] along axis. y has x's shape and dtype. int64 is
/// allowed, and wraps around.
Tensor cumsum(const Tensor& x, int axis);

/// y = x broadcast to shape, by the rules in arithmetic.h. If the shapes are equal, y has x's own values.
/// Throws ShapeError unless x broadcasts to exactly this shape.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// y = x summed to shape: the sum over every axis that is repeated when shape is broadcast to x's shape. If
/// the shapes are equal, y has x's own values. Throws ShapeError unless shape broadcasts to x's shape.
Tensor sum_to(Tensor x, const Shape& shape);

}  // namespace adjoint
