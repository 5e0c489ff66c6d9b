// The inner kernel of the lanes convolution and its input gradient: blocks of maps x columns whose sums stay
// in registers.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/conv2d_lanes_row.cpp"
#include <array>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
#include <utility>

#include "autograd/kernels/conv2d_lanes-inl.h"
#include "autograd/kernels/conv2d_lanes.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
/// One register's share of the lanes for M maps and N columns: in, weights and out are the block's first.
template <class T, int M, int N>
HWY_NOINLINE void correlate_block(const CorrelationRow<T>& row, const T* in, const T* weights, const T* bias,
                                  T* out) {
  const Lanes<T> d;
  using V = hn::Vec<Lanes<T>>;
  const std::int64_t column_stride = row.column_stride, tap_stride = row.tap_stride,
                     weight_step = of_unknown_size(row.column_tap_step * M);
  V sums[M][N];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
    const V start = bias ? hn::Set(d, bias[m]) : hn::Zero(d);
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sums[m][n] = start;
  }
  for (std::int64_t c = 0; c < row.channels; ++c) {
    for (std::int64_t a = 0; a < row.row_taps; ++a) {
      const T* x = in + c * row.channel_stride + a * row.row_stride;
      const T* w = weights + (c * row.kernel_area + a * row.row_tap_step) * M;
      for (std::int64_t b = row.column_taps; b > 0; --b) {
        V scale[M];
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) scale[m] = hn::Set(d, w[m]);
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
          V value = hn::Load(d, x + n * column_stride);
          keep_in_register(value);
#pragma GCC unroll 8
          for (int m = 0; m < M; ++m) sums[m][n] = hn::MulAdd(scale[m], value, sums[m][n]);
        }
        x += tap_stride;
        w += weight_step;
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) hn::Store(sums[m][n], d, out + m * row.map_stride + n * row.out_stride);
}

template <class T>
using Block = void (*)(const CorrelationRow<T>&, const T*, const T*, const T*, T*);

template <class T, int M, int... N>
constexpr std::array<Block<T>, kMaxColumns> blocks_of(std::integer_sequence<int, N...>) {
  return {&correlate_block<T, M, N + 1>...};
}

template <class T, int... M>
constexpr std::array<std::array<Block<T>, kMaxColumns>, kBlockChannels> all_blocks(
    std::integer_sequence<int, M...>) {
  return {blocks_of<T, M + 1>(std::make_integer_sequence<int, kMostColumns[M]>())...};
}

template <class T>
void correlate(const CorrelationRow<T>& row) {
  static constexpr auto blocks = all_blocks<T>(std::make_integer_sequence<int, kBlockChannels>());
  const Cut maps(row.maps, kBlockChannels);
  const Cut columns(row.columns, kMostColumns[maps.size(0) - 1]);
  for (std::int64_t k = 0; k < columns.parts(); ++k) {
    const std::int64_t column = columns.first(k);
    for (std::int64_t b = 0; b < maps.parts(); ++b) {
      const std::int64_t map = maps.first(b), height = maps.size(b);
      const Block<T> block = blocks[height - 1][columns.size(k) - 1];
      const T* weights = row.weights + map * row.channels * row.kernel_area + row.first_tap * height;
      for (std::int64_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(Lanes<T>()))
        block(row, row.in + column * row.column_stride + lane, weights, row.bias ? row.bias + map : nullptr,
              row.out + map * row.map_stride + column * row.out_stride + lane);
    }
  }
}

void correlate_float(const CorrelationRow<float>& row) { correlate(row); }
void correlate_double(const CorrelationRow<double>& row) { correlate(row); }

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

HWY_EXPORT(correlate_float);
HWY_EXPORT(correlate_double);

template <>
void correlate_row(const CorrelationRow<float>& row) {
  HWY_DYNAMIC_DISPATCH(correlate_float)(row);
}
template <>
void correlate_row(const CorrelationRow<double>& row) {
  HWY_DYNAMIC_DISPATCH(correlate_double)(row);
}

}  // namespace adjoint::kernels
#endif
