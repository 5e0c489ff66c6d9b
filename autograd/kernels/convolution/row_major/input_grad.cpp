// The input gradient of few images, in the row layout: a correlation of dy with the weights turned round,
// once for each phase of the strides; or, of small images, all products of weights with dy, which are then
// added up.
#include <algorithm>
#include <numeric>

#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/convolution/row_major/row_major.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

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

/// dx at the positions of one phase as a convolution of dy: turned round, taps step forward through dy.
PlaneConvolution phase_convolution(const Conv2dSizes& s, const Phase& rows, const Phase& columns) {
  return {.sources = s.out_channels / s.groups,
          .source_height = s.out_height,
          .source_width = s.out_width,
          .rows = s.in_channels / s.groups,
          .out_height = rows.positions,
          .out_width = columns.positions,
          .out_stride = rows.positions * columns.positions,
          .tap_rows = rows.taps,
          .tap_columns = columns.taps,
          .row_dilation = rows.dilation,
          .row_offset = rows.offset - (rows.taps - 1) * rows.dilation,
          .column_dilation = columns.dilation,
          .column_offset = columns.offset - (columns.taps - 1) * columns.dilation};
}

Phase row_phase(const Conv2dSizes& s, std::int64_t index) {
  return phase(index, s.height, s.kernel_height, s.stride_height, s.padding_height, s.dilation_height);
}
Phase column_phase(const Conv2dSizes& s, std::int64_t index) {
  return phase(index, s.width, s.kernel_width, s.stride_width, s.padding_width, s.dilation_width);
}

bool is_strided(const Conv2dSizes& s) { return s.stride_height > 1 || s.stride_width > 1; }

/// dx of one image's group of channels at the positions of one phase.
template <class T>
void input_grad_phase(const Conv2dSizes& s, const Phase& rows, const Phase& columns, const T* dy, const T* w,
                      T* dx) {
  const PlaneConvolution c = phase_convolution(s, rows, columns);
  const std::int64_t area = s.kernel_height * s.kernel_width, sign = s.flip ? 1 : -1;
  const WeightSteps steps{.row = area,
                          .source = c.rows * area,
                          .tap_row = sign * rows.tap_step * s.kernel_width,
                          .tap_column = sign * columns.tap_step};
  const auto first_stored = [&](const Phase& p, std::int64_t kernel) {
    const std::int64_t last_tap = p.first_tap + (p.taps - 1) * p.tap_step;
    return s.flip ? kernel - 1 - last_tap : last_tap;
  };
  w += first_stored(rows, s.kernel_height) * s.kernel_width + first_stored(columns, s.kernel_width);
  if (!is_strided(s)) return convolve_planes<T>(c, steps, dy, w, nullptr, dx);
  const Scratch<T> dense(c.rows * c.positions());
  convolve_planes<T>(c, steps, dy, w, nullptr, dense.get());
  const T* from = dense.get();
  for (std::int64_t plane = 0; plane < c.rows; ++plane)
    for (std::int64_t q = 0; q < c.out_height; ++q) {
      T* to = dx + (plane * s.height + rows.first + q * s.stride_height) * s.width + columns.first;
      for (std::int64_t j = 0; j < c.out_width; ++j) to[j * s.stride_width] = *from++;
    }
}

/// dx of one image's group of channels, phase by phase.
template <class T>
void input_grad_by_phases(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  if (is_strided(s)) std::fill_n(dx, GroupSizes(s).x, T(0));  // Some positions may meet no tap.
  for (std::int64_t a = 0; a < s.stride_height; ++a)
    for (std::int64_t b = 0; b < s.stride_width; ++b) {
      const Phase rows = row_phase(s, a), columns = column_phase(s, b);
      if (rows.taps * columns.taps * rows.positions * columns.positions == 0) continue;
      input_grad_phase(s, rows, columns, dy, w, dx);
    }
}

// Costs as in conv2d_row_major.h.

std::int64_t cost_of_fold(const Conv2dSizes& s, std::int64_t vector_size) {
  const std::int64_t channels = s.in_channels / s.groups, maps = s.out_channels / s.groups;
  const std::int64_t area = s.kernel_height * s.kernel_width, positions = s.out_height * s.out_width;
  const std::int64_t products = area * divide_up(positions, vector_size);
  const std::int64_t sums = area * divide_up(s.height * s.out_width, vector_size),
                     columns = s.kernel_width * s.height * divide_up(s.width, vector_size);
  const std::int64_t added = is_strided(s) ? area * positions * 5 / 2 : 3 * products + 3 * sums + 6 * columns;
  return channels * (products * maps + added);
}

/// Of strides above 1.
std::int64_t cost_of_phases(const Conv2dSizes& s, std::int64_t vector_size) {
  const std::int64_t channels = s.in_channels / s.groups, maps = s.out_channels / s.groups;
  const std::int64_t width = divide_up(s.width, s.stride_width),
                     height = divide_up(s.height, s.stride_height);
  const std::int64_t products =
      channels * s.kernel_height * s.kernel_width * maps * divide_up(height * width, vector_size);
  const std::int64_t copied =
      maps * s.kernel_width *
      (12 * s.stride_height + 4 * (s.height + s.kernel_height) * divide_up(width, vector_size));
  const std::int64_t written = channels * height * width * std::min(s.stride_height, s.kernel_height) *
                               std::min(s.stride_width, s.kernel_width) * 3 / 2;
  return (products + copied + written) * 6 / 5;
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
  const PlaneConvolution c{.sources = maps,
                           .source_height = s.out_height,
                           .source_width = s.out_width,
                           .rows = together * area,
                           .out_height = 1,
                           .out_width = positions,
                           .out_stride = positions + margin};
  const WeightSteps steps{.row = 1, .source = channels * area};
  const Scratch<T> dy_copy(maps * positions + kernels.vector_size);  // A register reads past the end.
  std::copy_n(dy, maps * positions, dy_copy.get());
  const std::int64_t work = maps * channels * area * positions, chunks = chunks_of(work, channels / together);
  parallel_for(chunks, work, [&](std::int64_t chunk) {
    const Scratch<Segment> segments(tap_order(c).segment_count);
    list_segments(c, steps, segments.get());
    const Scratch<T> products(c.rows * c.out_stride + margin + kernels.vector_size);
    for (std::int64_t row = 0; row <= c.rows; ++row)
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
  const std::int64_t vector_size = row_kernels<T>().vector_size, fold = cost_of_fold(s, vector_size);
  auto of_group = input_grad_by_phases<T>;
  if (group.products <= kFewProducts) {
    of_group = input_grad_directly<T>;
  } else if (is_strided(s)) {
    if (fold < cost_of_phases(s, vector_size)) of_group = input_grad_by_fold<T>;
  } else {
    const PlaneConvolution c = phase_convolution(s, row_phase(s, 0), column_phase(s, 0));
    const std::int64_t maps = cost_along_maps(c, vector_size),
                       positions = cost_along_positions(c, vector_size);
    if (maps < std::min(fold, positions)) return input_grad_along_maps(c, s, dy, w, dx);
    if (fold < positions) of_group = input_grad_by_fold<T>;
  }
  for_images(s.batch * s.groups, group.products, [&](std::int64_t i) {
    of_group(s, dy + i * group.y, w + i % s.groups * group.w, dx + i * group.x);
  });
}

template void conv2d_input_grad_row_major(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_input_grad_row_major(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
