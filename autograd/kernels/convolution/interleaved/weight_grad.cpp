// The weight gradient in the lanes layout. Each image of a block has its own sums, lane by lane; lanes are
// added up at the end, or after a short sum's length of positions.

#include <vector>

#include "autograd/kernels/convolution/interleaved/kernels.h"
#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/reduce/lane_sums.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

// Of dy, which all taps read: must stay in L1.
constexpr std::int64_t kBandBytes = 32 * 1024;
// Of a task's sums, which every band reads: half an L2 cache or less.
constexpr std::int64_t kSumsBytes = 512 * 1024;
// Of a task, which read a band of x one after the other; fewer, so that there are at least four tasks, where
// there are few images.
constexpr std::int64_t kMostMaps = 16;
// Worth making; each chunk of the batch costs a copy of dw.
constexpr std::int64_t kTasks = 16;

/// The index-th half of a piece, 0 or 1.
Piece half(Piece whole, int index) {
  const std::int64_t middle = whole.begin + (whole.size() + 1) / 2;
  return index == 0 ? Piece{whole.begin, middle} : Piece{middle, whole.end};
}

/// Output positions of some blocks of images: where a gradient's terms lie.
struct Region {
  Piece blocks, rows, columns;
  std::int64_t size() const { return blocks.size() * rows.size() * columns.size(); }
};

/// Some maps and channels of one group: sums [maps, channels, KH, KW, lanes].
struct Part {
  std::int64_t group;
  Piece maps, channels;
};

/// What every task of one weight gradient shares.
template <class T>
struct WeightGrad {
  const Conv2dSizes& sizes;
  const T *dy, *x;
  std::int64_t channels, maps, area;  // of a group, and of a kernel
  Pieces map_parts, channel_parts;
  std::vector<KernelTap, BlockAllocator<KernelTap>> taps;  // [KH][channels of a part, KW]
  Piece interior;

  WeightGrad(const Conv2dSizes& s, const T* dy, const T* x);
  std::int64_t parts() const { return sizes.groups * map_parts.count() * channel_parts.count(); }
  Part part(std::int64_t number) const;
  void sum_up(const Region& region, const Part& part, T* sums, T* result, std::int64_t result_map) const;
  void accumulate(std::int64_t block, const Region& region, const Part& part, T* sums) const;
  void accumulate_rows(std::int64_t block, const Part& part, Piece rows, Piece columns, Piece maps,
                       T* sums) const;
};

template <class T>
WeightGrad<T>::WeightGrad(const Conv2dSizes& s, const T* dy, const T* x)
    : sizes(s),
      dy(dy),
      x(x),
      channels(s.in_channels / s.groups),
      maps(s.out_channels / s.groups),
      area(s.kernel_height * s.kernel_width),
      map_parts(maps, std::clamp(maps * interleaved_blocks<T>(s.batch) * s.groups / 16 * 4, block_channels(),
                                 kMostMaps)),
      channel_parts(channels, std::max<std::int64_t>(kSumsBytes / (kMostMaps * area * kBlockBytes), 1)),
      interior(overlap(column_axis(s).outputs_inside(0), column_axis(s).outputs_inside(s.kernel_width - 1))) {
  const std::int64_t most_channels = channel_parts.largest();
  taps.reserve(static_cast<std::size_t>(most_channels * area));
  for (std::int64_t u = 0; u < s.kernel_height; ++u)
    for (std::int64_t c = 0; c < most_channels; ++c)
      for (std::int64_t v = 0; v < s.kernel_width; ++v) {
        const std::int64_t row = s.flip ? s.kernel_height - 1 - u : u,
                           column = s.flip ? s.kernel_width - 1 - v : v;
        taps.push_back({c, v * s.dilation_width - s.padding_width,
                        (c * s.kernel_height + row) * s.kernel_width + column});
      }
}

template <class T>
Part WeightGrad<T>::part(std::int64_t number) const {
  const std::int64_t c = number % channel_parts.count(), rest = number / channel_parts.count();
  const std::int64_t m = rest % map_parts.count(), group = rest / map_parts.count();
  return {group, map_parts[m], channel_parts[c]};
}

/// result [maps, channels, KH, KW], maps so far apart, of a region: as a tree of short sums. sums is scratch.
template <class T>
void WeightGrad<T>::sum_up(const Region& region, const Part& part, T* sums, T* result,
                           std::int64_t result_map) const {
  const std::int64_t per_map = part.channels.size() * area, count = part.maps.size() * per_map;
  if (region.size() > kShortSum) {
    Region first = region, second = region;
    const auto range = region.blocks.size() > 1 ? &Region::blocks
                       : region.rows.size() > 1 ? &Region::rows
                                                : &Region::columns;
    first.*range = half(region.*range, 0);
    second.*range = half(region.*range, 1);
    const Scratch<T> more(count);
    sum_up(first, part, sums, result, result_map);
    sum_up(second, part, sums, more.get(), per_map);
    for (std::int64_t m = 0; m < part.maps.size(); ++m)
      add_to(per_map, more.get() + m * per_map, result + m * result_map);
    return;
  }
  std::fill_n(sums, count * kInterleaved<T>, T(0));
  for (std::int64_t block = region.blocks.end - 1; block >= region.blocks.begin; --block) {
    accumulate(block, region, part, sums);
    if (block == interleaved_blocks<T>(sizes.batch) - 1)
      clear_spare_lanes(count, last_block_images<T>(sizes.batch), sums);  // before others add
  }
  for (std::int64_t m = 0; m < part.maps.size(); ++m)
    add_up_lanes(per_map, sums + m * per_map * kInterleaved<T>, result + m * result_map);
}

