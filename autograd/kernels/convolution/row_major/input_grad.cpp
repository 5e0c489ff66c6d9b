// The input gradient of few images, in the row layout: a correlation of dy with the weights turned round,
// once for each phase of the strides; or, of small images, all products of weights with dy, which are then
// added up.
#include <algorithm>

#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/convolution/row_major/row_major.h"
#include "autograd/kernels/convolution/strategy.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

/// dx of one image's group of channels at the positions of one phase.
template <class T>
void input_grad_phase(const Conv2dSizes& s, const Phase& rows, const Phase& columns, const T* dy, const T* w,
                      T* dx) {
  const PlaneConvolution c = phase_convolution(s, rows, columns);
  const std::int64_t area = s.kernel_height * s.kernel_width;
  const WeightSteps steps{.row = area,
                          .source = c.out_channels * area,
                          .tap_row = rows.tap_step * s.kernel_width,
                          .tap_column = columns.tap_step};
  w += rows.first_tap * s.kernel_width + columns.first_tap;
  if (!is_strided(s)) return convolve_planes<T>(c, steps, dy, w, nullptr, dx);
  const Scratch<T> dense(c.out_channels * c.positions());
  convolve_planes<T>(c, steps, dy, w, nullptr, dense.get());
  const T* from = dense.get();
  for (std::int64_t plane = 0; plane < c.out_channels; ++plane)
    for (std::int64_t q = 0; q < c.rows.out; ++q) {
      T* to = dx + (plane * s.height + rows.first + q * rows.step) * s.width + columns.first;
      for (std::int64_t j = 0; j < c.columns.out; ++j) to[j * columns.step] = *from++;
    }
}

/// dx of one image's group of channels, phase by phase.
template <class T>
void input_grad_by_phases(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  if (is_strided(s)) std::fill_n(dx, GroupSizes(s).x, T(0));  // Some positions may meet no tap.
  for (std::int64_t a = 0; a < std::min(s.stride_height, s.height); ++a)
    for (std::int64_t b = 0; b < std::min(s.stride_width, s.width); ++b) {
      const Phase rows = row_phase(s, a), columns = column_phase(s, b);
      if (rows.axis.taps > 0 && columns.axis.taps > 0) input_grad_phase(s, rows, columns, dy, w, dx);
    }
}

/// dx of one image's group of channels, by way of products[c, u, v] = sum_o w[o, c, u, v] dy[o] for a few
/// channels c at a time.
template <class T>
void input_grad_by_fold(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  constexpr std::int64_t kFewestProducts = 16;  // rows that make efficient tiles
  const auto& kernels = row_kernels<T>();
  const std::int64_t channels = s.in_channels / s.groups, maps = s.out_channels / s.groups;
  const std::int64_t area = s.kernel_height * s.kernel_width, positions = s.out_height * s.out_width;
  const std::int64_t margin = (s.kernel_height - 1) * s.dilation_height * s.out_width;
  const std::int64_t together = divide_up(kFewestProducts, area);
  const PlaneConvolution c{.in_channels = maps,
                           .out_channels = together * area,
                           .out_stride = positions + margin,
                           .rows = {.in = 1, .out = 1, .taps = 1},
                           .columns = {.in = positions, .out = positions, .taps = 1}};
  const WeightSteps steps{.row = 1, .source = channels * area};
  const Scratch<T> dy_copy(maps * positions + kernels.vector_size);  // A register reads past the end.
  std::copy_n(dy, maps * positions, dy_copy.get());
  const std::int64_t work = maps * channels * area * positions, chunks = chunks_of(work, channels / together);
  parallel_for(chunks, work, [&](std::int64_t chunk) {
    const Scratch<Segment> segments(tap_order(c).segment_count);
    list_segments(c, steps, segments.get());
    const Scratch<T> products(c.out_channels * c.out_stride + margin + kernels.vector_size);
    for (std::int64_t row = 0; row <= c.out_channels; ++row)
      std::fill_n(products.get() + row * c.out_stride, margin, T(0));
    const Piece some = piece(channels, chunks, chunk);
    for (std::int64_t first = some.begin; first < some.end; first += together) {
      const std::int64_t count = std::min(together, some.end - first);
      kernels.convolve(c, steps, segments.get(), dy_copy.get(), w + first * area, nullptr, {0, count * area},
                       products.get() + margin);
      for (std::int64_t i = 0; i < count; ++i)
        kernels.fold(s, products.get() + margin + i * area * c.out_stride, c.out_stride,
                     dx + (first + i) * s.height * s.width);
    }
  });
}

/// dx of one image's group of channels, product by product.
template <class T>
void input_grad_directly(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  std::fill_n(dx, GroupSizes(s).x, T(0));
  for_each_product(s, [&](auto iy, auto ix, auto iw) { dx[ix] += dy[iy] * w[iw]; });
}

}  // namespace

template <class T>
void conv2d_input_grad_row_major(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  const GroupSizes group(s);
  const Strategy strategy = input_grad_strategy(s, row_kernels<T>().vector_size);
  if (strategy == Strategy::along_out_channels)
    return input_grad_along_maps(input_grad_convolution(s), s, dy, w, dx);
  const auto of_group = strategy == Strategy::product_by_product ? input_grad_directly<T>
                        : strategy == Strategy::col2im           ? input_grad_by_fold<T>
                                                                 : input_grad_by_phases<T>;
  for_images(s.batch * s.groups, group.products, [&](std::int64_t i) {
    of_group(s, dy + i * group.y, w + i % s.groups * group.w, dx + i * group.x);
  });
}

template void conv2d_input_grad_row_major(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_input_grad_row_major(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
