// The inner kernels of the lanes convolution: blocks whose sums stay in registers, of maps x columns for the
// convolution and its input gradient, of maps x taps over a band of rows for the weight gradient.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/convolution/interleaved/kernels.cpp"
#include "autograd/kernels/convolution/interleaved/kernels.h"

#include <array>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
#include <utility>

#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// A block of images, or the part of it that one register holds.
template <class T>
using Lanes = hn::CappedTag<T, kInterleaved<T>>;

/// Channels that one register block writes at once: four, but where there are few registers blocks of three
/// are faster, since they are wider.
constexpr int kBlockChannels = kRegisters == 32 ? 4 : 3;
constexpr int kMaxColumns = 8;

/// Into how many sums each of m values goes at once. All m x columns sums stay in registers, with the m
/// values and one that is multiplied by each of these. Never growing with m, so that what suits a block suits
/// one of fewer rows.
constexpr int most_columns(int m) {
  int columns = kMaxColumns;
  while (!fits_registers(m * columns, m + 1)) --columns;
  return columns;
}

// Two hints for GCC, which would load a value again for each of its uses, and compile every loop twice, the
// second time for a step of 1.
template <class V>
HWY_INLINE void keep_in_register([[maybe_unused]] V& value) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC && !HWY_COMPILER_CLANG
  asm("" : "+v"(value.raw));
#endif
}
HWY_INLINE std::int64_t of_unknown_size(std::int64_t step) {
  asm("" : "+r"(step));
  return step;
}

/// Kernel::run<T, M, N> for M maps and N other sums: blocks[M - 1][N - 1].
template <class Kernel, class T, int M, int... N>
constexpr auto blocks_of(std::integer_sequence<int, N...>) {
  return std::array<typename Kernel::template Block<T>, kMaxColumns>{&Kernel::template run<T, M, N + 1>...};
}
template <class Kernel, class T, int... M>
constexpr auto all_blocks(std::integer_sequence<int, M...>) {
  return std::array{blocks_of<Kernel, T, M + 1>(std::make_integer_sequence<int, most_columns(M + 1)>())...};
}
template <class Kernel, class T>
constexpr auto kBlocks = all_blocks<Kernel, T>(std::make_integer_sequence<int, kBlockChannels>());

// ---- The convolution and its input gradient ----

/// Blocks of maps read the same values one after the other. The number of channels is chosen so that these
/// values, at most this many bytes, stay in L1.
constexpr std::int64_t kReadAgainBytes = 24 * 1024;

/// What a block adds up, or goes on adding up in out: channels from `in` and `weights` on.
template <class T>
struct Part {
  const T *in, *weights;
  std::int64_t channels;
  bool resumed;
};

/// One register's share of the lanes for M maps and N columns; bias and out are the block's first.
struct CorrelateBlock {
  template <class T>
  using Block = void (*)(const CorrelationRow<T>&, const Part<T>&, const T*, T*);

  template <class T, int M, int N>
  static HWY_NOINLINE void run(const CorrelationRow<T>& row, const Part<T>& part, const T* bias, T* out) {
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
    for (std::int64_t c = part.channels; c > 0;
         --c, in += row.channel_stride, weights += row.kernel_area * M) {
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
};

/// Channels of which the values that `columns` sums read fit into L1.
template <class T>
std::int64_t channels_at_once(const CorrelationRow<T>& row, std::int64_t columns) {
  const std::int64_t values = row.row_taps * (columns * row.column_stride + row.reach);
  return std::max<std::int64_t>(1, kReadAgainBytes / std::max<std::int64_t>(1, values * sizeof(T)));
}

template <class T>
void correlate(const CorrelationRow<T>& row) {
  const Pieces maps(row.maps, kBlockChannels);
  const Pieces columns(row.columns, most_columns(static_cast<int>(maps.largest())));
  const std::int64_t step =
      maps.count() == 1 ? std::max<std::int64_t>(row.channels, 1) : channels_at_once(row, columns.largest());
  for (std::int64_t k = 0; k < columns.count(); ++k) {
    const Piece some_columns = columns[k];
    const T* in = row.in + row.first_channel * row.channel_stride + some_columns.begin * row.column_stride;
    T* out = row.out + some_columns.begin * row.out_stride;
    for (std::int64_t c = 0; c == 0 || c < row.channels; c += step) {
      for (std::int64_t b = 0; b < maps.count(); ++b) {
        const Piece some_maps = maps[b];
        const auto block = kBlocks<CorrelateBlock, T>[some_maps.size() - 1][some_columns.size() - 1];
        const T* weights =
            row.weights + (some_maps.begin * row.all_channels + (row.first_channel + c) * some_maps.size()) *
                              row.kernel_area;
        for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += hn::Lanes(Lanes<T>()))
          block(row, {in + c * row.channel_stride + lane, weights, std::min(step, row.channels - c), c > 0},
                row.bias ? row.bias + some_maps.begin : nullptr,
                out + some_maps.begin * row.map_stride + lane);
      }
    }
  }
}

// ---- The weight gradient ----

template <class T>
alignas(64) constexpr T kZeros[kInterleaved<T>] = {};

/// sums[m][n] += sum over the band of dy[m] x, shifted as tap n asks, for one register's share of the lanes.
struct AccumulateBlock {
  template <class T>
  using Block = void (*)(const WeightGradBand<T>&, const KernelTap*, std::int64_t);

