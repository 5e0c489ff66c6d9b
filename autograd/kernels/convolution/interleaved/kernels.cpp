// Blocks whose sums stay in registers: output channels x columns for the convolution and its input gradient,
// output channels x taps, over a band of rows, for the weight gradient.

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

/// The images of a block, or as many of them as one register holds.
template <class T>
using ImagesTag = hn::CappedTag<T, kInterleaved<T>>;
template <class T>
constexpr std::int64_t kLanes = hn::MaxLanes(ImagesTag<T>());

/// Output channels that one register block computes: four. With few registers blocks of three are faster,
/// because they are wider.
constexpr int kBlockChannels = kRegisters == 32 ? 4 : 3;
constexpr int kMaxColumns = 8;

/// The number of sums that each of m values goes into at once. All m x columns sums stay in registers, with
/// the m values and one value that is multiplied by each of these. The number never grows with m: a block of
/// fewer output channels can have the same columns.
constexpr int most_columns(int m) {
  int columns = kMaxColumns;
  while (!fits_registers(m * columns, m + 1)) --columns;
  return columns;
}

// Two hints for GCC. It would load a value again for each use, and compile every loop twice, the second time
// for a step of 1.
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

/// Kernel::run<T, M, N> for M output channels and N columns, or taps: blocks[M - 1][N - 1].
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

/// Blocks of output channels read the same values one after the other. The number of input channels is chosen
/// so that these values, at most this many bytes, stay in L1.
constexpr std::int64_t kReadAgainBytes = 24 * 1024;

/// The input channels that a block adds up, from `in` and `weights` on. If resumed, out has the sum of the
/// ones before.
template <class T>
struct ChannelRun {
  const T *in, *weights;
  std::int64_t in_channels;
  bool resumed;
};

/// M output channels and N columns, for the images of one register; bias and out are the block's first.
struct CorrelateBlock {
  template <class T>
  using Block = void (*)(const CorrelationRow<T>&, const ChannelRun<T>&, const T*, T*);

  template <class T, int M, int N>
  static HWY_NOINLINE void run(const CorrelationRow<T>& row, const ChannelRun<T>& run, const T* bias,
                               T* out) {
    const ImagesTag<T> d;
    using V = hn::Vec<ImagesTag<T>>;
    const std::int64_t column_stride = row.column_stride;
    V sums[M][N];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      const V start = bias ? hn::Set(d, bias[m]) : hn::Zero(d);
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) {
        const T* former = out + m * row.out_channel_stride + n * row.out_column_stride;
        sums[m][n] = run.resumed ? hn::Load(d, former) : start;
      }
    }
    const T *in = run.in, *weights = run.weights;
    const Product *const first = row.products, *const last = first + row.product_count;
    for (std::int64_t c = run.in_channels; c > 0; --c) {
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
      in += row.in_channel_stride;
      weights += row.kernel_area * M;
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n)
        hn::Store(sums[m][n], d, out + m * row.out_channel_stride + n * row.out_column_stride);
    }
  }
};

/// The number of input channels of which the values that `columns` sums read fit into L1.
template <class T>
std::int64_t channels_at_once(const CorrelationRow<T>& row, std::int64_t columns) {
  const std::int64_t values = row.row_taps * (columns * row.column_stride + row.reach);
  return std::max<std::int64_t>(1, kReadAgainBytes / std::max<std::int64_t>(1, values * sizeof(T)));
}

template <class T>
void correlate(const CorrelationRow<T>& row) {
  const Pieces blocks(row.out_channels, kBlockChannels);
  const Pieces column_pieces(row.columns, most_columns(static_cast<int>(blocks.largest())));
  const std::int64_t step = blocks.count() == 1 ? std::max<std::int64_t>(row.in_channels, 1)
                                                : channels_at_once(row, column_pieces.largest());
  for (std::int64_t k = 0; k < column_pieces.count(); ++k) {
    const Piece columns = column_pieces[k];
    const T* in = row.in + row.first_in_channel * row.in_channel_stride + columns.begin * row.column_stride;
    for (std::int64_t c = 0; c == 0 || c < row.in_channels; c += step) {
      for (std::int64_t b = 0; b < blocks.count(); ++b) {
        const Piece channels = blocks[b];
        const auto block = kBlocks<CorrelateBlock, T>[channels.size() - 1][columns.size() - 1];
        const std::int64_t kernels_before =
            channels.begin * row.all_in_channels + (row.first_in_channel + c) * channels.size();
        const T* weights = row.weights + kernels_before * row.kernel_area;
        const T* bias = row.bias ? row.bias + channels.begin : nullptr;
        T* out = row.out + channels.begin * row.out_channel_stride + columns.begin * row.out_column_stride;
        for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += kLanes<T>)
          block(row,
                {in + c * row.in_channel_stride + lane, weights, std::min(step, row.in_channels - c), c > 0},
                bias, out + lane);
      }
    }
  }
}

