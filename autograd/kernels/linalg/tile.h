#pragma once
// A tile of a matrix product that fits in registers. Matrix products, dense layers and row-major convolutions
// are made of such tiles.

#include <cstdint>

#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {

/// What a product is added to: nothing, an array like C, or one value for each row.
enum class Start { zero, array, row_values };

/// Where a run of products begins, relative to a tile's a and b.
struct Segment {
  std::int64_t a, b;
};

/// One tile of C[r, :] = start[r, :] + sum_{s,k} A_s[r, k] B_s[k, :], its columns cut into vectors, with
///   A_s[r, k] = a[segments[s].a + r a_row + k a_step]
///   B_s[k, :] = vectors at b[segments[s].b + k b_step], b_vector apart.
/// More than kShortSum products are added up as a tree. Every size is in elements. T is float or double.
template <class T>
struct Tile {
  const T* a;
  std::int64_t a_row, a_step;
  const T* b;
  std::int64_t b_step, b_vector;
  const Segment* segments;
  std::int64_t segment_count;
  std::int64_t depth;  // products in a segment
  T* c;
  std::int64_t c_row, c_vector;
  std::int64_t last_count;  // values in the last vector
  Start start = Start::zero;
  const T* start_values = nullptr;
  std::int64_t start_row = 0;  // from start[r, :] to start[r + 1, :]; vectors are c_vector apart
  bool add = false;            // whether the finished sum is added to C
};

/// The only segment of a plain product.
inline constexpr Segment kOneSegment{0, 0};

}  // namespace adjoint::kernels
