// The tile kernel: kRows x kVectors accumulators. There is an instance for every number of rows and vectors
// that fits in the registers.
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

/// The accumulators of a tile.
template <int kRows, int kVectors, class T>
struct Sums {
  // The compiler's own constructor would not be compiled for the instruction set, which GCC refuses on
  // aarch64.
  HWY_INLINE Sums() {}  // NOLINT(modernize-use-equals-default)

  Vector<T> at[kRows][kVectors];

  /// Calls body(r, v, lanes): lanes loads and stores vector v of a row. It is `last` for the last vector,
  /// else AllLanes.
  template <class Body>
  static HWY_INLINE void for_vectors_of(const FirstLanes<T>& last, const Body& body) {
    for_block<kRows, kVectors>([&](int r, int v) HWY_ATTR {
      if (v < kVectors - 1) {
        body(r, v, AllLanes<T>());
      } else {
        body(r, v, last);
      }
    });
  }

  HWY_INLINE void clear() {
    for_block<kRows, kVectors>([&](int r, int v) HWY_ATTR { at[r][v] = hn::Zero(Tag<T>()); });
  }

  HWY_INLINE void start(const Tile<T>& tile, const FirstLanes<T>& last) {
    clear();
    if (tile.start == Start::array) {
      for_vectors_of(last, [&](int r, int v, const auto& lanes) HWY_ATTR {
        at[r][v] = lanes.load(tile.start_values + r * tile.start_row + v * tile.c_vector);
      });
    } else if (tile.start == Start::row_values) {
      for_block<kRows, kVectors>([&](int r, int v) HWY_ATTR {
        at[r][v] = hn::Set(Tag<T>(), tile.start_values[r * tile.start_row]);
      });
    }
  }

  /// Adds the products of one column of A, at a, and one row of B, at b.
  HWY_INLINE void add_products(const T* a, std::int64_t a_row, const T* b, std::int64_t b_vector,
                               const FirstLanes<T>& last) {
    const Tag<T> d;
    Vector<T> b_values[kVectors];
    HWY_UNROLL(3)
    for (int v = 0; v < kVectors; ++v) {
      b_values[v] = kTileMasksB && v == kVectors - 1 ? hn::MaskedLoad(last.mask(), d, b + v * b_vector)
                                                     : hn::LoadU(d, b + v * b_vector);
    }
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const auto a_value = hn::Set(d, a[r * a_row]);
      HWY_UNROLL(3)
      for (int v = 0; v < kVectors; ++v) at[r][v] = hn::MulAdd(a_value, b_values[v], at[r][v]);
    }
  }

  HWY_INLINE void add(const Sums& other) {
    for_block<kRows, kVectors>([&](int r, int v) HWY_ATTR { at[r][v] = hn::Add(at[r][v], other.at[r][v]); });
  }

  HWY_INLINE void finish(const Tile<T>& tile, const FirstLanes<T>& last) {
    const std::int64_t c_row = tile.c_row, c_vector = tile.c_vector;
    T* const c = tile.c;
    if (tile.add) {
      for_vectors_of(last, [&](int r, int v, const auto& lanes) HWY_ATTR {
        at[r][v] = hn::Add(at[r][v], lanes.load(c + r * c_row + v * c_vector));
      });
    }
    for_vectors_of(last, [&](int r, int v, const auto& lanes)
                             HWY_ATTR { lanes.store(at[r][v], c + r * c_row + v * c_vector); });
  }
};

template <int kRows, int kVectors, class T>
void run(const Tile<T>& tile) {
  // Multiply-adds take 4 cycles, two at a time: fewer than 8 accumulators would wait for each other.
  constexpr auto may_unroll = [](int by) {
    return by * kRows * kVectors < 16 && fits_registers(by * kRows * kVectors, kVectors + 1);
  };
  constexpr int kUnroll = may_unroll(4) ? 4 : may_unroll(2) ? 2 : 1;
  Sums<kRows, kVectors, T> sums[kUnroll];
  const FirstLanes<T> last(tile.last_count);
  sums[0].start(tile, last);
  HWY_UNROLL(4)
  for (int s = 1; s < kUnroll; ++s) sums[s].clear();

  const std::int64_t a_row = tile.a_row, a_step = tile.a_step, b_step = tile.b_step, b_vector = tile.b_vector;
  for (const Segment *segment = tile.segments, *end = segment + tile.segment_count; segment != end;
       ++segment) {
    const T* a = tile.a + segment->a;
    const T* b = tile.b + segment->b;
    const auto add_products = [&](auto& into) HWY_ATTR {
      into.add_products(a, a_row, b, b_vector, last);
      a += a_step;
      b += b_step;
    };
    std::int64_t k = tile.depth;
    for (; k >= kUnroll; k -= kUnroll) {
      HWY_UNROLL(4)
      for (int s = 0; s < kUnroll; ++s) add_products(sums[s]);
    }
    for (; k > 0; --k) add_products(sums[0]);
  }

  HWY_UNROLL(4)
  for (int s = 1; s < kUnroll; ++s) sums[0].add(sums[s]);
  sums[0].finish(tile, last);
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

/// The tile as a tree of short sums: each half of its products separately, the second half in an array of its
/// own, which is then added to C.
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
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const FirstLanes<T> lanes(v < vectors - 1 ? kVectorSize<T> : tile.last_count);
      T* const to = tile.c + r * tile.c_row + v * tile.c_vector;
      const auto more = hn::Load(Tag<T>(), sums + r * second.c_row + v * kVectorSize<T>);
      lanes.store(hn::Add(lanes.load(to), more), to);
    }
  }
}

}  // namespace

void run_tile(int rows, int vectors, const Tile<float>& tile) { run_short_sums(rows, vectors, tile); }
void run_tile(int rows, int vectors, const Tile<double>& tile) { run_short_sums(rows, vectors, tile); }

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