// ---- The weight gradient ----

template <class T>
alignas(64) constexpr T kZeros[kInterleaved<T>] = {};

/// sums[m][n] += the sum over the band of dy[m] x, for M output channels and N taps and the images of one
/// register.
struct AccumulateBlock {
  template <class T>
  using Block = void (*)(const WeightGradBand<T>&, const RowTap*, std::int64_t);

  /// What N taps read at an output column, row by row: x[n], x[n] + row_stride[n], ...
  template <class T, int N>
  struct Reads {
    const T* x[N];
    std::int64_t row_stride[N];

    /// Taps that read outside x read zeros. all_inside: that no tap does.
    HWY_INLINE Reads(const WeightGradBand<T>& band, const RowTap* taps, std::int64_t column, bool all_inside,
                     std::int64_t lane) {
      for (int n = 0; n < N; ++n) {
        const std::int64_t x_column = column * band.column_step + taps[n].column;
        const bool inside = all_inside || is_inside(x_column, band.width);
        x[n] = (inside ? band.x + taps[n].in_channel * band.x_channel_stride + x_column * kInterleaved<T>
                       : kZeros<T>)+lane;
        row_stride[n] = inside ? band.x_row_stride : 0;
      }
    }
  };

  template <class T, int M, int N>
  static HWY_NOINLINE void run(const WeightGradBand<T>& band, const RowTap* taps, std::int64_t lane) {
    const ImagesTag<T> d;
    using V = hn::Vec<ImagesTag<T>>;
    const auto sum_at = [&](int m, int n) HWY_ATTR {
      return band.sums + m * band.sums_stride + taps[n].weight * kInterleaved<T> + lane;
    };
    V sums[M][N];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sums[m][n] = hn::Load(d, sum_at(m, n));
    }
    const std::int64_t dy_channel_stride = band.dy_channel_stride,
                       x_step = of_unknown_size(band.column_step * kInterleaved<T>);
    for (std::int64_t column = band.columns.begin; column < band.columns.end;) {
      // Columns at which every tap reads inside x go together, the others one by one.
      const bool all_inside = column == band.interior.begin && band.interior.size() > 0;
      const std::int64_t count = all_inside ? band.interior.size() : 1;
      Reads<T, N> reads(band, taps, column, all_inside, lane);
      for (std::int64_t row = 0; row < band.rows; ++row) {
        const T* dy = band.dy + row * band.dy_row_stride + column * kInterleaved<T> + lane;
        std::int64_t offset = 0;
        for (std::int64_t j = count; j > 0; --j) {
          V slope[M];
#pragma GCC unroll 8
          for (int m = 0; m < M; ++m) {
            slope[m] = hn::Load(d, dy + m * dy_channel_stride);
            keep_in_register(slope[m]);
          }
#pragma GCC unroll 8
          for (int n = 0; n < N; ++n) {
            V value = hn::Load(d, reads.x[n] + offset);
            keep_in_register(value);
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) sums[m][n] = hn::MulAdd(slope[m], value, sums[m][n]);
          }
          dy += kInterleaved<T>;
          offset += x_step;
        }
        for (int n = 0; n < N; ++n) reads.x[n] += reads.row_stride[n];
      }
      column += count;
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) hn::Store(sums[m][n], d, sum_at(m, n));
    }
  }
};

template <class T>
void accumulate(const WeightGradBand<T>& band) {
  const Pieces taps(band.tap_count, most_columns(static_cast<int>(band.out_channels)));
  for (std::int64_t k = 0; k < taps.count(); ++k) {
    const auto block = kBlocks<AccumulateBlock, T>[band.out_channels - 1][taps[k].size() - 1];
    for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += kLanes<T>)
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
  static constexpr std::int64_t block_out_channels = HWY_NAMESPACE::kBlockChannels;
  static constexpr auto correlate = HWY_NAMESPACE::correlate<T>;
  static constexpr auto accumulate = HWY_NAMESPACE::accumulate<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

std::int64_t block_out_channels() {
  return best<Compiled, float>([](auto k) { return k.block_out_channels; });
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
