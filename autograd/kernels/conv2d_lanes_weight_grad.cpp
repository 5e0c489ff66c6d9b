// The weight gradient in the lanes layout. Each image of a block has its own sums, lane by lane; lanes are
// added up once, at the end.

#include <vector>

#include "autograd/kernels/conv2d_lanes.h"
#include "autograd/kernels/lane_sums.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/scratch.h"

namespace adjoint::kernels {
namespace {

constexpr std::int64_t kBandBytes =
    20 * 1024;                       // of dy, which is read again for every kernel position: must stay in L1
constexpr std::int64_t kTasks = 16;  // worth making; each chunk of the batch costs a copy of dw

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

/// Output positions in [0, out) whose product with kernel position `tap` reads inside an axis of size `in`.
struct Positions {
  std::int64_t begin, end;
};
Positions positions(std::int64_t tap, std::int64_t in, std::int64_t out, std::int64_t stride,
                    std::int64_t padding, std::int64_t dilation) {
  const std::int64_t offset = tap * dilation - padding;
  return {std::clamp<std::int64_t>(ceil_div(-offset, stride), 0, out),
          std::clamp<std::int64_t>(ceil_div(in - offset, stride), 0, out)};
}

/// What every task of one weight gradient shares.
template <class T>
struct WeightGrad {
  const Conv2dSizes& sizes;
  const T* dy;
  const T* x;
  std::int64_t channels, maps, kernel_area;               // channels and maps: per group
  std::vector<KernelTap, PoolAllocator<KernelTap>> taps;  // [KH][channels, KW]
  Positions interior;

  WeightGrad(const Conv2dSizes& s, const T* dy, const T* x);
  std::int64_t sums_per_map() const { return channels * kernel_area; }
  void accumulate(std::int64_t block, std::int64_t group, std::int64_t map, std::int64_t maps, T* sums) const;
};

template <class T>
WeightGrad<T>::WeightGrad(const Conv2dSizes& s, const T* dy, const T* x)
    : sizes(s),
      dy(dy),
      x(x),
      channels(s.in_channels / s.groups),
      maps(s.out_channels / s.groups),
      kernel_area(s.kernel_height * s.kernel_width),
      interior{0, s.out_width} {
  taps.reserve(static_cast<std::size_t>(sums_per_map()));
  for (std::int64_t u = 0; u < s.kernel_height; ++u)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t v = 0; v < s.kernel_width; ++v) {
        const std::int64_t row = s.flip ? s.kernel_height - 1 - u : u,
                           column = s.flip ? s.kernel_width - 1 - v : v;
        taps.push_back({c, v * s.dilation_width - s.padding_width,
                        (c * s.kernel_height + row) * s.kernel_width + column});
      }
  for (std::int64_t v = 0; v < s.kernel_width; ++v) {
    const Positions inside =
        positions(v, s.width, s.out_width, s.stride_width, s.padding_width, s.dilation_width);
    interior = {std::max(interior.begin, inside.begin), std::min(interior.end, inside.end)};
  }
}

/// Adds the products of one block of images to sums [maps, channels, KH, KW, lanes], for some maps of one
/// group.
template <class T>
void WeightGrad<T>::accumulate(std::int64_t block, std::int64_t group, std::int64_t map,
                               std::int64_t map_count, T* sums) const {
  const Conv2dSizes& s = sizes;
  const std::int64_t dy_row = s.out_width * kLanes<T>, dy_plane = s.out_height * dy_row;
  const std::int64_t x_row = s.width * kLanes<T>, x_plane = s.height * x_row;
  const T* dy_maps = dy + (block * s.out_channels + group * maps + map) * dy_plane;
  const T* x_group = x + (block * s.groups + group) * channels * x_plane;
  const std::int64_t row_bytes = map_count * dy_row * static_cast<std::int64_t>(sizeof(T));
  const Cut bands(s.out_height, std::max<std::int64_t>(kBandBytes / row_bytes, 1));
  for (std::int64_t b = 0; b < bands.parts(); ++b)
    for (std::int64_t u = 0; u < s.kernel_height; ++u) {
      const Positions inside =
          positions(u, s.height, s.out_height, s.stride_height, s.padding_height, s.dilation_height);
      const std::int64_t begin = std::max(bands.first(b), inside.begin),
                         end = std::min(bands.first(b + 1), inside.end);
      if (begin >= end) continue;
      accumulate_band(WeightGradBand<T>{
          .dy = dy_maps + begin * dy_row,
          .map_stride = dy_plane,
          .dy_row_stride = dy_row,
          .rows = end - begin,
          .columns = s.out_width,
          .maps = map_count,
          .x = x_group + (begin * s.stride_height + u * s.dilation_height - s.padding_height) * x_row,
          .channel_stride = x_plane,
          .x_row_stride = s.stride_height * x_row,
          .width = s.width,
          .column_step = s.stride_width,
          .interior_begin = interior.begin,
          .interior_end = interior.end,
          .taps = taps.data() + u * channels * s.kernel_width,
          .tap_count = channels * s.kernel_width,
          .sums = sums,
          .sums_stride = sums_per_map() * kLanes<T>,
      });
    }
}

}  // namespace

template <class T>
void conv2d_weight_grad_lanes(const Conv2dSizes& s, const T* dy, const T* x, T* dw) {
  const WeightGrad<T> job(s, dy, x);
  const std::int64_t weights = s.out_channels * job.sums_per_map(), blocks = lane_blocks<T>(s.batch);
  if (blocks == 0) {
    std::fill(dw, dw + weights, T(0));
    return;
  }
  const Cut map_blocks(job.maps, kBlockChannels);
  const std::int64_t dw_parts = s.groups * map_blocks.parts();
  const Cut chunks(blocks, std::max<std::int64_t>(blocks * dw_parts / kTasks, 1));
  const Scratch<T> partial((chunks.parts() - 1) * weights);  // dw of every chunk but the first
  const std::int64_t work = blocks * s.out_height * s.out_width * kLanes<T> * weights;

  parallel_for(chunks.parts() * dw_parts, work, [&](std::int64_t task) {
    const std::int64_t chunk = task / dw_parts, group = task % dw_parts / map_blocks.parts();
    const std::int64_t map = map_blocks.first(task % map_blocks.parts()),
                       maps = map_blocks.size(task % map_blocks.parts());
    const std::int64_t count = maps * job.sums_per_map();
    const Scratch<T> sums(count * kLanes<T>);
    std::fill(sums.get(), sums.get() + count * kLanes<T>, T(0));
    for (std::int64_t block = chunks.first(chunk + 1) - 1; block >= chunks.first(chunk); --block) {
      job.accumulate(block, group, map, maps, sums.get());
      if (block == blocks - 1)
        clear_spare_lanes(count, last_block_images<T>(s.batch), sums.get());  // before others add
    }
    T* result = chunk == 0 ? dw : partial.get() + (chunk - 1) * weights;
    add_up_lanes(count, sums.get(), result + (group * job.maps + map) * job.sums_per_map());
  });
  for (std::int64_t chunk = 1; chunk < chunks.parts(); ++chunk) {
    const T* more = partial.get() + (chunk - 1) * weights;
    for (std::int64_t i = 0; i < weights; ++i) dw[i] += more[i];
  }
}

template void conv2d_weight_grad_lanes(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_weight_grad_lanes(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
