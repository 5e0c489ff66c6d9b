#pragma once
// Rows of an array chosen by a list of indices, and rows added where a list of indices says.

#include <cstddef>
#include <cstdint>

namespace adjoint::kernels {

/// The arrays of both kernels: one [outer,size,inner] whose middle axis is indexed, and one
/// [outer,count,inner] with a position for each of `count` indices, which are in [0, size) or `skip`.
struct RowSizes {
  std::int64_t outer, size, count, inner;
  const std::int64_t* index;
  std::int64_t skip;
};

/// y[o,k,i] = x[o,index[k],i], or 0 where index[k] is skip. `bytes` is the size of an element, as in
/// shape/copy.h.
void take_rows(std::size_t bytes, const RowSizes& sizes, const void* x, void* y);

/// y[o,index[k],i] += x[o,k,i] for all k in order, except where index[k] is skip. T is float, double or
/// std::int64_t, which wraps around.
template <class T>
void add_rows(const RowSizes& sizes, const T* x, T* y);

}  // namespace adjoint::kernels
