#pragma once
// Sums, means and maxima over chosen axes, and broadcasting with the sum that undoes it.
//
// Axes are counted from 0, or from the end when negative. All of these throw ShapeError when an axis is out
// of range or given twice, and DTypeError unless x is float32 or float64 (broadcast_to takes int64 too).

#include <initializer_list>
#include <span>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct ReduceOptions {
  bool keepdim = false;  ///< Keep the axes reduced over, with size 1.
};

/// y = sum of all elements, shape []; 0 when there are none.
Tensor sum(const Tensor& x);
/// y = sum over these axes, which y's shape lacks, or has with size 1 with keepdim.
Tensor sum(const Tensor& x, std::span<const int> axes, const ReduceOptions& options = {});
Tensor sum(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options = {});

/// y = mean of all elements, shape []; NaN when there are none.
Tensor mean(const Tensor& x);
/// y = mean over these axes; shapes as for sum, NaN where there are no elements.
Tensor mean(const Tensor& x, std::span<const int> axes, const ReduceOptions& options = {});
Tensor mean(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options = {});

/// y = the largest of all elements, shape []; NaN if any element is, and then the gradient is NaN too. The
/// gradient is shared equally among equal maxima. Throws ShapeError when there are no elements.
Tensor max(const Tensor& x);
/// y = maximum over these axes; shapes as for sum. Throws ShapeError when a y has no elements to choose from.
Tensor max(const Tensor& x, std::span<const int> axes, const ReduceOptions& options = {});
Tensor max(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options = {});

/// y[..., k, ...] = x[..., 0, ...] + ... + x[..., k, ...] along axis, x's shape and dtype; int64 too, which
/// wraps around.
Tensor cumsum(const Tensor& x, int axis);

/// y[shape] = x repeated, as arithmetic.h broadcasts; x's own values when the shapes are equal. Throws
/// ShapeError unless x broadcasts to just this shape.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// y = x broadcast-summed to shape: the sum over every axis that broadcasting shape to x's shape repeats. x's
/// own values when the shapes are equal. Throws ShapeError unless shape broadcasts to x's.
Tensor sum_to(Tensor x, const Shape& shape);

}  // namespace adjoint
