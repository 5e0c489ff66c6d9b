// The pieces that matrix products and row-layout convolutions share, compiled once per instruction set: a
// tile of the result held in registers, and copies that transpose. Included inside Highway's foreach_target.
#if defined(ADJOINT_KERNELS_GEMM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_GEMM_INL_H
#undef ADJOINT_KERNELS_GEMM_INL_H
#else
#define ADJOINT_KERNELS_GEMM_INL_H
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <hwy/highway.h>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;

/// Values in one register.
template <class T>
inline constexpr std::int64_t kVectorSize = static_cast<std::int64_t>(hn::MaxLanes(Tag<T>()));

// 24 or 12 accumulators beside the operands fill 32 or 16 registers. 12 are nearly as quick as 24: for
// float64, and for old processors with fewer still, quick compilation goes first.
template <class T>
inline constexpr int kTileRows = HWY_MAX_BYTES == 64   ? (sizeof(T) == 4 ? 8 : 4)
                                 : HWY_MAX_BYTES == 32 ? 4
                                                       : 2;
inline constexpr int kTileVectors = 3;

/// Whether a masked load never touches what it masks out, so that ragged ends can be read in place.
inline constexpr bool kMaskedLoadsAreSafe = !HWY_MEM_OPS_MIGHT_FAULT;

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

/// Stores the first `count` values of v; writes nothing past p + count.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(hn::Vec<D> v, D d, T* p, std::int64_t count) {
  if constexpr (kMaskedLoadsAreSafe) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
  } else {
    if (count >= kVectorSize<T>) return hn::StoreU(v, d, p);
    HWY_ALIGN T values[kVectorSize<T>];
    hn::Store(v, d, values);
    copy_few(values, count, p);
  }
}

/// What a product is added to: nothing, an array of C's kind, or one value per row.
enum class Start { zero, array, row_values };

/// One tile of C[r, :] = start[r, :] + sum_k a[r, k] b[k, :], its columns cut into vectors. Steps are in
/// elements.
template <class T>
struct Tile {
  const T* a;
  std::int64_t a_row;  // from a[r, k] to a[r + 1, k]
  const T* b;
  std::int64_t b_vector;  // from one vector of b[k, :] to the next
  T* c;
  std::int64_t c_row, c_vector;
  std::int64_t last_count;  // values in the last vector
  Start start = Start::zero;
  const T* start_values = nullptr;
  std::int64_t start_row = 0;  // from start[r, :] to start[r + 1, :]; vectors are c_vector apart
};

/// Where a[r, k] and b[k, :] lie: evenly spaced, a_step and b_step apart.
template <class T>
struct EvenSteps {
  std::int64_t a_step, b_step;
  void advance(const T*& a, const T*& b) {
    a += a_step;
    b += b_step;
  }
};

template <int kRows, int kVectors, class T, class Steps>
void run_tile(const Tile<T>& tile, std::int64_t depth, Steps steps) {
  using V = hn::Vec<Tag<T>>;
  const Tag<T> d;
  // Multiply-adds take 4 cycles, two at a time: fewer than 8 accumulators would wait for each other.
  constexpr int kUnroll = kRows * kVectors >= 8 ? 1 : kRows * kVectors >= 4 ? 2 : 4;
  V sum[kUnroll][kRows][kVectors];
  HWY_UNROLL(4)
  for (int s = 0; s < kUnroll; ++s) HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(3)
  for (int v = 0; v < kVectors; ++v) sum[s][r][v] = hn::Zero(d);

  const std::int64_t last_count = tile.last_count;
  const auto last_mask = hn::FirstN(d, static_cast<std::size_t>(last_count));
  if (tile.start == Start::array) {
    const T* start = tile.start_values;
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r, start += tile.start_row) HWY_UNROLL(3)
    for (int v = 0; v < kVectors; ++v)
      sum[0][r][v] = v < kVectors - 1 ? hn::LoadU(d, start + v * tile.c_vector)
                                      : load_first(d, start + v * tile.c_vector, last_count);
  } else if (tile.start == Start::row_values) {
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) HWY_UNROLL(3)
    for (int v = 0; v < kVectors; ++v) sum[0][r][v] = hn::Set(d, tile.start_values[r * tile.start_row]);
  }

  const T* a = tile.a;
  const T* b = tile.b;
  const std::int64_t a_row = tile.a_row, b_vector = tile.b_vector;
  const auto add_products = [&](V(&into)[kRows][kVectors]) HWY_ATTR {
    V b_values[kVectors];
    HWY_UNROLL(3)
    for (int v = 0; v < kVectors; ++v)
      b_values[v] = kMaskedLoadsAreSafe && v == kVectors - 1 ? hn::MaskedLoad(last_mask, d, b + v * b_vector)
                                                             : hn::LoadU(d, b + v * b_vector);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const V a_value = hn::Set(d, a[r * a_row]);
      HWY_UNROLL(3)
      for (int v = 0; v < kVectors; ++v) into[r][v] = hn::MulAdd(a_value, b_values[v], into[r][v]);
    }
    steps.advance(a, b);
  };
  std::int64_t k = depth;
  for (; k >= kUnroll; k -= kUnroll) HWY_UNROLL(4)
  for (int s = 0; s < kUnroll; ++s) add_products(sum[s]);
  for (; k > 0; --k) add_products(sum[0]);

  T* c = tile.c;
  const std::int64_t c_row = tile.c_row, c_vector = tile.c_vector;
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r, c += c_row) HWY_UNROLL(3)
  for (int v = 0; v < kVectors; ++v) {
    V total = sum[0][r][v];
    HWY_UNROLL(4)
    for (int s = 1; s < kUnroll; ++s) total = hn::Add(total, sum[s][r][v]);
    if (v < kVectors - 1)
      hn::StoreU(total, d, c + v * c_vector);
    else
      store_first(total, d, c + v * c_vector, last_count);
  }
}

