#pragma once
// Iteration over an array together with others that are broadcast to its shape.

#include <array>
#include <cstdint>

#include "adjoint/tensor/shape.h"

namespace adjoint::kernels {

/// The axes of a row-major array, and the strides of Count more arrays along them: 0 where an array is
/// repeated. Axes of size 1 are left out. Neighboring axes are merged if every array can step through them as
/// one axis.
template <int Count>
struct BroadcastAxes {
  int rank = 0;
  std::int64_t sizes[Shape::kMaxRank] = {};
  std::array<std::int64_t, Count> strides[Shape::kMaxRank] = {};

  /// `parts` broadcast to `whole`.
  BroadcastAxes(const Shape& whole, const std::array<const Shape*, Count>& parts) {
    std::array<std::int64_t, Count> step;
    step.fill(1);
    for (int back = 1; back <= whole.rank(); ++back) {  // From the last axis; stored in this order.
      std::array<std::int64_t, Count> stride{};
      for (int k = 0; k < Count; ++k) {
        const std::int64_t size = back <= parts[k]->rank() ? (*parts[k])[-back] : 1;
        stride[k] = size == 1 ? 0 : step[k];
        step[k] *= size;
      }
      if (whole[-back] != 1) append(whole[-back], stride);
    }
  }

  /// Product of the sizes of all axes from number `first` on, counted from the last axis of the array.
  std::int64_t count_from(int first) const {
    std::int64_t product = 1;
    for (int axis = first; axis < rank; ++axis) product *= sizes[axis];
    return product;
  }

  /// The offset in each of the arrays for the flat index `flat` over the axes from `first` on.
  std::array<std::int64_t, Count> offsets(int first, std::int64_t flat) const {
    std::array<std::int64_t, Count> offset{};
    for (int axis = first; axis < rank; ++axis) {
      const std::int64_t index = flat % sizes[axis];
      flat /= sizes[axis];
      for (int k = 0; k < Count; ++k) offset[k] += index * strides[axis][k];
    }
    return offset;
  }

 private:
  void append(std::int64_t size, const std::array<std::int64_t, Count>& stride) {
    bool merges = rank > 0;
    for (int k = 0; k < Count && merges; ++k) merges = stride[k] == strides[rank - 1][k] * sizes[rank - 1];
    if (merges) {
      sizes[rank - 1] *= size;
    } else {
      sizes[rank] = size;
      strides[rank++] = stride;
    }
  }
};

}  // namespace adjoint::kernels
