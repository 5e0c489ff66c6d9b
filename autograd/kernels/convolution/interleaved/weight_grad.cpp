// The weight gradient. Each image of a block has sums of its own, one in each lane. Lanes are added up at the
// end, or after as many positions as a short sum has terms.
#include <vector>

#include "autograd/kernels/convolution/interleaved/kernels.h"
#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/reduce/lane_sums.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

constexpr std::int64_t kBandBytes = 32 * 1024;   // of dy, which all taps read: must stay in L1
constexpr std::int64_t kSumsBytes = 512 * 1024;  // of a slice, which every band reads: half an L2 cache
// Output channels of a slice. They read a band of x one after the other. If there are few images, fewer, so
// that there are at least four slices.
constexpr std::int64_t kMostOutChannels = 16;
constexpr std::int64_t kTasks = 16;  // worth making; each chunk of the batch costs a copy of dw

/// The index-th half of a piece, 0 or 1.
Piece half(Piece whole, int index) {
  const std::int64_t middle = whole.begin + (whole.size() + 1) / 2;
  return index == 0 ? Piece{whole.begin, middle} : Piece{middle, whole.end};
}

/// The terms of a sum: output positions of some blocks of images.
struct Region {
  Piece blocks, rows, columns;
  std::int64_t size() const { return blocks.size() * rows.size() * columns.size(); }
};

/// What a task computes of dw: some channels of one group, [out_channels, in_channels, KH, KW].
struct Slice {
  std::int64_t group;
  Piece out_channels, in_channels;
};

/// What the tasks of one weight gradient share.
template <class T>
struct WeightGrad {
  const Conv2dSizes& s;
  const T *dy, *x;
  std::int64_t in_channels, out_channels, area;  // of a group, and of a kernel
  Axis row_taps;
  Pieces out_pieces, in_pieces;                      // of the channels: slices
  Piece interior;                                    // the columns for which every tap reads inside x
  std::vector<RowTap, BlockAllocator<RowTap>> taps;  // [KH][in_channels of a slice, KW]

  WeightGrad(const Conv2dSizes& s, const T* dy, const T* x)
      : s(s),
        dy(dy),
        x(x),
        in_channels(s.in_channels / s.groups),
        out_channels(s.out_channels / s.groups),
        area(s.kernel_height * s.kernel_width),
        row_taps(row_axis(s)),
        out_pieces(out_channels, std::clamp(out_channels * interleaved_blocks<T>(s.batch) * s.groups / 16 * 4,
                                            block_out_channels(), kMostOutChannels)),
        in_pieces(in_channels,
                  std::max<std::int64_t>(kSumsBytes / (kMostOutChannels * area * kBlockBytes), 1)),
        interior(
            overlap(column_axis(s).outputs_inside(0), column_axis(s).outputs_inside(s.kernel_width - 1))) {
    taps.reserve(static_cast<std::size_t>(in_pieces.largest() * area));
    for (std::int64_t u = 0; u < s.kernel_height; ++u)
      for (std::int64_t c = 0; c < in_pieces.largest(); ++c)
        for (std::int64_t v = 0; v < s.kernel_width; ++v)
          taps.push_back({c, column_axis(s).input(0, v),
                          c * area + kernel_index(s.kernel_height, s.kernel_width, s.flip, u, v)});
  }

  std::int64_t slices() const { return s.groups * out_pieces.count() * in_pieces.count(); }
  Slice slice(std::int64_t index) const {
    const std::int64_t rest = index / in_pieces.count();
    return {rest / out_pieces.count(), out_pieces[rest % out_pieces.count()],
            in_pieces[index % in_pieces.count()]};
  }

  /// result [out_channels, in_channels, KH, KW] of a slice, out_channels result_step apart, from a region, as
  /// a tree of short sums. sums is scratch memory: a vector for each weight.
  void sum_up(const Region& region, const Slice& slice, T* sums, T* result, std::int64_t result_step) const {
    const std::int64_t step = slice.in_channels.size() * area, count = slice.out_channels.size() * step;
    if (region.size() > kShortSum) {
      Region first = region, second = region;
      const auto axis = region.blocks.size() > 1 ? &Region::blocks
                        : region.rows.size() > 1 ? &Region::rows
                                                 : &Region::columns;
      first.*axis = half(region.*axis, 0);
      second.*axis = half(region.*axis, 1);
      const Scratch<T> more(count);
      sum_up(first, slice, sums, result, result_step);
      sum_up(second, slice, sums, more.get(), step);
      for (std::int64_t o = 0; o < slice.out_channels.size(); ++o)
        add_to(step, more.get() + o * step, result + o * result_step);
      return;
    }
    std::fill_n(sums, count * kInterleaved<T>, T(0));
    for (std::int64_t block = region.blocks.end - 1; block >= region.blocks.begin; --block) {
      accumulate(block, region, slice, sums);
      if (block == interleaved_blocks<T>(s.batch) - 1)
        clear_spare_lanes(count, last_block_images<T>(s.batch), sums);  // before others add
    }
    for (std::int64_t o = 0; o < slice.out_channels.size(); ++o)
      add_up_lanes(step, sums + o * step * kInterleaved<T>, result + o * result_step);
  }

