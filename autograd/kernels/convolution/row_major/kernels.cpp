// The parts of the row-layout convolutions that are compiled for each instruction set.
#include <algorithm>
#include <array>

#include "autograd/kernels/convolution/row_major/row_major.h"
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

// Four taps are summed up together; beside their values and one of dy, kCorrelateRows x 4 sums fit the
// registers.
constexpr int kCorrelateTaps = 4;
constexpr int kCorrelateRows = most_rows(6, kCorrelateTaps, kCorrelateTaps + 1);
// Registers of positions added up before their lanes are.
constexpr std::int64_t kCorrelateVectors = 256;
// Rows of a tile of an indexed product.
constexpr int kIndexedRows = most_rows(8, 3, 3 + 1);

/// p[i kStep] for the i of `inside`, the others 0; reads nothing else.
template <int kStep, class T>
HWY_INLINE hn::Vec<Tag<T>> load_inside(const T* p, Piece inside) {
  const Tag<T> d;
  HWY_ALIGN T values[kVectorSize<T>] = {};
  for (std::int64_t i = inside.begin; i < inside.end; ++i) values[i] = p[i * kStep];
  return hn::Load(d, values);
}

/// to[q, j] = from[q, j kStep] for rows q, and the `count` columns j of one vector, of which those outside
/// `inside` become 0. What it writes past the ends of all rows but the last is unspecified.
template <int kStep, class T>
HWY_INLINE void copy_columns(const T* from, std::int64_t from_row, Piece inside, std::int64_t rows, T* to,
                             std::int64_t to_row, std::int64_t count) {
  const Tag<T> d;
  inside = overlap({0, count}, inside);
  if constexpr (kMaskedLoadsAreSafe) {
    // The values of from's vector that starts at `first` and is read, up to the last one that counts.
    const auto mask = [&](std::int64_t first) HWY_ATTR {
      return lanes_of(d, {inside.begin * kStep - first, (inside.end - 1) * kStep + 1 - first});
    };
    const auto low = mask(0), high = mask(kVectorSize<T>);
    const auto load = [&]() HWY_ATTR {
      if constexpr (kStep == 1) return hn::MaskedLoad(low, d, from);
      return hn::ConcatEven(d, hn::MaskedLoad(high, d, from + kVectorSize<T>), hn::MaskedLoad(low, d, from));
    };
    for (; rows > 1; --rows, from += from_row, to += to_row) hn::StoreU(load(), d, to);
    if (rows == 1) store_first(load(), d, to, count);
  } else if (kStep == 1 && inside.begin == 0 && inside.end == kVectorSize<T>) {
    for (std::int64_t q = 0; q < rows; ++q, from += from_row, to += to_row)
      hn::StoreU(hn::LoadU(d, from), d, to);
  } else {
    for (std::int64_t q = 0; q < rows; ++q, from += from_row, to += to_row)
      store_first(load_inside<kStep>(from, inside), d, to, count);
  }
}

/// As copy_columns, for all columns and any column step.
template <class T>
HWY_INLINE void copy_rows(const PlaneConvolution& c, const T* from, std::int64_t from_row, Piece inside,
                          std::int64_t rows, T* to) {
  const auto copy = [&]<int kStep>() {
    // From right to left: what is written past a row's end, the next row's first register overwrites.
    for (std::int64_t j = (c.columns.out - 1) / kVectorSize<T> * kVectorSize<T>; j >= 0; j -= kVectorSize<T>)
      copy_columns<kStep>(from + j * kStep, from_row, {inside.begin - j, inside.end - j}, rows, to + j,
                          c.columns.out, std::min(c.columns.out - j, kVectorSize<T>));
  };
  if (c.columns.stride == 1) return copy.template operator()<1>();
  if (c.columns.stride == 2) return copy.template operator()<2>();
  for (std::int64_t q = 0; q < rows; ++q, from += from_row, to += c.columns.out)
    for (std::int64_t j = 0; j < c.columns.out; ++j)
      to[j] = j >= inside.begin && j < inside.end ? from[j * c.columns.stride] : T(0);
}

template <class T>
void shift(const PlaneConvolution& c, Piece sources, const T* source, T* copies) {
  const std::int64_t phase_rows = c.phase_rows(), plane = c.rows.in * c.columns.in;
  T* to =
      copies;  // Goes on through all copies: what is written past the end of one, the next one overwrites.
  for (std::int64_t s = sources.begin; s < sources.end; ++s)
    for (std::int64_t v = 0; v < c.columns.taps; ++v) {
      const std::int64_t left = c.columns.input(0, v);
      const Piece inside = c.columns.outputs_inside(v);
      for (std::int64_t phase = 0; phase < c.rows.stride; ++phase, to += phase_rows * c.columns.out) {
        const std::int64_t first = phase + c.rows.offset;  // source row of the phase's row 0
        const Piece rows = steps_inside(first, c.rows.stride, c.rows.in, phase_rows);
        const std::int64_t from = (first + rows.begin * c.rows.stride) * c.columns.in + left;
        std::fill(to, to + rows.begin * c.columns.out, T(0));
        copy_rows(c, source + s * plane + from, c.rows.stride * c.columns.in, inside, rows.size(),
                  to + rows.begin * c.columns.out);
        std::fill(to + rows.end * c.columns.out, to + phase_rows * c.columns.out, T(0));
      }
    }
}

