// Convolutions of few images, in the row layout. Forward: shifted copies of an image, then tiles of output
// planes times positions. The input gradient is the same with the roles of the planes swapped, once per phase
// of the strides, or, of small images, all products of weights with dy, which are then added up.
#include "autograd/kernels/conv2d_rows.h"

#include <algorithm>
#include <numeric>

#include "autograd/kernels/conv2d.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/scratch.h"

namespace adjoint::kernels {

TapOrder tap_order(const PlaneConvolution& c) {
  // Longer inner loops are quicker.
  if (c.sources <= c.tap_columns) return {false, 1, c.tap_rows * c.sources, c.tap_columns};
  // But a tile comes back to its weights of the same sources for every tap.
  constexpr std::int64_t kMostTaps = 640, kFewestSources = 16;
  const std::int64_t area = c.tap_rows * c.tap_columns;
  std::int64_t sources = c.sources;
  for (std::int64_t blocks = 2; sources * area > kMostTaps && c.sources >= blocks * kFewestSources; ++blocks)
    if (c.sources % blocks == 0) sources = c.sources / blocks;
  return {true, c.sources / sources, c.sources / sources * area, sources};
}

namespace {

/// The segments of the tile kernel for tap_order(c).
void list_segments(const PlaneConvolution& c, const WeightSteps& steps, Segment* segments) {
  const TapOrder order = tap_order(c);
  const std::int64_t copy_size = c.copy_size(), source_copies = c.tap_columns * copy_size;
  const Segment next_block{order.depth * steps.source, order.depth * source_copies};
  const Segment next_outer =
      order.sources_inside ? Segment{steps.tap_column, copy_size} : Segment{steps.source, source_copies};
  const std::int64_t outer = order.segment_count / order.blocks / c.tap_rows;
  for (std::int64_t block = 0; block < order.blocks; ++block)
    for (std::int64_t i = 0; i < outer; ++i)
      for (std::int64_t u = 0; u < c.tap_rows; ++u)
        *segments++ = {block * next_block.a + i * next_outer.a + u * steps.tap_row,
                       block * next_block.b + i * next_outer.b + c.tap_offset(u)};
}

/// out [rows, positions] from source [sources, height, width], in bands of output rows and, where these are
/// few, pieces of output planes. Each makes the copies that it needs, so that threads share nothing but
/// source.
template <class T>
void convolve_planes(const PlaneConvolution& whole, const WeightSteps& steps, const T* source, const T* w,
                     const T* start, T* out) {
  const std::int64_t work = whole.rows * whole.positions() * whole.taps();
  const std::int64_t bands = bands_of(whole, work);
  const std::int64_t row_pieces = bands >= 4 ? 1 : chunks_of(work / bands, whole.rows / 64);
  parallel_for(bands * row_pieces, work, [&](std::int64_t chunk) {
    const Piece out_rows = piece(whole.out_height, bands, chunk / row_pieces);
    const PlaneConvolution c = whole.band(out_rows);
    const Scratch<Segment> segments(tap_order(c).segment_count);
    list_segments(c, steps, segments.get());
    const Scratch<T> copies(c.copies_size(c.sources));
    row_kernels<T>().shift(c, {0, c.sources}, source, copies.get());
    row_kernels<T>().convolve(c, steps, segments.get(), copies.get(), w, start,
                              piece(c.rows, row_pieces, chunk % row_pieces),
                              out + out_rows.begin * c.out_width);
  });
}

/// Of the taps u and positions p with p + padding = i stride + u dilation for a whole i, those with one
/// remainder of p + padding: taps first_tap + t tap_step, positions first + q stride, and i = q - t dilation
/// + offset.
struct Phase {
  std::int64_t taps, first_tap, tap_step;
  std::int64_t positions, first;
  std::int64_t dilation, offset;
};

Phase phase(std::int64_t index, std::int64_t size, std::int64_t kernel, std::int64_t stride,
            std::int64_t padding, std::int64_t dilation) {
  const std::int64_t common = std::gcd(stride, dilation);
  Phase p{};
  p.tap_step = stride / common;
  p.dilation = dilation / common;
  p.first = index;
  p.positions = index < size ? divide_up(size - index, stride) : 0;
  while (p.first_tap < std::min(kernel, p.tap_step) &&
         (index + padding - p.first_tap * dilation) % stride != 0)
    ++p.first_tap;
  if (p.first_tap < std::min(kernel, p.tap_step)) p.taps = divide_up(kernel - p.first_tap, p.tap_step);
  p.offset = (index + padding - p.first_tap * dilation) / stride;  // exact when there are taps
  return p;
}

/// dx of one image's group of channels at the positions of one phase.
template <class T>
void input_grad_phase(const Conv2dSizes& s, const Phase& rows, const Phase& columns, const T* dy, const T* w,
                      T* dx) {
  const std::int64_t group_inputs = s.in_channels / s.groups, area = s.kernel_height * s.kernel_width;
  // Turned round, taps step forward through dy.
  const PlaneConvolution c{.sources = s.out_channels / s.groups,
                           .source_height = s.out_height,
                           .source_width = s.out_width,
                           .rows = group_inputs,
                           .out_height = rows.positions,
                           .out_width = columns.positions,
                           .out_stride = rows.positions * columns.positions,
                           .tap_rows = rows.taps,
                           .tap_columns = columns.taps,
                           .row_step = 1,
                           .row_dilation = rows.dilation,
                           .row_offset = rows.offset - (rows.taps - 1) * rows.dilation,
                           .column_step = 1,
                           .column_dilation = columns.dilation,
                           .column_offset = columns.offset - (columns.taps - 1) * columns.dilation};
  const std::int64_t sign = s.flip ? 1 : -1;
  const WeightSteps steps{.row = area,
                          .source = group_inputs * area,
                          .tap_row = sign * rows.tap_step * s.kernel_width,
                          .tap_column = sign * columns.tap_step};
  const auto first_stored = [&](const Phase& p, std::int64_t kernel) {
    const std::int64_t last_tap = p.first_tap + (p.taps - 1) * p.tap_step;
    return s.flip ? kernel - 1 - last_tap : last_tap;
  };
  w += first_stored(rows, s.kernel_height) * s.kernel_width + first_stored(columns, s.kernel_width);
  if (s.stride_height == 1 && s.stride_width == 1)
    return convolve_planes(c, steps, dy, w, static_cast<const T*>(nullptr), dx);
  const Scratch<T> dense(c.rows * c.positions());
  convolve_planes(c, steps, dy, w, static_cast<const T*>(nullptr), dense.get());
  const T* from = dense.get();
  for (std::int64_t plane = 0; plane < c.rows; ++plane)
    for (std::int64_t q = 0; q < c.out_height; ++q) {
      T* to = dx + (plane * s.height + rows.first + q * s.stride_height) * s.width + columns.first;
      for (std::int64_t j = 0; j < c.out_width; ++j) to[j * s.stride_width] = *from++;
    }
}

/// Whether dx is quicker as all products of taps with dy, which are then added up, than as a correlation with
/// the zeros around dy. Counts registers of multiply-adds, and of products read.
bool fold_pays(const Conv2dSizes& s, std::int64_t vector_size) {
  if (s.stride_height > 1 || s.stride_width > 1) return false;
  const std::int64_t maps = s.out_channels / s.groups;
  const std::int64_t correlated = maps * divide_up(s.height * s.width, vector_size);
  const std::int64_t multiplied = maps * divide_up(s.out_height * s.out_width, vector_size);
  const std::int64_t added = s.out_height * divide_up(s.width, vector_size);
  return multiplied + 2 * added < correlated;
}

/// dx of one image's group of channels, by way of products[c, u, v] = sum_o w[o, c, u, v] dy[o] for one
/// channel c after the other.
template <class T>
void input_grad_by_fold(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  const auto& kernels = row_kernels<T>();
  const std::int64_t channels = s.in_channels / s.groups, maps = s.out_channels / s.groups;
  const std::int64_t area = s.kernel_height * s.kernel_width, positions = s.out_height * s.out_width;
  const std::int64_t margin = (s.kernel_height - 1) * s.dilation_height * s.out_width;
  const PlaneConvolution c{.sources = maps,
                           .source_height = s.out_height,
                           .source_width = s.out_width,
                           .rows = area,
                           .out_height = 1,
                           .out_width = positions,
                           .out_stride = positions + margin,
                           .tap_rows = 1,
                           .tap_columns = 1,
                           .row_step = 1,
                           .row_dilation = 1,
                           .row_offset = 0,
                           .column_step = 1,
                           .column_dilation = 1,
                           .column_offset = 0};
  const std::int64_t step = s.flip ? -1 : 1;
  const WeightSteps steps{.row = step, .source = channels * area, .tap_row = 0, .tap_column = 0};
  const Scratch<T> dy_copy(maps * positions + kernels.vector_size);  // A register reads past the end.
  std::copy_n(dy, maps * positions, dy_copy.get());
  const std::int64_t work = maps * channels * area * positions, chunks = chunks_of(work, channels);
  parallel_for(chunks, work, [&](std::int64_t chunk) {
    const Scratch<T> products(area * c.out_stride + margin + kernels.vector_size);
    for (std::int64_t tap = 0; tap <= area; ++tap)
      std::fill_n(products.get() + tap * c.out_stride, margin, T(0));
    const Piece some = piece(channels, chunks, chunk);
    for (std::int64_t channel = some.begin; channel < some.end; ++channel) {
      kernels.convolve(c, steps, &kOneSegment, dy_copy.get(), w + channel * area + (s.flip ? area - 1 : 0),
                       nullptr, {0, area}, products.get() + margin);
      kernels.fold(s, products.get() + margin, c.out_stride, dx + channel * s.height * s.width);
    }
  });
}

/// dx of one image's group of channels.
template <class T>
void input_grad_group(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  const GroupSizes group(s);
  const bool directly = group.products <= kFewProducts;
  if (directly || s.stride_height > 1 || s.stride_width > 1)
    std::fill_n(dx, group.x, T(0));  // Some positions may meet no tap.
  if (directly) return for_each_product(s, [&](auto iy, auto ix, auto iw) { dx[ix] += dy[iy] * w[iw]; });
  if (fold_pays(s, row_kernels<T>().vector_size)) return input_grad_by_fold(s, dy, w, dx);
  for (std::int64_t a = 0; a < s.stride_height; ++a)
    for (std::int64_t b = 0; b < s.stride_width; ++b) {
      const Phase rows =
          phase(a, s.height, s.kernel_height, s.stride_height, s.padding_height, s.dilation_height);
      const Phase columns =
          phase(b, s.width, s.kernel_width, s.stride_width, s.padding_width, s.dilation_width);
      if (rows.taps * columns.taps * rows.positions * columns.positions == 0) continue;
      input_grad_phase(s, rows, columns, dy, w, dx);
    }
}

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
void conv2d_rows(const Conv2dSizes& s, const T* x, const T* w, const T* bias, T* y) {
  const PlaneConvolution c = forward_convolution(s);
  const GroupSizes group(s);
  if (group.products > kFewProducts && forward_pays_along_maps(c, row_kernels<T>().vector_size))
    return forward_along_maps(s, x, w, bias, y);
  const std::int64_t area = s.kernel_height * s.kernel_width, sign = s.flip ? -1 : 1;
  const WeightSteps steps{c.sources * area, area, sign * s.kernel_width, sign};
  parallel_for(s.batch * s.groups, s.batch * s.groups * group.products, [&](std::int64_t i) {
    const std::int64_t g = i % s.groups;
    if (group.products <= kFewProducts)
      return forward_directly(s, x + i * group.x, w + g * group.w,
                              bias == nullptr ? nullptr : bias + g * c.rows, y + i * group.y);
    convolve_planes(c, steps, x + i * group.x, w + g * group.w + (s.flip ? area - 1 : 0),
                    bias == nullptr ? nullptr : bias + g * c.rows, y + i * group.y);
  });
}

template <class T>
void conv2d_input_grad_rows(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  const GroupSizes group(s);
  parallel_for(s.batch * s.groups, s.batch * s.groups * group.products, [&](std::int64_t i) {
    input_grad_group(s, dy + i * group.y, w + i % s.groups * group.w, dx + i * group.x);
  });
}

template void conv2d_rows(const Conv2dSizes&, const float*, const float*, const float*, float*);
template void conv2d_rows(const Conv2dSizes&, const double*, const double*, const double*, double*);
template void conv2d_input_grad_rows(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_input_grad_rows(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