  /// Adds the products of one block of images, at a region's positions, to a slice's sums.
  void accumulate(std::int64_t block, const Region& region, const Slice& slice, T* sums) const {
    const Pieces channels(slice.out_channels.size(), block_out_channels());
    const std::int64_t row_bytes = channels.largest() * region.columns.size() * kBlockBytes;
    const Pieces bands(region.rows.size(), std::max<std::int64_t>(kBandBytes / row_bytes, 1));
    for (std::int64_t b = 0; b < bands.count(); ++b)
      for (std::int64_t o = 0; o < channels.count(); ++o)
        accumulate_rows(block, slice, {region.rows.begin + bands[b].begin, region.rows.begin + bands[b].end},
                        region.columns, channels[o], sums);
  }

  /// The same for some rows and at most block_out_channels() of the slice's output channels.
  void accumulate_rows(std::int64_t block, const Slice& slice, Piece rows, Piece columns, Piece channels,
                       T* sums) const {
    const std::int64_t out_channel =
        block * s.out_channels + slice.group * out_channels + slice.out_channels.begin + channels.begin;
    const std::int64_t in_channel =
        block * s.in_channels + slice.group * in_channels + slice.in_channels.begin;
    const std::int64_t dy_row = s.out_width * kInterleaved<T>, dy_channel = s.out_height * dy_row;
    const std::int64_t x_row = s.width * kInterleaved<T>, x_channel = s.height * x_row;
    const std::int64_t sums_stride = slice.in_channels.size() * area * kInterleaved<T>;
    for (std::int64_t u = 0; u < s.kernel_height; ++u) {
      const Piece inside = overlap(rows, row_taps.outputs_inside(u));
      if (inside.size() == 0) continue;
      accumulate_band(WeightGradBand<T>{
          .dy = dy + out_channel * dy_channel + inside.begin * dy_row,
          .dy_channel_stride = dy_channel,
          .dy_row_stride = dy_row,
          .rows = inside.size(),
          .out_channels = channels.size(),
          .columns = columns,
          .x = x + in_channel * x_channel + row_taps.input(inside.begin, u) * x_row,
          .x_channel_stride = x_channel,
          .x_row_stride = s.stride_height * x_row,
          .width = s.width,
          .column_step = s.stride_width,
          .interior = overlap(columns, interior),
          .taps = taps.data() + u * in_pieces.largest() * s.kernel_width,
          .tap_count = slice.in_channels.size() * s.kernel_width,
          .sums = sums + channels.begin * sums_stride,
          .sums_stride = sums_stride,
      });
    }
  }
};

}  // namespace

template <class T>
void conv2d_weight_grad_interleaved(const Conv2dSizes& s, const T* dy, const T* x, T* dw) {
  const WeightGrad<T> job(s, dy, x);
  const std::int64_t weights = s.out_channels * job.in_channels * job.area,
                     blocks = interleaved_blocks<T>(s.batch);
  if (blocks == 0) return static_cast<void>(std::fill_n(dw, weights, T(0)));
  const Pieces chunks(blocks, std::max<std::int64_t>(blocks * job.slices() / kTasks, 1));
  const Scratch<T> partial((chunks.count() - 1) * weights);  // dw of every chunk but the first
  const std::int64_t work = blocks * s.out_height * s.out_width * kInterleaved<T> * weights;

  parallel_for(chunks.count() * job.slices(), work, [&](std::int64_t task) {
    const std::int64_t chunk = task / job.slices();
    const Slice slice = job.slice(task % job.slices());
    const Scratch<T> sums(slice.out_channels.size() * slice.in_channels.size() * job.area * kInterleaved<T>);
    T* result = chunk == 0 ? dw : partial.get() + (chunk - 1) * weights;
    const std::int64_t out_channel = slice.group * job.out_channels + slice.out_channels.begin;
    job.sum_up({chunks[chunk], {0, s.out_height}, {0, s.out_width}}, slice, sums.get(),
               result + (out_channel * job.in_channels + slice.in_channels.begin) * job.area,
               job.in_channels * job.area);
  });
  for (std::int64_t chunk = 1; chunk < chunks.count(); ++chunk)
    add_to(weights, partial.get() + (chunk - 1) * weights, dw);
}

template void conv2d_weight_grad_interleaved(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_weight_grad_interleaved(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
