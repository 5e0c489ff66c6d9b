#include "autograd/kernels/convolution/strategy.h"

#include <algorithm>

#include "autograd/kernels/convolution/row_major/along_out_channels.h"

namespace adjoint::kernels {
namespace {

// Costs count multiply-adds of registers, for one image's group of channels. Other work is counted as the
// number of multiply-adds that take as long; the factors were measured.

/// So few products take less time one after the other than copies and tiles take to set up.
bool has_few_products(const ImageConvolution& forward) { return forward.products() <= 300; }

std::int64_t im2col_cost(const ImageConvolution& c, std::int64_t vector_size) {
  const std::int64_t rows = c.in_channels * c.columns.taps * c.rows.stride * c.rows_per_residue();
  const std::int64_t register_cost = c.columns.stride == 1 ? 4 : c.columns.stride == 2 ? 8 : 16;
  return register_cost * rows * divide_up(c.columns.out, vector_size);
}

std::int64_t cost_along_positions(const ImageConvolution& c, std::int64_t vector_size) {
  constexpr std::int64_t kCached = 8192;  // registers of weights that stay in the second-level cache
  const std::int64_t vectors = divide_up(c.positions(), vector_size), products = vectors * c.weights();
  const std::int64_t waiting_for_loads = vectors == 1 ? products / 4 : 0;
  const std::int64_t weights = c.weights() / vector_size,
                     reads = weights > kCached ? divide_up(vectors, 3) : 0;
  return products + waiting_for_loads + 2 * reads * weights + im2col_cost(c, vector_size);
}

std::int64_t weight_grad_cost_along_positions(const ImageConvolution& c, std::int64_t images,
                                              std::int64_t vector_size) {
  // For each weight: a register for every image to begin with, two for the sum of the lanes.
  return c.weights() * (divide_up(c.positions(), vector_size) + 1) + 2 * c.weights() / images +
         im2col_cost(c, vector_size);
}

/// The products along out_channels, all of them or column by column.
struct ColumnChoice {
  std::int64_t all, by_columns;

