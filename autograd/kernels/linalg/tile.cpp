// The tile kernel: kRows x kVectors accumulators, one for every number of rows and vectors that fit.
#include "autograd/kernels/linalg/tile.h"

#include <array>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/linalg/tile.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/linalg/tile-inl.h"
#include "autograd/kernels/reduce/long_sums.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

template <int kRows, int kVectors, class T>
void run(const Tile<T>& tile) {
  using V = hn::Vec<Tag<T>>;
  const Tag<T> d;
  // Multiply-adds take 4 cycles, two at a time: fewer than 8 accumulators would wait for each other.
  constexpr auto may_unroll = [](int by) {
    return by * kRows * kVectors < 16 && fits_registers(by * kRows * kVectors, kVectors + 1);
  };
  constexpr int kUnroll = may_unroll(4) ? 4 : may_unroll(2) ? 2 : 1;
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

  const std::int64_t a_row = tile.a_row, a_step = tile.a_step, b_step = tile.b_step, b_vector = tile.b_vector;
  for (const Segment *segment = tile.segments, *end = segment + tile.segment_count; segment != end;
       ++segment) {
    const T* a = tile.a + segment->a;
    const T* b = tile.b + segment->b;
    const auto add_products = [&](V(&into)[kRows][kVectors]) HWY_ATTR {
      V b_values[kVectors];
      HWY_UNROLL(3)
      for (int v = 0; v < kVectors; ++v)
        b_values[v] = kTileMasksB && v == kVectors - 1 ? hn::MaskedLoad(last_mask, d, b + v * b_vector)
                                                       : hn::LoadU(d, b + v * b_vector);
      HWY_UNROLL(8)
      for (int r = 0; r < kRows; ++r) {
        const V a_value = hn::Set(d, a[r * a_row]);
        HWY_UNROLL(3)
        for (int v = 0; v < kVectors; ++v) into[r][v] = hn::MulAdd(a_value, b_values[v], into[r][v]);
      }
      a += a_step;
      b += b_step;
    };
    std::int64_t k = tile.depth;
    for (; k >= kUnroll; k -= kUnroll) HWY_UNROLL(4)
    for (int s = 0; s < kUnroll; ++s) add_products(sum[s]);
    for (; k > 0; --k) add_products(sum[0]);
  }

  HWY_UNROLL(4)
  for (int s = 1; s < kUnroll; ++s) HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(3)
  for (int v = 0; v < kVectors; ++v) sum[0][r][v] = hn::Add(sum[0][r][v], sum[s][r][v]);

  T* c = tile.c;
  const std::int64_t c_row = tile.c_row, c_vector = tile.c_vector;
  if (tile.add) {
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) HWY_UNROLL(3)
    for (int v = 0; v < kVectors; ++v) {
      const T* former = c + r * c_row + v * c_vector;
      sum[0][r][v] =
          hn::Add(sum[0][r][v], v < kVectors - 1 ? hn::LoadU(d, former) : load_first(d, former, last_count));
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r, c += c_row) HWY_UNROLL(3)
  for (int v = 0; v < kVectors; ++v) {
    if (v < kVectors - 1)
      hn::StoreU(sum[0][r][v], d, c + v * c_vector);
    else
      store_first(sum[0][r][v], d, c + v * c_vector, last_count);
  }
}

template <class T, std::size_t... kIndex>
constexpr auto functions(std::index_sequence<kIndex...>) {
  return std::array{run<kIndex / kTileVectors + 1, kIndex % kTileVectors + 1, T>...};
}

template <class T>
constexpr auto kFunctions = functions<T>(std::make_index_sequence<kTileRows<T> * kTileVectors>());

std::size_t index(int rows, int vectors) {
  return static_cast<std::size_t>((rows - 1) * kTileVectors + vectors - 1);
}

/// The tile as a tree of short sums: both halves of its products, the second one beside C.
template <class T>
void run_halves(int rows, int vectors, const Tile<T>& tile);

template <class T>
void run_short_sums(int rows, int vectors, const Tile<T>& tile) {
  if (tile.segment_count * tile.depth <= kShortSum)
    kFunctions<T>[index(rows, vectors)](tile);
  else
    run_halves(rows, vectors, tile);
}

template <class T>
void run_halves(int rows, int vectors, const Tile<T>& tile) {
  HWY_ALIGN T sums[kTileRows<T> * kTileVectors * kVectorSize<T>];
  Tile<T> first = tile, second = tile;
  if (tile.segment_count > 1) {
    first.segment_count /= 2;
    second.segments += first.segment_count;
    second.segment_count -= first.segment_count;
  } else {
    first.depth /= 2;
    second.a += first.depth * tile.a_step;
    second.b += first.depth * tile.b_step;
    second.depth -= first.depth;
  }
  second.start = Start::zero;
  second.add = false;
  second.c = sums;
  second.c_vector = kVectorSize<T>;
  second.c_row = kTileVectors * kVectorSize<T>;
  run_short_sums(rows, vectors, first);
  run_short_sums(rows, vectors, second);
  const Tag<T> d;
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) {
      const auto more = hn::Load(d, sums + r * second.c_row + v * kVectorSize<T>);
      T* const to = tile.c + r * tile.c_row + v * tile.c_vector;
      if (v < vectors - 1)
        hn::StoreU(hn::Add(hn::LoadU(d, to), more), d, to);
      else
        store_first(hn::Add(load_first(d, to, tile.last_count), more), d, to, tile.last_count);
    }
}

}  // namespace

void run_tile(int rows, int vectors, const Tile<float>& tile) { run_short_sums(rows, vectors, tile); }
void run_tile(int rows, int vectors, const Tile<double>& tile) { run_short_sums(rows, vectors, tile); }

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
