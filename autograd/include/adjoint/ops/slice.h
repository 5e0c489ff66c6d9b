#pragma once
// Parts of a tensor, and tensors with their elements in other places. All dtypes are allowed; the floating
// ones are differentiable. Negative axes and positions are counted from the end. A gradient is 0 where y has
// no element of x.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// The positions begin, begin + step, ... before end, as Python's begin:end:step. Negative positions are
/// counted from the end, and positions beyond the ends are moved to them. Without begin or end, the slice
/// starts or stops at the end of the axis that comes first or last in the direction of step.
struct Slice {
  std::optional<std::int64_t> begin = {};
  std::optional<std::int64_t> end = {};
  std::int64_t step = 1;  ///< Not 0. With a negative step, the positions go backwards.
};

/// y = x at the positions of a slice along axis: slice(x, 0, {.begin = 2, .end = 4}), or
/// slice(x, -1, {.step = -1}). Throws ShapeError when x has no such axis, and Error when step is 0.
Tensor slice(const Tensor& x, int axis, const Slice& positions);
/// y = x at one position along axis; y does not have this axis. Throws ShapeError when x has no such axis or
/// position.
Tensor select(const Tensor& x, int axis, std::int64_t index);
/// y = x at the positions start to start + length - 1 along axis. Throws ShapeError when x has no such axis
/// or positions.
Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length);

struct DiagonalOptions {
  std::int64_t offset = 0;  ///< Diagonals above the main one have positive numbers.
  int axis0 = 0;
  int axis1 = 1;
};
/// y[..., i] = x at i along axis0 and i + offset along axis1 (i - offset and i, if offset is negative). y has
/// x's other axes, then the diagonal. A diagonal outside of x is empty. Throws ShapeError when x has no such
/// axes, or when they are the same.
Tensor diagonal(const Tensor& x, const DiagonalOptions& options = {});
/// The diagonal of a matrix, or, if x has one axis, the square matrix with x on this diagonal and zeros
/// elsewhere. Throws ShapeError unless x has one or two axes, and when the matrix is too large.
Tensor diag(const Tensor& x, std::int64_t offset = 0);

/// y = x on this diagonal of each matrix [..., M, N] and below it, and 0 above it. Throws ShapeError unless x
/// has at least two axes.
Tensor tril(const Tensor& x, std::int64_t diagonal = 0);
/// y = x on this diagonal of each matrix [..., M, N] and above it, and 0 below it. Throws as tril.
Tensor triu(const Tensor& x, std::int64_t diagonal = 0);

/// y = x with the order of its elements reversed along each of these axes. Throws ShapeError when x has no
/// such axis, or when an axis is given twice.
Tensor flip(const Tensor& x, std::span<const int> axes);
Tensor flip(const Tensor& x, std::initializer_list<int> axes);
Tensor flip(const Tensor& x, int axis);

/// y[(i + shift) mod n] = x[i] along axis: elements that leave at one end enter at the other. Throws
/// ShapeError when x has no such axis.
Tensor roll(const Tensor& x, std::int64_t shift, int axis);
/// The same for several axes, one after the other. Throws ShapeError unless each axis has a shift.
Tensor roll(const Tensor& x, std::span<const std::int64_t> shifts, std::span<const int> axes);
Tensor roll(const Tensor& x, std::initializer_list<std::int64_t> shifts, std::initializer_list<int> axes);
/// The same for all elements in row-major order; y has x's shape.
Tensor roll(const Tensor& x, std::int64_t shift);

}  // namespace adjoint
