// Convolutions of few images, in the row layout: shifted copies of an image, then tiles of output planes
// times positions.
#include <algorithm>

#include "autograd/kernels/convolution/conv2d.h"
#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/convolution/row_major/row_major.h"
#include "autograd/kernels/convolution/strategy.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {

TapOrder tap_order(const PlaneConvolution& c) {
  // Longer inner loops are quicker.
  if (c.in_channels <= c.columns.taps) return {false, 1, c.rows.taps * c.in_channels, c.columns.taps};
  // But a tile comes back to its weights of the same sources for every tap.
  constexpr std::int64_t kMostTaps = 640, kFewestSources = 16;
  const std::int64_t area = c.area();
  std::int64_t sources = c.in_channels;
  for (std::int64_t blocks = 2; sources * area > kMostTaps && c.in_channels >= blocks * kFewestSources;
       ++blocks)
    if (c.in_channels % blocks == 0) sources = c.in_channels / blocks;
  return {true, c.in_channels / sources, c.in_channels / sources * area, sources};
}

void list_segments(const PlaneConvolution& c, const WeightSteps& steps, Segment* segments) {
  const TapOrder order = tap_order(c);
  const std::int64_t copy_size = c.copy_size(), source_copies = c.columns.taps * copy_size;
  const Segment next_block{order.depth * steps.source, order.depth * source_copies};
  const Segment next_outer =
      order.sources_inside ? Segment{steps.tap_column, copy_size} : Segment{steps.source, source_copies};
  const std::int64_t outer = order.segment_count / order.blocks / c.rows.taps;
  for (std::int64_t block = 0; block < order.blocks; ++block)
    for (std::int64_t i = 0; i < outer; ++i)
      for (std::int64_t u = 0; u < c.rows.taps; ++u)
        *segments++ = {block * next_block.a + i * next_outer.a + u * steps.tap_row,
                       block * next_block.b + i * next_outer.b + c.tap_offset(u)};
}

template <class T>
void convolve_planes(const PlaneConvolution& whole, const WeightSteps& steps, const T* source, const T* w,
                     const T* start, T* out) {
  const std::int64_t work = whole.out_channels * whole.positions() * whole.taps();
  const std::int64_t bands = bands_of(whole, work);
  const std::int64_t row_pieces =
      bands >= 4 ? 1
                 : chunks_of(work / bands,
                             std::max(whole.out_channels / 64, std::min(whole.out_channels / 32, 2 / bands)));
  parallel_for(bands * row_pieces, work, [&](std::int64_t chunk) {
    const Piece out_rows = piece(whole.rows.out, bands, chunk / row_pieces);
    const PlaneConvolution c = whole.band(out_rows);
    const Scratch<Segment> segments(tap_order(c).segment_count);
    list_segments(c, steps, segments.get());
    const Scratch<T> copies(c.copies_size(c.in_channels));
    row_kernels<T>().shift(c, {0, c.in_channels}, source, copies.get());
    row_kernels<T>().convolve(c, steps, segments.get(), copies.get(), w, start,
                              piece(c.out_channels, row_pieces, chunk % row_pieces),
                              out + out_rows.begin * c.columns.out);
  });
}

namespace {

/// y of one image's group of channels; bias may be null.
template <class T>
void forward_directly(const Conv2dSizes& s, const T* x, const T* w, const T* bias, T* y) {
  const std::int64_t positions = s.out_height * s.out_width;
  for (std::int64_t o = 0; o < s.out_channels / s.groups; ++o)
    std::fill_n(y + o * positions, positions, bias == nullptr ? T(0) : bias[o]);
  for_each_product(s, [&](auto iy, auto ix, auto iw) { y[iy] += x[ix] * w[iw]; });
}

}  // namespace

template <class T>
void conv2d_row_major(const Conv2dSizes& s, const T* x, const T* w, const T* bias, T* y) {
  const PlaneConvolution c = forward_convolution(s);
  const GroupSizes group(s);
  const Strategy strategy = forward_strategy(s, row_kernels<T>().vector_size);
  if (strategy == Strategy::along_out_channels) return forward_along_maps(s, x, w, bias, y);
  const std::int64_t area = s.kernel_height * s.kernel_width, sign = s.flip ? -1 : 1;
  const WeightSteps steps{c.in_channels * area, area, sign * s.kernel_width, sign};
  for_images(s.batch * s.groups, group.products, [&](std::int64_t i) {
    const std::int64_t g = i % s.groups;
    if (strategy == Strategy::product_by_product)
      return forward_directly(s, x + i * group.x, w + g * group.w,
                              bias == nullptr ? nullptr : bias + g * c.out_channels, y + i * group.y);
    convolve_planes(c, steps, x + i * group.x, w + g * group.w + (s.flip ? area - 1 : 0),
                    bias == nullptr ? nullptr : bias + g * c.out_channels, y + i * group.y);
  });
}

template void convolve_planes(const PlaneConvolution&, const WeightSteps&, const float*, const float*,
                              const float*, float*);
template void convolve_planes(const PlaneConvolution&, const WeightSteps&, const double*, const double*,
                              const double*, double*);
template void conv2d_row_major(const Conv2dSizes&, const float*, const float*, const float*, float*);
template void conv2d_row_major(const Conv2dSizes&, const double*, const double*, const double*, double*);

}  // namespace adjoint::kernels
