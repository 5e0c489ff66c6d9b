#include "autograd/kernels/convolution/row_major/kernels.h"

#include <algorithm>
#include <array>

#include "autograd/kernels/convolution/row_major/along_positions.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/convolution/row_major/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/convolution/row_major/im2col-inl.h"
#include "autograd/kernels/linalg/tile-inl.h"
#include "autograd/kernels/simd/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

// Four taps are summed together. kCorrelateRows x 4 sums fit the registers, with the values of the taps and
// one of dy.
constexpr int kCorrelateTaps = 4;
constexpr int kCorrelateRows = most_rows(6, kCorrelateTaps, kCorrelateTaps + 1);
// Registers of positions that are added up before their lanes are.
constexpr std::int64_t kCorrelateVectors = 256;
// Rows of a tile of an indexed product.
constexpr int kIndexedRows = most_rows(8, 3, 3 + 1);

template <class T>
void convolve(const ImageConvolution& c, const WeightSteps& steps, const Segment* segments, const T* copies,
              const T* w, const T* start, Piece out_channels, T* out) {
  const TapOrder order = tap_order(c);
  const std::int64_t copy_size = c.copy_size();
  Tile<T> tile{};
  tile.a_row = steps.out_channel;
  tile.a_step = order.channels_inside ? steps.in_channel : steps.tap_column;
  tile.b_step = order.channels_inside ? c.columns.taps * copy_size : copy_size;
  tile.b_vector = tile.c_vector = kVectorSize<T>;
  tile.segments = segments;
  tile.segment_count = order.segment_count;
  tile.depth = order.depth;
  tile.c_row = c.out_stride;
  tile.start = start == nullptr ? Start::zero : Start::row_values;
  tile.start_row = 1;
  const std::int64_t channel_tiles = divide_up(out_channels.size(), kTileRows<T>);
  const std::int64_t vectors = divide_up(c.positions(), kVectorSize<T>);
  const std::int64_t panels = divide_up(vectors, kTileVectors);
  for (std::int64_t p = 0; p < panels; ++p) {
    const Piece panel = piece(vectors, panels, p);
    const std::int64_t position = panel.begin * kVectorSize<T>;
    tile.b = copies + position;
    tile.last_count =
        std::min(kVectorSize<T>, c.positions() - position - (panel.size() - 1) * kVectorSize<T>);
    for (std::int64_t t = 0; t < channel_tiles; ++t) {
      const Piece channels = piece(out_channels.size(), channel_tiles, t);
      const std::int64_t channel = out_channels.begin + channels.begin;
      tile.a = w + channel * steps.out_channel;
      tile.c = out + channel * tile.c_row + position;
      tile.start_values = start == nullptr ? nullptr : start + channel;
      run_tile(static_cast<int>(channels.size()), static_cast<int>(panel.size()), tile);
    }
  }
}

/// sums[r * sums_row + k] = sum of dy[r, p] copies[begins[k] + p] over images and positions p, for kRows
/// rows, dy_row apart, and the first kTaps of kCorrelateTaps taps; unspecified for the others.
template <int kRows, int kTaps, class T>
void correlate_tile(const CopiedImages<T>& images, std::int64_t positions, std::int64_t dy_row,
                    const std::int64_t (&begins)[kCorrelateTaps], T* sums, std::int64_t sums_row) {
  using V = hn::Vec<Tag<T>>;
  const Tag<T> d;
  V sum[kRows][kCorrelateTaps];
  HWY_UNROLL(6)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (int k = 0; k < kCorrelateTaps; ++k) sum[r][k] = hn::Zero(d);
  }
  for (std::int64_t n = 0; n < images.count; ++n) {
    const T *dy = images.dy + n * images.dy_image, *values[kTaps];
    for (int k = 0; k < kTaps; ++k) values[k] = images.copies + n * images.copies_image + begins[k];
    const auto add_products = [&](std::int64_t p, auto load) HWY_ATTR {
      V tap_values[kTaps];
      HWY_UNROLL(4)
      for (int k = 0; k < kTaps; ++k) tap_values[k] = load(values[k] + p);
      HWY_UNROLL(6)
      for (int r = 0; r < kRows; ++r) {
        const V dy_values = load(dy + r * dy_row + p);
        HWY_UNROLL(4)
        for (int k = 0; k < kTaps; ++k) sum[r][k] = hn::MulAdd(dy_values, tap_values[k], sum[r][k]);
      }
    };
    std::int64_t p = 0;
    for (; p + kVectorSize<T> <= positions; p += kVectorSize<T>)
      add_products(p, [&](const T* from) HWY_ATTR { return hn::LoadU(d, from); });
    if (p < positions)
      add_products(p, [&](const T* from) HWY_ATTR { return load_first(d, from, positions - p); });
  }
  HWY_UNROLL(6)
  for (int r = 0; r < kRows; ++r)
    store_sums(d, sum[r][0], sum[r][1], sum[r][2], sum[r][3], sums + r * sums_row);
}

