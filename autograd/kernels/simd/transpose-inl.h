// Transposes of matrices in registers. Included once per instruction set (see hwy/foreach_target.h), hence no
// #pragma once.
#if defined(ADJOINT_KERNELS_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_TRANSPOSE_INL_H
#undef ADJOINT_KERNELS_TRANSPOSE_INL_H
#else
#define ADJOINT_KERNELS_TRANSPOSE_INL_H
#endif

#include <algorithm>

#include "autograd/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

/// Elements in a 16-byte part of a vector.
template <class T>
inline constexpr std::int64_t kPartSize = 16 / sizeof(T);

/// A vector whose 16-byte part p is read at row(first + p).
template <class D, class Row>
HWY_INLINE hn::Vec<D> load_parts(D d, const Row& row, std::int64_t first = 0) {
  using T = hn::TFromD<D>;
  if constexpr (hn::MaxLanes(D()) == kPartSize<T>) {
    return hn::LoadU(d, row(first));
  } else {
    const hn::Half<D> half;
    constexpr std::int64_t kHalf = hn::MaxLanes(half) / kPartSize<T>;
    return hn::Combine(d, load_parts(half, row, first + kHalf), load_parts(half, row, first));
  }
}

/// to[c * to_step + r] = row(r)[c] for as many rows r as a vector has lanes and kPartSize<T> columns c.
/// Register k takes its parts from rows k, kPartSize + k, 2 kPartSize + k, ...; the registers are then
/// transposed within their parts.
template <class D, class Row, class T = hn::TFromD<D>>
HWY_INLINE void transpose_strip(D d, const Row& row, T* to, std::int64_t to_step) {
  const auto load = [&](std::int64_t k) HWY_ATTR {
    return load_parts(d, [&](std::int64_t part) HWY_ATTR { return row(part * kPartSize<T> + k); });
  };
  const auto v0 = load(0), v1 = load(1);
  if constexpr (kPartSize<T> == 2) {
    hn::StoreU(hn::InterleaveLower(d, v0, v1), d, to);
    hn::StoreU(hn::InterleaveUpper(d, v0, v1), d, to + to_step);
  } else {
    const auto v2 = load(2), v3 = load(3);
    const hn::Repartition<double, D> pairs;
    const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, v0, v1));
    const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, v2, v3));
    const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, v0, v1));
    const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, v2, v3));
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, to);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, to + to_step);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, to + 2 * to_step);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, to + 3 * to_step);
  }
}

/// transpose_padded if kPad is set, or else transpose_exactly.
template <bool kPad, class T>
HWY_INLINE void transpose_blocks(const T* from, std::int64_t from_step, std::int64_t rows,
                                 std::int64_t columns, T* to, std::int64_t to_step) {
  constexpr std::int64_t kBlockRows = 64;                 // Their cache lines and pages stay at hand.
  constexpr std::int64_t kBlockColumns = 64 / sizeof(T);  // A cache line.
  const std::int64_t strip_columns = columns - columns % kPartSize<T>;
  for (std::int64_t first = 0; first < rows; first += kBlockRows) {
    const std::int64_t end = std::min(first + kBlockRows, rows);
    const std::int64_t strip_end = kPad ? end : end - (end - first) % kPartSize<T>;
    for (std::int64_t c = 0; c < strip_columns; c += kBlockColumns) {
      const std::int64_t c_end = std::min(c + kBlockColumns, strip_columns);
      std::int64_t r = first;
      // row(i) is the number of the row to read as number r + i.
      const auto transpose_rows = [&](auto d, const auto& row) HWY_ATTR {
        const T* const rows_from = from + r * from_step;
        for (std::int64_t j = c; j < c_end; j += kPartSize<T>) {
          transpose_strip(
              d, [&](std::int64_t i) HWY_ATTR { return rows_from + row(i) * from_step + j; },
              to + j * to_step + r, to_step);
        }
        r += static_cast<std::int64_t>(hn::MaxLanes(d));
      };
      const auto next = [](std::int64_t i) { return i; };
      while (r + kVectorSize<T> <= end) transpose_rows(Tag<T>(), next);
      if constexpr (kPad) {
        if (r < end) transpose_rows(Tag<T>(), [&](std::int64_t i) { return std::min(i, end - 1 - r); });
      } else {
        while (r < strip_end) transpose_rows(hn::FixedTag<T, kPartSize<T>>(), next);
      }
    }
    for (std::int64_t r = strip_end; r < end; ++r) {
      for (std::int64_t c = 0; c < strip_columns; ++c) to[c * to_step + r] = from[r * from_step + c];
    }
    for (std::int64_t c = strip_columns; c < columns; ++c) {
      for (std::int64_t r = first; r < end; ++r) to[c * to_step + r] = from[r * from_step + c];
    }
  }
}

/// to[c * to_step + r] = from[r * from_step + c] for r < rows, c < columns, in whole vectors of rows, column
/// by column: rows rounded up to kVectorSize<T> must fit in to_step, or, if rows <= kVectorSize<T>, there
/// must be room for a vector at the last column.
template <class T>
void transpose_padded(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns, T* to,
                      std::int64_t to_step) {
  transpose_blocks<true>(from, from_step, rows, columns, to, to_step);
}

/// The same, writing nothing but the result.
template <class T>
void transpose_exactly(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns, T* to,
                       std::int64_t to_step) {
  transpose_blocks<false>(from, from_step, rows, columns, to, to_step);
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
