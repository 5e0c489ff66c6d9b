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
/// Blocks of maps read the same values one after the other: of so many channels that these stay in L1.
constexpr std::int64_t kReadAgainBytes = 24 * 1024;

/// What a block adds up, or goes on adding up in out: channels from `in` and `weights` on.
template <class T>
struct Part {
  const T *in, *weights;
  std::int64_t channels;
  bool resumed;
};

/// One register's share of the lanes for M maps and N columns; bias and out are the block's first.
template <class T, int M, int N>
HWY_NOINLINE void correlate_block(const CorrelationRow<T>& row, const Part<T>& part, const T* bias, T* out) {
  const Lanes<T> d;
  using V = hn::Vec<Lanes<T>>;
  const std::int64_t column_stride = row.column_stride;
  V sums[M][N];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
    const V start = bias ? hn::Set(d, bias[m]) : hn::Zero(d);
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
      sums[m][n] = part.resumed ? hn::Load(d, out + m * row.map_stride + n * row.out_stride) : start;
  }
  const T *in = part.in, *weights = part.weights;
  const Product *const first = row.products, *const last = first + row.product_count;
  for (std::int64_t c = part.channels; c > 0; --c, in += row.channel_stride, weights += row.kernel_area * M) {
    for (const Product* product = first; product != last; ++product) {
      const T *x = in + product->in, *w = weights + product->weight * M;
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
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) hn::Store(sums[m][n], d, out + m * row.map_stride + n * row.out_stride);
}

template <class T>
using Block = void (*)(const CorrelationRow<T>&, const Part<T>&, const T*, T*);

template <class T, int M, int... N>
constexpr std::array<Block<T>, kMaxColumns> blocks_of(std::integer_sequence<int, N...>) {
  return {&correlate_block<T, M, N + 1>...};
}

template <class T, int... M>
constexpr std::array<std::array<Block<T>, kMaxColumns>, kBlockChannels> all_blocks(
    std::integer_sequence<int, M...>) {
  return {blocks_of<T, M + 1>(std::make_integer_sequence<int, kMostColumns[M]>())...};
}

/// Channels of which the values that `columns` sums read fit into L1.
template <class T>
std::int64_t channels_at_once(const CorrelationRow<T>& row, std::int64_t columns) {
  const std::int64_t values = row.row_taps * (columns * row.column_stride + row.reach);
  return std::max<std::int64_t>(1, kReadAgainBytes / std::max<std::int64_t>(1, values * sizeof(T)));
}

template <class T>
void correlate(const CorrelationRow<T>& row) {
  static constexpr auto blocks = all_blocks<T>(std::make_integer_sequence<int, kBlockChannels>());
  const Cut maps(row.maps, kBlockChannels);
  const Cut columns(row.columns, kMostColumns[maps.size(0) - 1]);
  const std::int64_t step =
      maps.parts() == 1 ? std::max<std::int64_t>(row.channels, 1) : channels_at_once(row, columns.size(0));
  for (std::int64_t k = 0; k < columns.parts(); ++k) {
    const T* in = row.in + columns.first(k) * row.column_stride;
    T* out = row.out + columns.first(k) * row.out_stride;
    for (std::int64_t c = 0; c == 0 || c < row.channels; c += step) {
      for (std::int64_t b = 0; b < maps.parts(); ++b) {
        const std::int64_t map = maps.first(b), height = maps.size(b);
        const Block<T> block = blocks[height - 1][columns.size(k) - 1];
        const T* weights = row.weights + (map * row.channels + c * height) * row.kernel_area;
        for (std::int64_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(Lanes<T>()))
          block(row, {in + c * row.channel_stride + lane, weights, std::min(step, row.channels - c), c > 0},
                row.bias ? row.bias + map : nullptr, out + map * row.map_stride + lane);
      }
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