/// kRows rows of dw, dw_row apart, at all taps.
template <int kRows, class T>
void correlate_rows(const CopiedImages<T>& images, std::int64_t positions, std::int64_t dy_row,
                    const std::int64_t* tap_begins, std::int64_t taps, bool accumulate, T* dw,
                    std::int64_t dw_row) {
  for (std::int64_t tap = 0; tap < taps; tap += kCorrelateTaps) {
    std::int64_t begins[kCorrelateTaps];
    for (int k = 0; k < kCorrelateTaps; ++k) begins[k] = tap_begins[std::min(tap + k, taps - 1)];
    const std::int64_t count = std::min<std::int64_t>(taps - tap, kCorrelateTaps);
    if (count == kCorrelateTaps && !accumulate) {
      correlate_tile<kRows, kCorrelateTaps>(images, positions, dy_row, begins, dw + tap, dw_row);
      continue;
    }
    HWY_ALIGN T sums[kRows * kCorrelateTaps];
    // Square kernels of an odd size have one tap left over.
    const auto tile = count == 1 ? correlate_tile<kRows, 1, T> : correlate_tile<kRows, kCorrelateTaps, T>;
    tile(images, positions, dy_row, begins, sums, kCorrelateTaps);
    for (int r = 0; r < kRows; ++r)
      for (std::int64_t k = 0; k < count; ++k) {
        T& to = dw[r * dw_row + tap + k];
        to = accumulate ? to + sums[r * kCorrelateTaps + k] : sums[r * kCorrelateTaps + k];
      }
  }
}

template <class T, std::size_t... kIndex>
constexpr auto correlate_functions(std::index_sequence<kIndex...>) {
  return std::array{correlate_rows<kIndex + 1, T>...};
}

template <class T>
void correlate(const ImageConvolution& c, const CopiedImages<T>& images, const std::int64_t* tap_begins,
               std::int64_t taps, bool accumulate, T* dw) {
  static constexpr auto kFunctions = correlate_functions<T>(std::make_index_sequence<kCorrelateRows>());
  const std::int64_t tiles = divide_up(c.out_channels, kCorrelateRows),
                     bands = divide_up(c.positions(), kCorrelateVectors * kVectorSize<T>);
  for (std::int64_t band = 0; band < bands; ++band) {
    const Piece positions = piece(c.positions(), bands, band);
    for (std::int64_t t = 0; t < tiles; ++t) {
      const Piece channels = piece(c.out_channels, tiles, t);
      CopiedImages<T> part = images;
      part.dy += channels.begin * c.out_stride + positions.begin;
      part.copies += positions.begin;
      kFunctions[static_cast<std::size_t>(channels.size() - 1)](part, positions.size(), c.out_stride,
                                                                tap_begins, taps, accumulate || band > 0,
                                                                dw + channels.begin * c.taps(), c.taps());
    }
  }
}

/// kRows rows, from `row` on, and all columns, kVectors registers, over a piece of the depth.
template <int kRows, int kVectors, class T>
void indexed_tile(const IndexedProduct<T>& product, std::int64_t row, Piece depth) {
  using V = hn::Vec<Tag<T>>;
  constexpr std::int64_t kColumns = kVectors * kVectorSize<T>;
  const Tag<T> d;
  T* c = product.c + row * kColumns;
  const bool start = depth.begin == 0 && product.start != nullptr;
  const bool add = depth.begin > 0 || product.add;
  const T* a[kRows];
  V sum[kRows][kVectors];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    a[r] = product.a + product.begins[row + r];
    HWY_UNROLL(3)
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] = start ? hn::LoadU(d, product.start + v * kVectorSize<T>) : hn::Zero(d);
  }
  const T* b = product.b + depth.begin * kColumns;
  for (std::int64_t k = depth.begin; k < depth.end; ++k) {
    const std::int64_t offset = product.offsets[k];
    V b_values[kVectors];
    HWY_UNROLL(3)
    for (int v = 0; v < kVectors; ++v) b_values[v] = hn::LoadU(d, b + v * kVectorSize<T>);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) {
      const V value = hn::Set(d, a[r][offset]);
      HWY_UNROLL(3)
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(value, b_values[v], sum[r][v]);
    }
    b += kColumns;
  }
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(3)
    for (int v = 0; v < kVectors; ++v) {
      T* const to = c + r * kColumns + v * kVectorSize<T>;
      hn::StoreU(add ? hn::Add(sum[r][v], hn::LoadU(d, to)) : sum[r][v], d, to);
    }
  }
}

