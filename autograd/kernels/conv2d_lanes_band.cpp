// The inner kernel of the lanes weight gradient: blocks of maps x taps whose sums stay in registers for a
// band of rows.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/conv2d_lanes_band.cpp"
#include <array>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
#include <utility>

#include "autograd/kernels/conv2d_lanes-inl.h"
#include "autograd/kernels/conv2d_lanes.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
template <class T>
alignas(64) constexpr T kZeros[kLanes<T>] = {};

/// sums[m][n] += sum over the band of dy[m] x, shifted as tap n asks, for one register's share of the lanes.
template <class T, int M, int N>
HWY_NOINLINE void accumulate_block(const WeightGradBand<T>& band, const KernelTap* taps, std::int64_t lane) {
  const Lanes<T> d;
  using V = hn::Vec<Lanes<T>>;
  V sums[M][N];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      sums[m][n] = hn::Load(d, band.sums + m * band.sums_stride + taps[n].weight * kLanes<T> + lane);

  const std::int64_t map_stride = band.map_stride, x_step = of_unknown_size(band.column_step * kLanes<T>);
  for (std::int64_t column = 0; column < band.columns;) {
    // Columns that every tap reads inside x go together, the others one by one: there, taps outside read
    // zeros.
    const bool interior = column == band.interior_begin && column < band.interior_end;
    const std::int64_t count = interior ? band.interior_end - column : 1;
    const T* x[N];
    std::int64_t x_row_stride[N];
    for (int n = 0; n < N; ++n) {
      const std::int64_t x_column = column * band.column_step + taps[n].column;
      const bool inside = interior || (x_column >= 0 && x_column < band.width);
      x[n] = inside ? band.x + taps[n].channel * band.channel_stride + x_column * kLanes<T> + lane
                    : kZeros<T> + lane;
      x_row_stride[n] = inside ? band.x_row_stride : 0;
    }
    for (std::int64_t row = 0; row < band.rows; ++row) {
      const T* dy = band.dy + row * band.dy_row_stride + column * kLanes<T> + lane;
      std::int64_t offset = 0;
      for (std::int64_t j = count; j > 0; --j) {
        V slope[M];
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
          slope[m] = hn::Load(d, dy + m * map_stride);
          keep_in_register(slope[m]);
        }
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
          V value = hn::Load(d, x[n] + offset);
          keep_in_register(value);
#pragma GCC unroll 8
          for (int m = 0; m < M; ++m) sums[m][n] = hn::MulAdd(slope[m], value, sums[m][n]);
        }
        dy += kLanes<T>;
        offset += x_step;
      }
      for (int n = 0; n < N; ++n) x[n] += x_row_stride[n];
    }
    column += count;
  }

#pragma GCC unroll 8
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      hn::Store(sums[m][n], d, band.sums + m * band.sums_stride + taps[n].weight * kLanes<T> + lane);
}

template <class T>
using Block = void (*)(const WeightGradBand<T>&, const KernelTap*, std::int64_t);

template <class T, int M, int... N>
constexpr std::array<Block<T>, kMaxColumns> blocks_of(std::integer_sequence<int, N...>) {
  return {&accumulate_block<T, M, N + 1>...};
}

template <class T, int... M>
constexpr std::array<std::array<Block<T>, kMaxColumns>, kBlockChannels> all_blocks(
    std::integer_sequence<int, M...>) {
  return {blocks_of<T, M + 1>(std::make_integer_sequence<int, kMostColumns[M]>())...};
}

template <class T>
void accumulate(const WeightGradBand<T>& band) {
  static constexpr auto blocks = all_blocks<T>(std::make_integer_sequence<int, kBlockChannels>());
  const Cut cut(band.tap_count, kMostColumns[band.maps - 1]);
  for (std::int64_t k = 0; k < cut.parts(); ++k) {
    const Block<T> block = blocks[band.maps - 1][cut.size(k) - 1];
    for (std::int64_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(Lanes<T>()))
      block(band, band.taps + cut.first(k), lane);
  }
}

void accumulate_float(const WeightGradBand<float>& band) { accumulate(band); }
void accumulate_double(const WeightGradBand<double>& band) { accumulate(band); }

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

HWY_EXPORT(accumulate_float);
HWY_EXPORT(accumulate_double);

template <>
void accumulate_band(const WeightGradBand<float>& band) {
  HWY_DYNAMIC_DISPATCH(accumulate_float)(band);
}
template <>
void accumulate_band(const WeightGradBand<double>& band) {
  HWY_DYNAMIC_DISPATCH(accumulate_double)(band);
}

}  // namespace adjoint::kernels
#endif
