// The parts of the row-layout convolutions that are compiled for each instruction set.
#include <algorithm>
#include <array>

#include "autograd/kernels/conv2d_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/conv2d_rows_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

// Four taps are summed up together; beside their values, kCorrelateRows x 4 accumulators fit the registers.
constexpr int kCorrelateTaps = 4;
constexpr int kCorrelateRows = HWY_MAX_BYTES == 64 ? 6 : HWY_MAX_BYTES == 32 ? 2 : 1;

/// to[j] = from[j] for j in inside, 0 for the rest of [0, width). May write a vector past width.
template <class T>
HWY_INLINE void copy_row(const T* from, std::int64_t width, Piece inside, T* to) {
  const Tag<T> d;
  for (std::int64_t j = 0; j < width; j += kVectorSize<T>) {
    const Piece lanes{inside.begin - j, inside.end - j};
    if constexpr (kMaskedLoadsAreSafe) {
      const auto first = [&](std::int64_t count) HWY_ATTR {
        return hn::FirstN(d, static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, kVectorSize<T>)));
      };
      hn::StoreU(hn::MaskedLoad(hn::AndNot(first(lanes.begin), first(lanes.end)), d, from + j), d, to + j);
    } else if (lanes.begin <= 0 && lanes.end >= kVectorSize<T>) {
      hn::StoreU(hn::LoadU(d, from + j), d, to + j);
    } else {
      hn::StoreU(hn::Zero(d), d, to + j);
      const std::int64_t begin = std::max(j, inside.begin), end = std::min(j + kVectorSize<T>, inside.end);
      for (std::int64_t i = begin; i < end; ++i) to[i] = from[i];
    }
  }
}

/// The output columns whose source column lies inside the source, for kernel column v.
HWY_INLINE Piece columns_inside(const PlaneConvolution& c, std::int64_t v) {
  const std::int64_t first = v * c.column_dilation + c.column_offset;  // source column of output column 0
  const std::int64_t begin = first >= 0 ? 0 : divide_up(-first, c.column_step);
  const std::int64_t end = first >= c.source_width ? 0 : divide_up(c.source_width - first, c.column_step);
  return {std::min(begin, c.out_width), std::clamp<std::int64_t>(end, 0, c.out_width)};
}

/// One row of a shifted copy; may write a vector past its end.
template <class T>
HWY_INLINE void shift_row(const PlaneConvolution& c, const T* source_row, std::int64_t v, Piece inside,
                          T* to) {
  const T* from = source_row + v * c.column_dilation + c.column_offset;
  if (c.column_step == 1) return copy_row(from, c.out_width, inside, to);
  std::fill(to, to + inside.begin, T(0));
  for (std::int64_t j = inside.begin; j < inside.end; ++j) to[j] = from[j * c.column_step];
  std::fill(to + std::max(inside.begin, inside.end), to + c.out_width, T(0));
}

/// Rows are written in the order of their addresses: what is written past a row's end is overwritten by the
/// next.
template <class T>
void shift(const PlaneConvolution& c, const T* source, T* copies) {
  const std::int64_t phase_rows = c.phase_rows();
  T* to = copies;
  for (std::int64_t v = 0; v < c.tap_columns; ++v) {
    const Piece inside = columns_inside(c, v);
    for (std::int64_t phase = 0; phase < c.row_step; ++phase)
      for (std::int64_t q = 0; q < phase_rows; ++q, to += c.out_width) {
        const std::int64_t row = q * c.row_step + phase + c.row_offset;
        const bool row_inside = row >= 0 && row < c.source_height;
        shift_row(c, row_inside ? source + row * c.source_width : source, v,
                  row_inside ? inside : Piece{0, 0}, to);
      }
  }
}

