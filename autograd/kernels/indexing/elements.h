#pragma once
// Elements of an array chosen, written or added one by one by an array of indices.

#include <cstddef>
#include <cstdint>

#include "adjoint/tensor/shape.h"

namespace adjoint::kernels {

/// Element (i, j, k) of the array of indices stands for element (index[i,j,k], j, k) of an array of shape
/// `whole` if axis is 0, and likewise for other axes. Both have the same number of axes, and shape is nowhere
/// larger than whole, except along axis. The indices are in [0, whole[axis]) or `skip`.
struct IndexedElements {
  Shape whole, shape;
  int axis;
  const std::int64_t* index;
  std::int64_t skip;
};

/// y[shape] = the elements of x[whole], 0 where the index is skip. `bytes` is the size of an element, as in
/// shape/copy.h.
void gather(std::size_t bytes, const IndexedElements& elements, const void* x, void* y);

/// The elements of y[whole] = x[shape], except where the index is skip. If several elements have the same
/// place, the last along the axis stays.
void scatter(std::size_t bytes, const IndexedElements& elements, const void* x, void* y);

/// The elements of y[whole] += x[shape] in the order along the axis, except where the index is skip. T is
/// float, double or std::int64_t, which wraps around.
template <class T>
void scatter_add(const IndexedElements& elements, const T* x, T* y);

/// y[shape] = the indices, but skip for each element whose place a later element along the axis has, too.
void keep_last(const IndexedElements& elements, std::int64_t* y);

}  // namespace adjoint::kernels
