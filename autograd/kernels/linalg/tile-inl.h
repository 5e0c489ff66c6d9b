// The pieces that matrix products and row-layout convolutions share, compiled once per instruction set: a
// tile of the result held in registers, and copies that transpose. Included inside Highway's foreach_target.
#if defined(ADJOINT_KERNELS_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_TILE_INL_H
#undef ADJOINT_KERNELS_TILE_INL_H
#else
#define ADJOINT_KERNELS_TILE_INL_H
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <hwy/highway.h>
#include <utility>

#include "autograd/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;

/// Values in one register.
template <class T>
inline constexpr std::int64_t kVectorSize = static_cast<std::int64_t>(hn::MaxLanes(Tag<T>()));

inline constexpr int kTileVectors = 3;

/// The largest number of rows, at most `most`, such that all their sums, sums_of_row for each row, stay in
/// registers beside the vectors that are read at a time.
constexpr int most_rows(int most, int sums_of_row, int vectors) {
  while (!fits_registers(most * sums_of_row, vectors)) --most;
  return most;
}

// 12 sums are nearly as quick as 24: for float64 quick compilation goes first.
template <class T>
inline constexpr int kTileRows = most_rows(sizeof(T) == 4 ? 8 : 4, kTileVectors, kTileVectors + 1);

/// Whether a masked load never touches what it masks out, so that ragged ends can be read in place. On AVX2
/// Highway promises it only for float and double.
inline constexpr bool kMaskedLoadsAreSafe = HWY_TARGET <= HWY_AVX2 || !HWY_MEM_OPS_MIGHT_FAULT;

/// Whether a tile masks its last vector of B; else it reads a whole one. With few registers there is none
/// left for the mask.
inline constexpr bool kTileMasksB = kMaskedLoadsAreSafe && kRegisters == 32;

template <class T>
HWY_NOINLINE void copy_few(const T* from, std::int64_t count, T* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}

/// The first `count` values of a vector, the others 0; reads nothing past p + count.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* p, std::int64_t count) {
  if constexpr (kMaskedLoadsAreSafe) {
    return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
  } else {
    if (count >= kVectorSize<T>) return hn::LoadU(d, p);
    HWY_ALIGN T values[kVectorSize<T>] = {};
    copy_few(p, count, values);
    return hn::Load(d, values);
  }
}

/// Stores the first `count` values of v; writes nothing past p + count. AVX2 has masked stores, but AMD's are
/// slow.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(hn::Vec<D> v, D d, T* p, std::int64_t count) {
  if constexpr (!HWY_MEM_OPS_MIGHT_FAULT) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
  } else {
    if (count >= kVectorSize<T>) return hn::StoreU(v, d, p);
    HWY_ALIGN T values[kVectorSize<T>];
    hn::Store(v, d, values);
    copy_few(values, count, p);
  }
}

/// Computes a tile of rows in [1, kTileRows<T>] and vectors in [1, kTileVectors]. Compiled in tile.cpp.
void run_tile(int rows, int vectors, const Tile<float>& tile);
void run_tile(int rows, int vectors, const Tile<double>& tile);

/// Columns that transpose_strip takes at a time.
template <class T>
inline constexpr std::int64_t kStripColumns = 16 / sizeof(T);

/// to[c * to_step + r] = from[min(r, last_row) * from_step + c] for r < kVectorSize, c < kStripColumns: reads
/// 16 bytes of each row, calls store(vector, to) for each column.
template <class T, class Store>
HWY_INLINE void transpose_strip(const T* from, std::int64_t from_step, std::int64_t last_row, T* to,
                                std::int64_t to_step, const Store& store) {
  const Tag<T> d;
  const hn::FixedTag<T, 16 / sizeof(T)> part;
  constexpr int kParts = HWY_MAX_BYTES / 16;
  constexpr int kSide = 16 / sizeof(T);
  // Row r of a quarter of every 16-byte part: rows r, kSide + r, 2 kSide + r, ...
  const auto gather = [&](int r) HWY_ATTR {
    const auto load = [&](int p) HWY_ATTR {
      return hn::LoadU(part, from + std::min<std::int64_t>(p * kSide + r, last_row) * from_step);
    };
    if constexpr (kParts == 1) {
      return load(0);
    } else if constexpr (kParts == 2) {
      return hn::Combine(d, load(1), load(0));
    } else {
      const hn::Half<Tag<T>> half;
      return hn::Combine(d, hn::Combine(half, load(3), load(2)), hn::Combine(half, load(1), load(0)));
    }
  };
  if constexpr (kSide == 4) {
    const hn::Repartition<double, Tag<T>> wide;
    const auto v0 = gather(0), v1 = gather(1), v2 = gather(2), v3 = gather(3);
    const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, v0, v1));
    const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, v2, v3));
    const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, v0, v1));
    const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, v2, v3));
    store(hn::BitCast(d, hn::InterleaveLower(wide, low01, low23)), to);
    store(hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23)), to + to_step);
    store(hn::BitCast(d, hn::InterleaveLower(wide, high01, high23)), to + 2 * to_step);
    store(hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23)), to + 3 * to_step);
  } else {
    const auto v0 = gather(0), v1 = gather(1);
    store(hn::InterleaveLower(d, v0, v1), to);
    store(hn::InterleaveUpper(d, v0, v1), to + to_step);
  }
}

