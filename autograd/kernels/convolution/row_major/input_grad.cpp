#include <algorithm>

#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/convolution/row_major/along_out_channels.h"
#include "autograd/kernels/convolution/row_major/along_positions.h"
#include "autograd/kernels/convolution/row_major/chunks.h"
#include "autograd/kernels/convolution/row_major/kernels.h"
#include "autograd/kernels/convolution/strategy.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

// dx of one image's group of channels.

template <class T>
void input_grad_product_by_product(const Conv2dSizes& s, const ImageConvolution& forward, const T* dy,
                                   const T* w, T* dx) {
  std::fill_n(dx, forward.in_size(), T(0));
  for_each_product(forward, s.flip, [&](auto iy, auto ix, auto iw) { dx[ix] += dy[iy] * w[iw]; });
}

/// dx at the positions of one phase.
template <class T>
void input_grad_phase(const Conv2dSizes& s, const Phase& rows, const Phase& columns, const T* dy, const T* w,
                      T* dx) {
  const ImageConvolution c = phase_convolution(s, rows, columns);
  const std::int64_t area = s.kernel_height * s.kernel_width;
  const WeightSteps steps{.out_channel = area,
                          .in_channel = c.out_channels * area,
                          .tap_row = rows.tap_step * s.kernel_width,
                          .tap_column = columns.tap_step};
  w += rows.first_tap * s.kernel_width + columns.first_tap;
  if (!is_strided(s)) return convolve_along_positions<T>(c, steps, dy, w, nullptr, dx);
  const Scratch<T> dense(c.out_channels * c.positions());
  convolve_along_positions<T>(c, steps, dy, w, nullptr, dense.get());
  const T* from = dense.get();
  for (std::int64_t channel = 0; channel < c.out_channels; ++channel)
    for (std::int64_t q = 0; q < c.rows.out; ++q) {
      T* to = dx + (channel * s.height + rows.first + q * rows.step) * s.width + columns.first;
      for (std::int64_t j = 0; j < c.columns.out; ++j) to[j * columns.step] = *from++;
    }
}

/// A convolution of dy with the flipped kernel, once for each phase of the strides.
template <class T>
void input_grad_by_phases(const Conv2dSizes& s, const ImageConvolution& forward, const T* dy, const T* w,
                          T* dx) {
  if (is_strided(s)) std::fill_n(dx, forward.in_size(), T(0));  // some positions may have no tap
  for (std::int64_t a = 0; a < std::min(s.stride_height, s.height); ++a)
    for (std::int64_t b = 0; b < std::min(s.stride_width, s.width); ++b) {
      const Phase rows = row_phase(s, a), columns = column_phase(s, b);
      if (rows.axis.taps > 0 && columns.axis.taps > 0) input_grad_phase(s, rows, columns, dy, w, dx);
    }
}

/// products[c, u, v] = sum_o w[o, c, u, v] dy[o], for a few channels c at a time, then added where they
/// belong.
template <class T>
void input_grad_by_col2im(const Conv2dSizes& s, const ImageConvolution& forward, const T* dy, const T* w,
                          T* dx) {
  constexpr std::int64_t kFewestRows = 16;  // that make efficient tiles
  const auto& kernels = row_major_kernels<T>();
  const std::int64_t in_channels = forward.in_channels, out_channels = forward.out_channels;
  const std::int64_t area = forward.area(), positions = forward.positions();
  const std::int64_t margin = (s.kernel_height - 1) * s.dilation_height * s.out_width;
  const std::int64_t together = divide_up(kFewestRows, area);
  const ImageConvolution c{.in_channels = out_channels,
                           .out_channels = together * area,
                           .out_stride = positions + margin,
                           .rows = {.in = 1, .out = 1, .taps = 1},
                           .columns = {.in = positions, .out = positions, .taps = 1}};
  const WeightSteps steps{.out_channel = 1, .in_channel = in_channels * area};
  const Scratch<T> dy_copy(out_channels * positions + kernels.vector_size);  // a register reads past the end
  std::copy_n(dy, out_channels * positions, dy_copy.get());
  const std::int64_t work = forward.products(), chunks = chunks_of(work, in_channels / together);
  parallel_for(chunks, work, [&](std::int64_t chunk) {
    const Scratch<Segment> segments(tap_order(c).segment_count);
    list_segments(c, steps, segments.get());
    const Scratch<T> products(c.out_channels * c.out_stride + margin + kernels.vector_size);
    for (std::int64_t row = 0; row <= c.out_channels; ++row)
      std::fill_n(products.get() + row * c.out_stride, margin, T(0));
    const Piece some = piece(in_channels, chunks, chunk);
    for (std::int64_t first = some.begin; first < some.end; first += together) {
      const std::int64_t count = std::min(together, some.end - first);
      kernels.convolve(c, steps, segments.get(), dy_copy.get(), w + first * area, nullptr, {0, count * area},
                       products.get() + margin);
      for (std::int64_t i = 0; i < count; ++i)
        kernels.col2im(s, products.get() + margin + i * area * c.out_stride, c.out_stride,
                       dx + (first + i) * s.height * s.width);
    }
  });
}

}  // namespace

template <class T>
void conv2d_input_grad_row_major(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  const Strategy strategy = input_grad_strategy(s, row_major_kernels<T>().vector_size);
  if (strategy == Strategy::along_out_channels) return input_grad_along_out_channels(s, dy, w, dx);
  const auto of_group = strategy == Strategy::product_by_product ? input_grad_product_by_product<T>
                        : strategy == Strategy::col2im           ? input_grad_by_col2im<T>
                                                                 : input_grad_by_phases<T>;
  const ImageConvolution forward = forward_convolution(s);
  for_each_group(s.batch * s.groups, forward.products(), [&](std::int64_t i) {
    of_group(s, forward, dy + i * forward.out_size(), w + i % s.groups * forward.weights(),
             dx + i * forward.in_size());
  });
}

template void conv2d_input_grad_row_major(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_input_grad_row_major(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
