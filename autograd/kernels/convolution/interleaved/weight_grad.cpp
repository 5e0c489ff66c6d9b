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

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

/// [begin, end).
struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
  Range first_half() const { return {begin, begin + (size() + 1) / 2}; }
  Range second_half() const { return {begin + (size() + 1) / 2, end}; }
};

/// Output positions of some blocks of images: where a gradient's terms lie.
struct Region {
  Range blocks, rows, columns;
  std::int64_t size() const { return blocks.size() * rows.size() * columns.size(); }
};

/// Output positions in [0, out) whose product with kernel position `tap` reads inside an axis of size `in`.
Range positions(std::int64_t tap, std::int64_t in, std::int64_t out, std::int64_t stride,
                std::int64_t padding, std::int64_t dilation) {
  const std::int64_t offset = tap * dilation - padding;
  return {std::clamp<std::int64_t>(ceil_div(-offset, stride), 0, out),
          std::clamp<std::int64_t>(ceil_div(in - offset, stride), 0, out)};
}

/// Some maps and channels of one group: sums [maps, channels, KH, KW, lanes].
struct Part {
  std::int64_t group, first_map, maps, first_channel, channels;
};

/// What every task of one weight gradient shares.
template <class T>
struct WeightGrad {
  const Conv2dSizes& sizes;
  const T *dy, *x;
  std::int64_t channels, maps, area;  // of a group, and of a kernel
  Cut map_parts, channel_parts;
  std::vector<KernelTap, BlockAllocator<KernelTap>> taps;  // [KH][channels of a part, KW]
  Range interior;