/// Sum of the 16-byte blocks of a vector.
template <class D, class V = hn::Vec<D>>
HWY_INLINE auto sum_blocks(D d, V v) {
  if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) == 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return sum_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// Sums of the lanes of four vectors, stored one after the other.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_sums(D d, hn::Vec<D> v0, hn::Vec<D> v1, hn::Vec<D> v2, hn::Vec<D> v3, T* sums) {
  if constexpr (sizeof(T) == 4) {
    const hn::Repartition<double, D> wide;
    const auto s01 =
        hn::BitCast(wide, hn::Add(hn::InterleaveLower(d, v0, v1), hn::InterleaveUpper(d, v0, v1)));
    const auto s23 =
        hn::BitCast(wide, hn::Add(hn::InterleaveLower(d, v2, v3), hn::InterleaveUpper(d, v2, v3)));
    const auto blocks = hn::Add(hn::BitCast(d, hn::InterleaveLower(wide, s01, s23)),
                                hn::BitCast(d, hn::InterleaveUpper(wide, s01, s23)));
    hn::StoreU(sum_blocks(d, blocks), hn::FixedTag<T, 4>(), sums);
  } else {
    const hn::FixedTag<T, 2> block;
    hn::StoreU(sum_blocks(d, hn::Add(hn::InterleaveLower(d, v0, v1), hn::InterleaveUpper(d, v0, v1))), block,
               sums);
    hn::StoreU(sum_blocks(d, hn::Add(hn::InterleaveLower(d, v2, v3), hn::InterleaveUpper(d, v2, v3))), block,
               sums + 2);
  }
}

/// to[c * to_step + r] = from[r * from_step + c] for r < rows, c < columns; where rows are no whole vectors,
/// the last ones go to store_rest(vector, to, how many count).
template <class T, class StoreRest>
HWY_INLINE void transpose(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns,
                          T* to, std::int64_t to_step, const StoreRest& store_rest) {
  constexpr std::int64_t kSide = kStripColumns<T>;
  const auto whole = [](auto v, T* at) HWY_ATTR { hn::StoreU(v, Tag<T>(), at); };
  for (std::int64_t r = 0; r < rows; r += kVectorSize<T>) {
    const std::int64_t count = std::min(rows - r, kVectorSize<T>);
    const auto rest = [&](auto v, T* at) HWY_ATTR { store_rest(v, at, count); };
    const T* strip = from + r * from_step;
    std::int64_t c = 0;
    if (count == kVectorSize<T>) {
      for (; c + kSide <= columns; c += kSide)
        transpose_strip(strip + c, from_step, kVectorSize<T> - 1, to + c * to_step + r, to_step, whole);
    } else {
      for (; c + kSide <= columns; c += kSide)
        transpose_strip(strip + c, from_step, count - 1, to + c * to_step + r, to_step, rest);
    }
    for (; c < columns; ++c)
      for (std::int64_t i = 0; i < count; ++i) to[c * to_step + r + i] = strip[i * from_step + c];
  }
}

/// The same in whole vectors, c by c: rows rounded up to kVectorSize must fit in to_step; or, where rows <=
/// kVectorSize, a vector past the end is enough.
template <class T>
void transpose_padded(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns, T* to,
                      std::int64_t to_step) {
  transpose(from, from_step, rows, columns, to, to_step,
            [](auto v, T* at, std::int64_t) HWY_ATTR { hn::StoreU(v, Tag<T>(), at); });
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