/// Adds the products of one block of images, at a region's positions, to a part's sums.
template <class T>
void WeightGrad<T>::accumulate(std::int64_t block, const Region& region, const Part& part, T* sums) const {
  const Pieces blocks(part.maps.size(), block_channels());
  const std::int64_t row_bytes = blocks.largest() * region.columns.size() * kBlockBytes;
  const Pieces bands(region.rows.size(), std::max<std::int64_t>(kBandBytes / row_bytes, 1));
  for (std::int64_t b = 0; b < bands.count(); ++b)
    for (std::int64_t m = 0; m < blocks.count(); ++m)
      accumulate_rows(block, part, {region.rows.begin + bands[b].begin, region.rows.begin + bands[b].end},
                      region.columns, blocks[m], sums);
}

/// The same for some of these rows and at most block_channels() of the part's maps.
template <class T>
void WeightGrad<T>::accumulate_rows(std::int64_t block, const Part& part, Piece rows, Piece columns,
                                    Piece some_maps, T* sums) const {
  const Conv2dSizes& s = sizes;
  const std::int64_t map = block * s.out_channels + part.group * maps + part.maps.begin + some_maps.begin;
  const std::int64_t channel = block * s.in_channels + part.group * channels + part.channels.begin;
  const std::int64_t dy_row = s.out_width * kInterleaved<T>, dy_plane = s.out_height * dy_row;
  const std::int64_t x_row = s.width * kInterleaved<T>, x_plane = s.height * x_row;
  for (std::int64_t u = 0; u < s.kernel_height; ++u) {
    const Axis row_taps = row_axis(s);
    const Piece inside = overlap(rows, row_taps.outputs_inside(u));
    if (inside.size() == 0) continue;
    accumulate_band(WeightGradBand<T>{
        .dy = dy + map * dy_plane + inside.begin * dy_row,
        .map_stride = dy_plane,
        .dy_row_stride = dy_row,
        .rows = inside.size(),
        .maps = some_maps.size(),
        .columns = columns,
        .x = x + channel * x_plane + row_taps.input(inside.begin, u) * x_row,
        .channel_stride = x_plane,
        .x_row_stride = s.stride_height * x_row,
        .width = s.width,
        .column_step = s.stride_width,
        .interior = overlap(columns, interior),
        .taps = taps.data() + u * channel_parts.largest() * s.kernel_width,
        .tap_count = part.channels.size() * s.kernel_width,
        .sums = sums + some_maps.begin * part.channels.size() * area * kInterleaved<T>,
        .sums_stride = part.channels.size() * area * kInterleaved<T>,
    });
  }
}

}  // namespace

template <class T>
void conv2d_weight_grad_interleaved(const Conv2dSizes& s, const T* dy, const T* x, T* dw) {
  const WeightGrad<T> job(s, dy, x);
  const std::int64_t weights = s.out_channels * job.channels * job.area,
                     blocks = interleaved_blocks<T>(s.batch);
  if (blocks == 0) {
    std::fill(dw, dw + weights, T(0));
    return;
  }
  const Pieces chunks(blocks, std::max<std::int64_t>(blocks * job.parts() / kTasks, 1));
  const Scratch<T> partial((chunks.count() - 1) * weights);  // dw of every chunk but the first
  const std::int64_t work = blocks * s.out_height * s.out_width * kInterleaved<T> * weights;

  parallel_for(chunks.count() * job.parts(), work, [&](std::int64_t task) {
    const std::int64_t chunk = task / job.parts();
    const Part part = job.part(task % job.parts());
    const Scratch<T> sums(part.maps.size() * part.channels.size() * job.area * kInterleaved<T>);
    T* result = chunk == 0 ? dw : partial.get() + (chunk - 1) * weights;
    const std::int64_t map = part.group * job.maps + part.maps.begin;
    const Region region{chunks[chunk], {0, s.out_height}, {0, s.out_width}};
    job.sum_up(region, part, sums.get(), result + (map * job.channels + part.channels.begin) * job.area,
               job.channels * job.area);
  });
  for (std::int64_t chunk = 1; chunk < chunks.count(); ++chunk)
    add_to(weights, partial.get() + (chunk - 1) * weights, dw);
}

template void conv2d_weight_grad_interleaved(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_weight_grad_interleaved(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