template <class T>
void convolve(const PlaneConvolution& c, const WeightSteps& steps, const Segment* segments, const T* copies,
              const T* w, const T* start, Piece rows, T* out) {
  const TapOrder order = tap_order(c);
  const std::int64_t copy_size = c.copy_size();
  Tile<T> tile{};
  tile.a_row = steps.row;
  tile.a_step = order.sources_inside ? steps.source : steps.tap_column;
  tile.b_step = order.sources_inside ? c.columns.taps * copy_size : copy_size;
  tile.b_vector = tile.c_vector = kVectorSize<T>;
  tile.segments = segments;
  tile.segment_count = order.segment_count;
  tile.depth = order.depth;
  tile.c_row = c.out_stride;
  tile.start = start == nullptr ? Start::zero : Start::row_values;
  tile.start_row = 1;
  const std::int64_t row_tiles = divide_up(rows.size(), kTileRows<T>);
  const std::int64_t vectors = divide_up(c.positions(), kVectorSize<T>);
  const std::int64_t panels = divide_up(vectors, kTileVectors);
  for (std::int64_t p = 0; p < panels; ++p) {
    const Piece panel = piece(vectors, panels, p);
    const std::int64_t position = panel.begin * kVectorSize<T>;
    tile.b = copies + position;
    tile.last_count =
        std::min(kVectorSize<T>, c.positions() - position - (panel.size() - 1) * kVectorSize<T>);
    for (std::int64_t t = 0; t < row_tiles; ++t) {
      const Piece tile_rows = piece(rows.size(), row_tiles, t);
      const std::int64_t row = rows.begin + tile_rows.begin;
      tile.a = w + row * steps.row;
      tile.c = out + row * tile.c_row + position;
      tile.start_values = start == nullptr ? nullptr : start + row;
      run_tile(static_cast<int>(tile_rows.size()), static_cast<int>(panel.size()), tile);
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
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(4)
  for (int k = 0; k < kCorrelateTaps; ++k) sum[r][k] = hn::Zero(d);
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

/// kRows rows of dw.
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
    // One tap is left over by every kernel that is a square of an odd size.
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
void correlate(const PlaneConvolution& c, const CopiedImages<T>& images, const std::int64_t* tap_begins,
               std::int64_t taps, bool accumulate, T* dw) {
  static constexpr auto kFunctions = correlate_functions<T>(std::make_index_sequence<kCorrelateRows>());
  const std::int64_t tiles = divide_up(c.out_channels, kCorrelateRows),
                     bands = divide_up(c.positions(), kCorrelateVectors * kVectorSize<T>);
  for (std::int64_t band = 0; band < bands; ++band) {
    const Piece positions = piece(c.positions(), bands, band);
    for (std::int64_t t = 0; t < tiles; ++t) {
      const Piece rows = piece(c.out_channels, tiles, t);
      CopiedImages<T> part = images;
      part.dy += rows.begin * c.out_stride + positions.begin;
      part.copies += positions.begin;
      kFunctions[static_cast<std::size_t>(rows.size() - 1)](part, positions.size(), c.out_stride, tap_begins,
                                                            taps, accumulate || band > 0,
                                                            dw + rows.begin * c.taps(), c.taps());
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
  for (std::int64_t k = depth.begin; k < depth.end; ++k, b += kColumns) {
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
  }
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(3)
  for (int v = 0; v < kVectors; ++v) {
    T* const to = c + r * kColumns + v * kVectorSize<T>;
    hn::StoreU(add ? hn::Add(sum[r][v], hn::LoadU(d, to)) : sum[r][v], d, to);
  }
}

template <int kVectors, class T, std::size_t... kIndex>
constexpr auto indexed_tiles(std::index_sequence<kIndex...>) {
  return std::array{indexed_tile<kIndex + 1, kVectors, T>...};
}

template <int kVectors, class T>
void indexed_product(const IndexedProduct<T>& product) {
  if (product.depth > kSumOfShortSums) {
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
    return add_to(product.rows * kColumns, sums.get(), product.c);
  }
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
void run_rows(std::int64_t rows, std::int64_t vectors, Tile<T> tile) {
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
void transpose_exactly(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns, T* to,
                       std::int64_t to_step) {
  transpose(from, from_step, rows, columns, to, to_step,
            [](auto v, T* at, std::int64_t count) HWY_ATTR { store_first(v, Tag<T>(), at, count); });
}

template <class T>
constexpr RowKernels<T> kKernels{kVectorSize<T>,
                                 shift<T>,
                                 convolve<T>,
                                 correlate<T>,
                                 indexed_product<T>,
                                 run_rows<T>,
                                 transpose_padded<T>,
                                 transpose_exactly<T>,
                                 fold<T>};

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Compiled;

template <class T>
struct Compiled<HWY_TARGET, T> {
  static constexpr const RowKernels<T>* kernels = &HWY_NAMESPACE::kKernels<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

template <class T>
const RowKernels<T>& row_kernels() {
  return *best<Compiled, T>([](auto k) { return k.kernels; });
}

template const RowKernels<float>& row_kernels();
template const RowKernels<double>& row_kernels();

}  // namespace adjoint::kernels
#endif