template <class T, class Steps>
using TileFunction = void (*)(const Tile<T>&, std::int64_t, Steps);

template <class T, class Steps, std::size_t... kIndex>
constexpr auto tile_functions(std::index_sequence<kIndex...>) {
  return std::array<TileFunction<T, Steps>, sizeof...(kIndex)>{
      run_tile<kIndex / kTileVectors + 1, kIndex % kTileVectors + 1, T, Steps>...};
}

/// run_tile for rows in [1, kTileRows<T>] and vectors in [1, kTileVectors].
template <class T, class Steps>
HWY_INLINE void run_tile(int rows, int vectors, const Tile<T>& tile, std::int64_t depth, Steps steps) {
  static constexpr auto kFunctions =
      tile_functions<T, Steps>(std::make_index_sequence<kTileRows<T> * kTileVectors>());
  kFunctions[static_cast<std::size_t>((rows - 1) * kTileVectors + vectors - 1)](tile, depth, steps);
}

/// [begin, end) of piece `index` when `total` is cut into `pieces` as equal as can be.
struct Piece {
  std::int64_t begin, end;
};
HWY_INLINE Piece piece(std::int64_t total, std::int64_t pieces, std::int64_t index) {
  return {total * index / pieces, total * (index + 1) / pieces};
}
HWY_INLINE std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

#if HWY_TARGET == HWY_SCALAR

template <class T>
inline constexpr std::int64_t kStripColumns = 1;

template <class T>
HWY_INLINE void transpose_strip(const T* from, std::int64_t, std::int64_t, T* to, std::int64_t) {
  *to = *from;
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_sums(D, hn::Vec<D> v0, hn::Vec<D> v1, hn::Vec<D> v2, hn::Vec<D> v3, T* sums) {
  sums[0] = hn::GetLane(v0);
  sums[1] = hn::GetLane(v1);
  sums[2] = hn::GetLane(v2);
  sums[3] = hn::GetLane(v3);
}

#else

/// Columns that transpose_strip takes at a time.
template <class T>
inline constexpr std::int64_t kStripColumns = 16 / sizeof(T);

/// to[c * to_step + r] = from[min(r, last_row) * from_step + c] for r < kVectorSize, c < kStripColumns: reads
/// 16 bytes of each row, writes whole vectors.
template <class T>
HWY_INLINE void transpose_strip(const T* from, std::int64_t from_step, std::int64_t last_row, T* to,
                                std::int64_t to_step) {
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
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, low01, low23)), d, to);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23)), d, to + to_step);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, high01, high23)), d, to + 2 * to_step);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23)), d, to + 3 * to_step);
  } else {
    const auto v0 = gather(0), v1 = gather(1);
    hn::StoreU(hn::InterleaveLower(d, v0, v1), d, to);
    hn::StoreU(hn::InterleaveUpper(d, v0, v1), d, to + to_step);
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

#endif

/// to[c * to_step + r] = from[r * from_step + c] for r < rows, c < columns. Writes whole vectors: rows
/// rounded up to kVectorSize must fit in to_step.
template <class T>
void transpose_padded(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns, T* to,
                      std::int64_t to_step) {
  constexpr std::int64_t kSide = kStripColumns<T>;
  for (std::int64_t r = 0; r < rows; r += kVectorSize<T>) {
    const std::int64_t last_row = std::min(rows - r, kVectorSize<T>) - 1;
    std::int64_t c = 0;
    if (last_row == kVectorSize<T> - 1) {
      for (; c + kSide <= columns; c += kSide)
        transpose_strip(from + r * from_step + c, from_step, kVectorSize<T> - 1, to + c * to_step + r,
                        to_step);
    } else {
      for (; c + kSide <= columns; c += kSide)
        transpose_strip(from + r * from_step + c, from_step, last_row, to + c * to_step + r, to_step);
    }
    for (; c < columns; ++c)
      for (std::int64_t i = 0; i <= last_row; ++i) to[c * to_step + r + i] = from[(r + i) * from_step + c];
  }
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
