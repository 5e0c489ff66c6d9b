#pragma once
// Iteration over an array together with others that are broadcast to its shape.

#include <algorithm>
#include <array>
#include <cstdint>

#include "adjoint/tensor/shape.h"
#include "autograd/kernels/threads/parallel.h"

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

/// Calls body(offsets, y offset, rows, n) for blocks of rows that make up the array of axes. The last axis
/// runs along a row, and the one before it over the rows of a block. Long rows are cut.
template <int Count, class Body>
void for_rows(const BroadcastAxes<Count>& axes, std::int64_t work, const Body& body) {
  constexpr std::int64_t kChunk = 16384;
  const std::int64_t n = axes.rank > 0 ? axes.sizes[0] : 1;
  const std::int64_t rows = axes.rank > 1 ? axes.sizes[1] : 1;
  const std::int64_t blocks = axes.count_from(2);
  if (n * rows * blocks == 0) return;
  if (blocks == 1 && n * rows <= kChunk) return body({}, 0, rows, n);
  const std::int64_t chunk_columns = std::min(n, kChunk),
                     chunk_rows = std::clamp<std::int64_t>(kChunk / n, 1, rows);
  const std::int64_t across = (n + chunk_columns - 1) / chunk_columns,
                     down = (rows + chunk_rows - 1) / chunk_rows;
  parallel_for(blocks * down * across, n * rows * blocks * work, [&](std::int64_t chunk) {
    const std::int64_t column = chunk % across * chunk_columns;
    const std::int64_t row = chunk / across % down * chunk_rows;
    const std::int64_t block = chunk / across / down;
    auto offsets = axes.offsets(2, block);
    for (int k = 0; k < Count; ++k) offsets[k] += column * axes.strides[0][k] + row * axes.strides[1][k];
    body(offsets, (block * rows + row) * n + column, std::min(chunk_rows, rows - row),
         std::min(chunk_columns, n - column));
  });
}

}  // namespace adjoint::kernels