template <int kVectors, class T, std::size_t... kIndex>
constexpr auto indexed_tiles(std::index_sequence<kIndex...>) {
  return std::array{indexed_tile<kIndex + 1, kVectors, T>...};
}

template <int kVectors, class T>
void indexed_product(const IndexedProduct<T>& product);

/// Two halves of the depth, the second one beside c.
template <int kVectors, class T>
void indexed_product_in_halves(const IndexedProduct<T>& product) {
  constexpr std::int64_t kColumns = kVectors * kVectorSize<T>;
  const Scratch<T> sums(product.rows * kColumns);
  IndexedProduct<T> first = product, second = product;
  first.depth /= 2;
  second.offsets += first.depth;
  second.b += first.depth * kColumns;
  second.depth -= first.depth;
  second.start = nullptr;
  second.add = false;
  second.c = sums.get();
  indexed_product<kVectors>(first);
  indexed_product<kVectors>(second);
  add_to(product.rows * kColumns, sums.get(), product.c);
}

template <int kVectors, class T>
void indexed_product(const IndexedProduct<T>& product) {
  if (product.depth > kSumOfShortSums) return indexed_product_in_halves<kVectors>(product);
  static constexpr auto kTiles = indexed_tiles<kVectors, T>(std::make_index_sequence<kIndexedRows>());
  // So much of b stays in the first-level cache, and is no more than a short sum.
  constexpr std::int64_t kDepth =
      std::min<std::int64_t>(16384 / (kVectors * kVectorSize<T> * static_cast<std::int64_t>(sizeof(T))), 512);
  const std::int64_t bands = divide_up(product.depth, kDepth), tiles = divide_up(product.rows, kIndexedRows);
  for (std::int64_t band = 0; band < bands; ++band)
    for (std::int64_t t = 0; t < tiles; ++t) {
      const Piece rows = piece(product.rows, tiles, t);
      kTiles[static_cast<std::size_t>(rows.size() - 1)](product, rows.begin,
                                                        piece(product.depth, bands, band));
    }
}

template <class T>
void indexed_product(const IndexedProduct<T>& product, std::int64_t vectors) {
  vectors == 1   ? indexed_product<1>(product)
  : vectors == 2 ? indexed_product<2>(product)
                 : indexed_product<3>(product);
}

template <class T>
void run_tall_tile(std::int64_t rows, std::int64_t vectors, Tile<T> tile) {
  const std::int64_t tiles = divide_up(rows, kTileRows<T>);
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t count = piece(rows, tiles, t).size();
    run_tile(static_cast<int>(count), static_cast<int>(vectors), tile);
    tile.a += count * tile.a_row;
    tile.c += count * tile.c_row;
    tile.start_values += count * tile.start_row;
  }
}

template <class T>
constexpr RowMajorKernels<T> kKernels{
    kVectorSize<T>,   im2col<T>,           convolve<T>,          correlate<T>, indexed_product<T>,
    run_tall_tile<T>, transpose_padded<T>, transpose_exactly<T>, col2im<T>};

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Compiled;

template <class T>
struct Compiled<HWY_TARGET, T> {
  static constexpr const RowMajorKernels<T>* kernels = &HWY_NAMESPACE::kKernels<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

template <class T>
const RowMajorKernels<T>& row_major_kernels() {
  return *best<Compiled, T>([](auto k) { return k.kernels; });
}

template const RowMajorKernels<float>& row_major_kernels();
template const RowMajorKernels<double>& row_major_kernels();

}  // namespace adjoint::kernels
#endif