template <class T>
void convolve(const PlaneConvolution& c, const WeightSteps& steps, const Segment* segments, const T* copies,
              const T* w, const T* start, Piece rows, Piece positions, T* out) {
  const TapOrder order = tap_order(c);
  const std::int64_t copy_size = c.copy_size();
  Tile<T> tile{};
  tile.a_row = steps.row;
  tile.a_step = order.sources_inside ? steps.source : steps.tap_column;
  tile.b_step = order.sources_inside ? c.tap_columns * copy_size : copy_size;
  tile.b_vector = tile.c_vector = kVectorSize<T>;
  tile.segments = segments;
  tile.segment_count = order.segment_count;
  tile.depth = order.depth;
  tile.c_row = c.positions();
  tile.start = start == nullptr ? Start::zero : Start::row_values;
  tile.start_row = 1;
  const std::int64_t row_tiles = divide_up(rows.size(), kTileRows<T>);
  const std::int64_t vectors = divide_up(positions.size(), kVectorSize<T>);
  const std::int64_t panels = divide_up(vectors, kTileVectors);
  for (std::int64_t p = 0; p < panels; ++p) {
    const Piece panel = piece(vectors, panels, p);
    const std::int64_t position = positions.begin + panel.begin * kVectorSize<T>;
    tile.b = copies + position;
    tile.last_count =
        std::min(kVectorSize<T>, positions.end - position - (panel.size() - 1) * kVectorSize<T>);
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

/// kRows rows of dy times kCorrelateTaps taps.
template <int kRows, class T>
void correlate_tile(const T* dy, std::int64_t positions, const T* const (&values)[kCorrelateTaps],
                    T (&sums)[kRows * kCorrelateTaps]) {
  using V = hn::Vec<Tag<T>>;
  const Tag<T> d;
  V sum[kRows][kCorrelateTaps];
  HWY_UNROLL(6)
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(4)
  for (int k = 0; k < kCorrelateTaps; ++k) sum[r][k] = hn::Zero(d);
  const auto add_products = [&](std::int64_t p, auto load) HWY_ATTR {
    V tap_values[kCorrelateTaps];
    HWY_UNROLL(4)
    for (int k = 0; k < kCorrelateTaps; ++k) tap_values[k] = load(values[k] + p);
    HWY_UNROLL(6)
    for (int r = 0; r < kRows; ++r) {
      const V dy_values = load(dy + r * positions + p);
      HWY_UNROLL(4)
      for (int k = 0; k < kCorrelateTaps; ++k) sum[r][k] = hn::MulAdd(dy_values, tap_values[k], sum[r][k]);
    }
  };
  std::int64_t p = 0;
  for (; p + kVectorSize<T> <= positions; p += kVectorSize<T>)
    add_products(p, [&](const T* from) HWY_ATTR { return hn::LoadU(d, from); });
  if (p < positions)
    add_products(p, [&](const T* from) HWY_ATTR { return load_first(d, from, positions - p); });
  HWY_UNROLL(6)
  for (int r = 0; r < kRows; ++r)
    store_sums(d, sum[r][0], sum[r][1], sum[r][2], sum[r][3], sums + r * kCorrelateTaps);
}

/// kRows rows of dw.
template <int kRows, class T>
void correlate_rows(const T* dy, std::int64_t positions, const T* copies, const std::int64_t* tap_begins,
                    Piece taps, bool accumulate, T* dw, std::int64_t dw_row) {
  for (std::int64_t tap = taps.begin; tap < taps.end; tap += kCorrelateTaps) {
    const T* values[kCorrelateTaps];
    for (int k = 0; k < kCorrelateTaps; ++k) values[k] = copies + tap_begins[std::min(tap + k, taps.end - 1)];
    HWY_ALIGN T sums[kRows * kCorrelateTaps];
    correlate_tile<kRows>(dy, positions, values, sums);
    const std::int64_t count = std::min<std::int64_t>(taps.end - tap, kCorrelateTaps);
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
void correlate(const PlaneConvolution& c, const T* dy, const T* copies, const std::int64_t* tap_begins,
               Piece taps, bool accumulate, T* dw) {
  static constexpr auto kFunctions = correlate_functions<T>(std::make_index_sequence<kCorrelateRows>());
  const std::int64_t tiles = divide_up(c.rows, kCorrelateRows);
  for (std::int64_t t = 0; t < tiles; ++t) {
    const Piece rows = piece(c.rows, tiles, t);
    kFunctions[static_cast<std::size_t>(rows.size() - 1)](dy + rows.begin * c.positions(), c.positions(),
                                                          copies, tap_begins, taps, accumulate,
                                                          dw + rows.begin * c.taps(), c.taps());
  }
}

template <class T>
constexpr RowKernels<T> kKernels{kVectorSize<T>, shift<T>, convolve<T>, correlate<T>};

const RowKernels<float>* float_kernels() { return &kKernels<float>; }
const RowKernels<double>* double_kernels() { return &kKernels<double>; }

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

HWY_EXPORT(float_kernels);
HWY_EXPORT(double_kernels);

template <>
const RowKernels<float>& row_kernels() {
  return *HWY_DYNAMIC_DISPATCH(float_kernels)();
}
template <>
const RowKernels<double>& row_kernels() {
  return *HWY_DYNAMIC_DISPATCH(double_kernels)();
}

}  // namespace adjoint::kernels
#endif
