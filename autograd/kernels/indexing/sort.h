#pragma once
// Sorting along an axis, and searching in sorted arrays.

#include <cstdint>

namespace adjoint::kernels {

/// An array [outer,size,inner] that is sorted along its middle axis.
struct SortSizes {
  std::int64_t outer, size, inner;
};

/// values[outer,k,inner] and indices[outer,k,inner] = the first k elements along the axis in ascending or
/// descending order, and their positions. NaN is larger than all other numbers, -0 equals 0, and equal
/// elements keep their order. T is float, double, std::int64_t or bool.
template <class T>
void sort(const SortSizes& sizes, bool descending, std::int64_t k, const T* x, T* values,
          std::int64_t* indices);

/// y[r,i] = the number of elements of sorted[r], an ascending array of n numbers, that are smaller than
/// values[r,i], or not larger if `right`. Numbers are ordered as in sort(). If one_for_all, there is one
/// array sorted[n].
template <class T>
void searchsorted(std::int64_t rows, std::int64_t n, std::int64_t count, bool one_for_all, bool right,
                  const T* sorted, const T* values, std::int64_t* y);

}  // namespace adjoint::kernels