  template <class T, int M, int N>
  static HWY_NOINLINE void run(const WeightGradBand<T>& band, const KernelTap* taps, std::int64_t lane) {
    const Lanes<T> d;
    using V = hn::Vec<Lanes<T>>;
    V sums[M][N];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n)
        sums[m][n] = hn::Load(d, band.sums + m * band.sums_stride + taps[n].weight * kInterleaved<T> + lane);

    const std::int64_t map_stride = band.map_stride,
                       x_step = of_unknown_size(band.column_step * kInterleaved<T>);
    for (std::int64_t column = band.columns.begin; column < band.columns.end;) {
      // Columns that every tap reads inside x go together, the others one by one: there, taps outside read
      // zeros.
      const bool interior = column == band.interior.begin && band.interior.size() > 0;
      const std::int64_t count = interior ? band.interior.size() : 1;
      const T* x[N];
      std::int64_t x_row_stride[N];
      for (int n = 0; n < N; ++n) {
        const std::int64_t x_column = column * band.column_step + taps[n].column;
        const bool inside = interior || is_inside(x_column, band.width);
        x[n] = inside ? band.x + taps[n].channel * band.channel_stride + x_column * kInterleaved<T> + lane
                      : kZeros<T> + lane;
        x_row_stride[n] = inside ? band.x_row_stride : 0;
      }
      for (std::int64_t row = 0; row < band.rows; ++row) {
        const T* dy = band.dy + row * band.dy_row_stride + column * kInterleaved<T> + lane;
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
          dy += kInterleaved<T>;
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
        hn::Store(sums[m][n], d, band.sums + m * band.sums_stride + taps[n].weight * kInterleaved<T> + lane);
  }
};

template <class T>
void accumulate(const WeightGradBand<T>& band) {
  const Pieces taps(band.tap_count, most_columns(static_cast<int>(band.maps)));
  for (std::int64_t k = 0; k < taps.count(); ++k) {
    const auto block = kBlocks<AccumulateBlock, T>[band.maps - 1][taps[k].size() - 1];
    for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += hn::Lanes(Lanes<T>()))
      block(band, band.taps + taps[k].begin, lane);
  }
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Compiled;

template <class T>
struct Compiled<HWY_TARGET, T> {
  static constexpr std::int64_t block_channels = HWY_NAMESPACE::kBlockChannels;
  static constexpr auto correlate = HWY_NAMESPACE::correlate<T>;
  static constexpr auto accumulate = HWY_NAMESPACE::accumulate<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

std::int64_t block_channels() {
  return best<Compiled, float>([](auto k) { return k.block_channels; });
}

template <class T>
void correlate_row(const CorrelationRow<T>& row) {
  best<Compiled, T>([&](auto k) { k.correlate(row); });
}

template <class T>
void accumulate_band(const WeightGradBand<T>& band) {
  best<Compiled, T>([&](auto k) { k.accumulate(band); });
}

template void correlate_row(const CorrelationRow<float>&);
template void correlate_row(const CorrelationRow<double>&);
template void accumulate_band(const WeightGradBand<float>&);
template void accumulate_band(const WeightGradBand<double>&);

}  // namespace adjoint::kernels
#endif
