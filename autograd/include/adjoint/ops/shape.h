#pragma once
// The same elements with another shape, or with their axes in another order. All dtypes are allowed; the
// floating ones are differentiable. Negative axes are counted from the end.

#include <cstdint>
#include <initializer_list>
#include <span>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = x with another shape; y shares x's memory. One size may be -1: it follows from the other sizes and the
/// number of elements of x. Throws ShapeError when the shape does not have as many elements as x, and when
/// the size for -1 does not exist or is not unique.
Tensor reshape(const Tensor& x, std::span<const std::int64_t> shape);
Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> shape);
Tensor reshape(const Tensor& x, const Shape& shape);

struct FlattenOptions {
  int start_axis = 1;  ///< The first merged axis; a negative one is counted from the end.
};
/// y = x with all axes from start_axis on merged into one: [N,C,H,W] -> [N, C H W]. y shares x's memory.
/// Throws ShapeError when x has no such axis.
Tensor flatten(const Tensor& x, const FlattenOptions& options = {});

/// y = x with one axis cut into several: [6,4] with axis 0 and sizes {2,-1} -> [2,3,4]. One size may be -1.
/// y shares x's memory. Throws ShapeError when x has no such axis, and when the sizes do not make up its
/// size.
Tensor unflatten(const Tensor& x, int axis, std::span<const std::int64_t> sizes);
Tensor unflatten(const Tensor& x, int axis, std::initializer_list<std::int64_t> sizes);

/// y = x without its axes of size 1. y shares x's memory.
Tensor squeeze(const Tensor& x);
/// y = x without those of these axes that have size 1; the others stay. Throws ShapeError when x has no such
/// axis, and when an axis is given twice.
Tensor squeeze(const Tensor& x, std::span<const int> axes);
Tensor squeeze(const Tensor& x, std::initializer_list<int> axes);
Tensor squeeze(const Tensor& x, int axis);
/// y = x with one more axis, of size 1, which is axis number `axis` of y. y shares x's memory. Throws
/// ShapeError when y has no such axis.
Tensor unsqueeze(const Tensor& x, int axis);

/// y = x repeated along axes of size 1, and along new axes in front, as broadcast_to does. A size of -1
/// stands for x's own. Throws ShapeError unless x broadcasts to exactly this shape.
Tensor expand(const Tensor& x, std::span<const std::int64_t> sizes);
Tensor expand(const Tensor& x, std::initializer_list<std::int64_t> sizes);

/// y[i_axes[0], i_axes[1], ...] = x[i_0, i_1, ...]: axis k of y is axis axes[k] of x. Throws ShapeError
/// unless axes contains each axis of x exactly once. Negative axes are counted from the end.
Tensor permute(const Tensor& x, std::span<const int> axes);
Tensor permute(const Tensor& x, std::initializer_list<int> axes);
/// y = x with two axes exchanged. Throws ShapeError when x has no such axes.
Tensor transpose(const Tensor& x, int axis0, int axis1);
/// y[j,i] = x[i,j], x [M,N] -> y [N,M]. Throws ShapeError unless x has two axes.
Tensor transpose(const Tensor& x);
/// y = x with axis source[k] moved to place destination[k]; the other axes keep their order. Throws
/// ShapeError when x has no such axes, when one is given twice, and when there are not as many destinations
/// as sources.
Tensor movedim(const Tensor& x, std::span<const int> source, std::span<const int> destination);
Tensor movedim(const Tensor& x, std::initializer_list<int> source, std::initializer_list<int> destination);
Tensor movedim(const Tensor& x, int source, int destination);

}  // namespace adjoint