  bool is_by_columns() const { return by_columns < all; }
  std::int64_t cost() const { return std::min(all, by_columns); }
};

/// By columns, each panel of out_channels has `columns` columns of tiles, each column has `rows` rows, and
/// depth is the sum of all columns' depths.
ColumnChoice column_choice(const ImageConvolution& c, std::int64_t vector_size, std::int64_t columns,
                           std::int64_t rows, std::int64_t depth) {
  constexpr std::int64_t kSetup = 60;
  const ChannelPanels panels(c.out_channels, vector_size);
  // A tile has about as many rows as fit the registers.
  const std::int64_t tiles = panels.count * divide_up(rows, std::max<std::int64_t>(vector_size / 2, 1));
  return {// Broadcasting a single value to a register is somewhat slower than reading a register.
          .all = panels.vectors * c.positions() * c.taps() * 17 / 16,
          .by_columns = depth * (panels.vectors * rows + tiles) + columns * tiles * kSetup};
}

/// Pairs of a tap column and an output column that reads inside the image there.
std::int64_t pairs_inside(const Axis& columns) {
  std::int64_t pairs = 0;
  for (std::int64_t v = 0; v < columns.taps; ++v) pairs += columns.outputs_inside(v).size();
  return pairs;
}

ColumnChoice convolution_columns(const ImageConvolution& c, std::int64_t vector_size) {
  return column_choice(c, vector_size, c.columns.out, c.rows.out,
                       pairs_inside(c.columns) * c.in_channels * c.rows.taps);
}
ColumnChoice weight_grad_columns(const ImageConvolution& c, std::int64_t vector_size) {
  return column_choice(c, vector_size, c.in_channels * c.columns.taps, c.rows.taps,
                       pairs_inside(c.columns) * c.in_channels * c.rows.out);
}

std::int64_t cost_along_out_channels(const ImageConvolution& c, const ColumnChoice& products,
                                     std::int64_t vector_size) {
  const std::int64_t transposed = (c.positions() + c.taps()) * divide_up(c.out_channels, vector_size);
  return products.cost() + 4 * transposed;
}

std::int64_t col2im_cost(const Conv2dSizes& s, const ImageConvolution& c, std::int64_t vector_size) {
  const std::int64_t products = c.area() * divide_up(c.positions(), vector_size);
  const std::int64_t sums = c.area() * divide_up(s.height * s.out_width, vector_size),
                     columns = s.kernel_width * s.height * divide_up(s.width, vector_size);
  const std::int64_t added =
      is_strided(s) ? c.area() * c.positions() * 5 / 2 : 3 * products + 3 * sums + 6 * columns;
  return c.in_channels * (products * c.out_channels + added);
}

/// An input gradient phase by phase, for strides above 1.
std::int64_t phases_cost(const Conv2dSizes& s, const ImageConvolution& c, std::int64_t vector_size) {
  const std::int64_t width = divide_up(s.width, s.stride_width),
                     height = divide_up(s.height, s.stride_height);
  const std::int64_t products = c.weights() * divide_up(height * width, vector_size);
  const std::int64_t copied =
      c.out_channels * s.kernel_width *
      (12 * s.stride_height + 4 * (s.height + s.kernel_height) * divide_up(width, vector_size));
  const std::int64_t written = c.in_channels * height * width * std::min(s.stride_height, s.kernel_height) *
                               std::min(s.stride_width, s.kernel_width) * 3 / 2;
  return (products + copied + written) * 6 / 5;
}

}  // namespace

Strategy forward_strategy(const ImageConvolution& c, std::int64_t vector_size) {
  if (has_few_products(c)) return Strategy::product_by_product;
  const std::int64_t out_channels =
      cost_along_out_channels(c, convolution_columns(c, vector_size), vector_size);
  return out_channels < cost_along_positions(c, vector_size) ? Strategy::along_out_channels
                                                             : Strategy::along_positions;
}

Strategy input_grad_strategy(const Conv2dSizes& s, std::int64_t vector_size) {
  const ImageConvolution forward = forward_convolution(s);
  if (has_few_products(forward)) return Strategy::product_by_product;
  const std::int64_t col2im = col2im_cost(s, forward, vector_size);
  if (is_strided(s))
    return col2im < phases_cost(s, forward, vector_size) ? Strategy::col2im : Strategy::along_positions;
  const ImageConvolution c = input_grad_convolution(s);
  const std::int64_t positions = cost_along_positions(c, vector_size);
  const std::int64_t out_channels =
      cost_along_out_channels(c, convolution_columns(c, vector_size), vector_size);
  if (out_channels < std::min(col2im, positions)) return Strategy::along_out_channels;
  return col2im < positions ? Strategy::col2im : Strategy::along_positions;
}

bool weight_grad_goes_product_by_product(const ImageConvolution& c) { return has_few_products(c); }

Strategy weight_grad_strategy(const ImageConvolution& c, std::int64_t images, std::int64_t vector_size) {
  const std::int64_t out_channels =
      cost_along_out_channels(c, weight_grad_columns(c, vector_size), vector_size);
  return out_channels < weight_grad_cost_along_positions(c, images, vector_size)
             ? Strategy::along_out_channels
             : Strategy::along_positions;
}

bool convolution_goes_by_columns(const ImageConvolution& c, std::int64_t vector_size) {
  return convolution_columns(c, vector_size).is_by_columns();
}
bool weight_grad_goes_by_columns(const ImageConvolution& c, std::int64_t vector_size) {
  return weight_grad_columns(c, vector_size).is_by_columns();
}

// It takes eight sums to keep the arithmetic units busy, and a single column has only as many as
// out_channels.
bool interleaved_goes_by_columns(const Phases& columns, std::int64_t out_channels,
                                 std::int64_t block_out_channels) {
  const std::int64_t reach = (columns.axis.taps - 1) * columns.axis.dilation;
  if (reach < columns.in() * (columns.input_grad ? columns.axis.stride : 1)) return false;
  std::int64_t all = 0, inside = 0;
  for (std::int64_t i = 0; i < columns.count(); ++i) {
    const Axis axis = columns[i].axis;
    all += axis.out * axis.taps;
    for (std::int64_t column = 0; column < axis.out; ++column) inside += axis.taps_inside(column).size();
  }
  return all * std::min(out_channels, block_out_channels) > 8 * inside;
}

}  // namespace adjoint::kernels
