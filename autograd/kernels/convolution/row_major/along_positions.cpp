#include "autograd/kernels/convolution/row_major/along_positions.h"

#include <algorithm>

#include "autograd/kernels/convolution/row_major/chunks.h"
#include "autograd/kernels/convolution/row_major/kernels.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {

TapOrder tap_order(const ImageConvolution& c) {
  // Long inner loops are fast.
  if (c.in_channels <= c.columns.taps) return {false, 1, c.rows.taps * c.in_channels, c.columns.taps};
  // But a tile returns to the weights of the same channels for every tap, so these must stay in the cache.
  constexpr std::int64_t kMostTaps = 640, kFewestChannels = 16;
  std::int64_t channels = c.in_channels;
  for (std::int64_t blocks = 2; channels * c.area() > kMostTaps && c.in_channels >= blocks * kFewestChannels;
       ++blocks)
    if (c.in_channels % blocks == 0) channels = c.in_channels / blocks;
  return {true, c.in_channels / channels, c.in_channels / channels * c.area(), channels};
}

void list_segments(const ImageConvolution& c, const WeightSteps& steps, Segment* segments) {
  const TapOrder order = tap_order(c);
  const std::int64_t copy_size = c.copy_size(), channel_copies = c.columns.taps * copy_size;
  const Segment next_block{order.depth * steps.in_channel, order.depth * channel_copies};
  const Segment next_outer = order.channels_inside ? Segment{steps.tap_column, copy_size}
                                                   : Segment{steps.in_channel, channel_copies};
  const std::int64_t outer = order.segment_count / order.blocks / c.rows.taps;
  for (std::int64_t block = 0; block < order.blocks; ++block)
    for (std::int64_t i = 0; i < outer; ++i)
      for (std::int64_t u = 0; u < c.rows.taps; ++u)
        *segments++ = {block * next_block.a + i * next_outer.a + u * steps.tap_row,
                       block * next_block.b + i * next_outer.b + c.tap_offset(u)};
}

template <class T>
void convolve_along_positions(const ImageConvolution& whole, const WeightSteps& steps, const T* in,
                              const T* w, const T* start, T* out) {
  const auto& kernels = row_major_kernels<T>();
  const std::int64_t work = whole.products();
  const std::int64_t bands = bands_of(whole, work);
  const std::int64_t most_pieces =
      std::max(whole.out_channels / 64, std::min(whole.out_channels / 32, 2 / bands));
  const std::int64_t pieces = bands >= 4 ? 1 : chunks_of(work / bands, most_pieces);
  parallel_for(bands * pieces, work, [&](std::int64_t chunk) {
    const Piece rows = piece(whole.rows.out, bands, chunk / pieces);
    const ImageConvolution c = whole.band(rows);
    const Scratch<Segment> segments(tap_order(c).segment_count);
    list_segments(c, steps, segments.get());
    const Scratch<T> copies(c.copies_size(c.in_channels));
    kernels.im2col(c, {0, c.in_channels}, in, copies.get());
    kernels.convolve(c, steps, segments.get(), copies.get(), w, start,
                     piece(c.out_channels, pieces, chunk % pieces), out + rows.begin * c.columns.out);
  });
}

template void convolve_along_positions(const ImageConvolution&, const WeightSteps&, const float*,
                                       const float*, const float*, float*);
template void convolve_along_positions(const ImageConvolution&, const WeightSteps&, const double*,
                                       const double*, const double*, double*);

}  // namespace adjoint::kernels