  WeightGrad(const Conv2dSizes& s, const T* dy, const T* x);
  std::int64_t parts() const { return sizes.groups * map_parts.parts() * channel_parts.parts(); }
  Part part(std::int64_t number) const;
  void sum_up(const Region& region, const Part& part, T* sums, T* result, std::int64_t result_map) const;
  void accumulate(std::int64_t block, const Region& region, const Part& part, T* sums) const;
  void accumulate_rows(std::int64_t block, const Part& part, Range rows, Range columns, Range maps,
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
      interior{0, s.out_width} {
  const std::int64_t most_channels = channel_parts.size(0);
  taps.reserve(static_cast<std::size_t>(most_channels * area));
  for (std::int64_t u = 0; u < s.kernel_height; ++u)
    for (std::int64_t c = 0; c < most_channels; ++c)
      for (std::int64_t v = 0; v < s.kernel_width; ++v) {
        const std::int64_t row = s.flip ? s.kernel_height - 1 - u : u,
                           column = s.flip ? s.kernel_width - 1 - v : v;
        taps.push_back({c, v * s.dilation_width - s.padding_width,
                        (c * s.kernel_height + row) * s.kernel_width + column});
      }
  for (std::int64_t v = 0; v < s.kernel_width; ++v) {
    const Range inside =
        positions(v, s.width, s.out_width, s.stride_width, s.padding_width, s.dilation_width);
    interior = {std::max(interior.begin, inside.begin), std::min(interior.end, inside.end)};
  }
}

template <class T>
Part WeightGrad<T>::part(std::int64_t number) const {
  const std::int64_t c = number % channel_parts.parts(), rest = number / channel_parts.parts();
  const std::int64_t m = rest % map_parts.parts(), group = rest / map_parts.parts();
  return {group, map_parts.first(m), map_parts.size(m), channel_parts.first(c), channel_parts.size(c)};
}

/// result [maps, channels, KH, KW], maps so far apart, of a region: as a tree of short sums. sums is scratch.
template <class T>
void WeightGrad<T>::sum_up(const Region& region, const Part& part, T* sums, T* result,
                           std::int64_t result_map) const {
  const std::int64_t per_map = part.channels * area, count = part.maps * per_map;
  if (region.size() > kShortSum) {
    Region first = region, second = region;
    const auto range = region.blocks.size() > 1 ? &Region::blocks
                       : region.rows.size() > 1 ? &Region::rows
                                                : &Region::columns;
    first.*range = (region.*range).first_half();
    second.*range = (region.*range).second_half();
    const Scratch<T> more(count);
    sum_up(first, part, sums, result, result_map);
    sum_up(second, part, sums, more.get(), per_map);
    for (std::int64_t m = 0; m < part.maps; ++m)
      add_to(per_map, more.get() + m * per_map, result + m * result_map);
    return;
  }
  std::fill_n(sums, count * kInterleaved<T>, T(0));
  for (std::int64_t block = region.blocks.end - 1; block >= region.blocks.begin; --block) {
    accumulate(block, region, part, sums);
    if (block == interleaved_blocks<T>(sizes.batch) - 1)
      clear_spare_lanes(count, last_block_images<T>(sizes.batch), sums);  // before others add
  }
  for (std::int64_t m = 0; m < part.maps; ++m)
    add_up_lanes(per_map, sums + m * per_map * kInterleaved<T>, result + m * result_map);
}

/// Adds the products of one block of images, at a region's positions, to a part's sums.
template <class T>
void WeightGrad<T>::accumulate(std::int64_t block, const Region& region, const Part& part, T* sums) const {
  const Cut blocks(part.maps, block_channels());
  const std::int64_t row_bytes = blocks.size(0) * region.columns.size() * kBlockBytes;
  const Cut bands(region.rows.size(), std::max<std::int64_t>(kBandBytes / row_bytes, 1));
  for (std::int64_t b = 0; b < bands.parts(); ++b)
    for (std::int64_t m = 0; m < blocks.parts(); ++m)
      accumulate_rows(block, part,
                      {region.rows.begin + bands.first(b), region.rows.begin + bands.first(b + 1)},
                      region.columns, {blocks.first(m), blocks.first(m + 1)}, sums);
}

/// The same for some of these rows and at most block_channels() of the part's maps.
template <class T>
void WeightGrad<T>::accumulate_rows(std::int64_t block, const Part& part, Range rows, Range columns,
                                    Range some_maps, T* sums) const {
  const Conv2dSizes& s = sizes;
  const std::int64_t map = block * s.out_channels + part.group * maps + part.first_map + some_maps.begin;
  const std::int64_t channel = block * s.in_channels + part.group * channels + part.first_channel;
  const std::int64_t dy_row = s.out_width * kInterleaved<T>, dy_plane = s.out_height * dy_row;
  const std::int64_t x_row = s.width * kInterleaved<T>, x_plane = s.height * x_row;
  for (std::int64_t u = 0; u < s.kernel_height; ++u) {
    const Range inside =
        positions(u, s.height, s.out_height, s.stride_height, s.padding_height, s.dilation_height);
    const std::int64_t begin = std::max(rows.begin, inside.begin), end = std::min(rows.end, inside.end);
    if (begin >= end) continue;
    const std::int64_t first_x_row = begin * s.stride_height + u * s.dilation_height - s.padding_height;
    accumulate_band(WeightGradBand<T>{
        .dy = dy + map * dy_plane + begin * dy_row,
        .map_stride = dy_plane,
        .dy_row_stride = dy_row,
        .rows = end - begin,
        .maps = some_maps.size(),
        .column_begin = columns.begin,
        .column_end = columns.end,
        .x = x + channel * x_plane + first_x_row * x_row,
        .channel_stride = x_plane,
        .x_row_stride = s.stride_height * x_row,
        .width = s.width,
        .column_step = s.stride_width,
        .interior_begin = std::max(interior.begin, columns.begin),
        .interior_end = std::min(interior.end, columns.end),
        .taps = taps.data() + u * channel_parts.size(0) * s.kernel_width,
        .tap_count = part.channels * s.kernel_width,
        .sums = sums + some_maps.begin * part.channels * area * kInterleaved<T>,
        .sums_stride = part.channels * area * kInterleaved<T>,
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
  const Cut chunks(blocks, std::max<std::int64_t>(blocks * job.parts() / kTasks, 1));
  const Scratch<T> partial((chunks.parts() - 1) * weights);  // dw of every chunk but the first
  const std::int64_t work = blocks * s.out_height * s.out_width * kInterleaved<T> * weights;

  parallel_for(chunks.parts() * job.parts(), work, [&](std::int64_t task) {
    const std::int64_t chunk = task / job.parts();
    const Part part = job.part(task % job.parts());
    const Scratch<T> sums(part.maps * part.channels * job.area * kInterleaved<T>);
    T* result = chunk == 0 ? dw : partial.get() + (chunk - 1) * weights;
    const std::int64_t map = part.group * job.maps + part.first_map;
    const Region region{{chunks.first(chunk), chunks.first(chunk + 1)}, {0, s.out_height}, {0, s.out_width}};
    job.sum_up(region, part, sums.get(), result + (map * job.channels + part.first_channel) * job.area,
               job.channels * job.area);
  });
  for (std::int64_t chunk = 1; chunk < chunks.parts(); ++chunk)
    add_to(weights, partial.get() + (chunk - 1) * weights, dw);
}

template void conv2d_weight_grad_interleaved(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_weight_grad_interleaved(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
