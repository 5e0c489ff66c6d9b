// Copies of parts of A and B in the order in which tiles read them. Included once per instruction set (see
// hwy/foreach_target.h), hence no #pragma once.
#if defined(ADJOINT_KERNELS_PACK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_PACK_INL_H
#undef ADJOINT_KERNELS_PACK_INL_H
#else
#define ADJOINT_KERNELS_PACK_INL_H
#endif

#include "autograd/kernels/linalg/gemm.h"
#include "autograd/kernels/linalg/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

/// packed[k, :] = op(B)[depth.begin + k, columns], in rows of `width` values. Values past the columns are
/// unspecified.
template <class T>
void pack_panel(const GemmSizes& sizes, const T* b, Piece depth, Piece columns, T* packed,
                std::int64_t width) {
  if (sizes.transpose_b)
    return transpose_padded(b + columns.begin * sizes.depth + depth.begin, sizes.depth, columns.size(),
                            depth.size(), packed, width);
  for (std::int64_t k = depth.begin; k < depth.end; ++k, packed += width) {
    const T* row = b + k * sizes.columns + columns.begin;
    for_vectors<T>(columns.size(), [&](std::int64_t j, auto lanes)
                                       HWY_ATTR { hn::StoreU(lanes.load(row + j), Tag<T>(), packed + j); });
  }
}

/// The tiles of op(A)[rows, depth] one after the other, each as [depth, rows of the tile]. Writes up to a
/// vector past the end.
template <class T>
void pack_rows(const GemmSizes& sizes, const T* a, Piece rows, Piece depth, T* packed) {
  const std::int64_t tiles = divide_up(rows.size(), kTileRows<T>);
  const auto pack_tiles = [&](auto pack_tile) {
    for (std::int64_t t = 0; t < tiles; ++t) {
      const Piece tile = piece(rows.size(), tiles, t);
      pack_tile(rows.begin + tile.begin, tile.size(), packed + tile.begin * depth.size());
    }
  };
  if (!sizes.transpose_a)
    return pack_tiles([&](std::int64_t row, std::int64_t count, T* to) {
      // The next column overwrites what goes past the end of a tile of one vector.
      const auto transpose = count <= kVectorSize<T> ? transpose_padded<T> : transpose_exactly<T>;
      transpose(a + row * sizes.depth + depth.begin, sizes.depth, count, depth.size(), to, count);
    });
  // Along A's rows, so that every cache line is read once.
  const hn::CappedTag<T, kTileRows<T>> d;
  constexpr std::int64_t kLanesCopied =
      static_cast<std::int64_t>(hn::MaxLanes(hn::CappedTag<T, kTileRows<T>>()));
  for (std::int64_t k = 0; k < depth.size(); ++k)
    pack_tiles([&](std::int64_t row, std::int64_t count, T* to) HWY_ATTR {
      const T* from = a + (depth.begin + k) * sizes.rows + row;
      to += k * count;
      std::int64_t r = 0;
      for (; r + kLanesCopied <= count; r += kLanesCopied) hn::StoreU(hn::LoadU(d, from + r), d, to + r);
      for (; r < count; ++r) to[r] = from[r];
    });
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
