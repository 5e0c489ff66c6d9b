#pragma once
// Sorting along an axis, and searching in sorted values. All dtypes are allowed; floating values are
// differentiable: a gradient goes back to the element that a value came from.
//
// NaN is larger than all other numbers, whatever its sign, and -0 equals 0. Equal elements keep their order,
// also if the order is descending; all NaN are equal. Negative axes are counted from the end. All of these
// throw ShapeError when x has no such axis.

#include <cstdint>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// Values, and their positions along the axis in the tensor that they came from, int64. Both have the same
/// shape: `const auto [values, indices] = sort(x);`.
struct ValuesAndIndices {
  Tensor values, indices;
};

struct SortOptions {
  int axis = -1;
  bool descending = false;
};
/// x's elements sorted along an axis.
ValuesAndIndices sort(const Tensor& x, const SortOptions& options = {});
/// The indices of sort().
Tensor argsort(const Tensor& x, const SortOptions& options = {});

struct TopkOptions {
  int axis = -1;
  bool largest = true;  ///< If false, the smallest elements.
};
/// The first k elements of sort() along an axis, descending if the largest are wanted. Of equal elements,
/// those with the smallest indices are taken. Throws ShapeError unless k is in [0, size of the axis].
ValuesAndIndices topk(const Tensor& x, std::int64_t k, const TopkOptions& options = {});

struct SearchsortedOptions {
  bool right = false;
};
/// For each value, the number of elements of its sorted sequence that are smaller, or, with .right, smaller
/// or equal: where it can be inserted so that the order stays. sorted is [n] for values of any shape, or
/// [..., n] for values [..., m] with the same leading sizes; it must be in ascending order, which is not
/// checked. y is int64 and has the shape of values. Throws ShapeError when the shapes do not fit, and
/// DTypeError when the dtypes differ.
Tensor searchsorted(const Tensor& sorted, const Tensor& values, const SearchsortedOptions& options = {});

}  // namespace adjoint
