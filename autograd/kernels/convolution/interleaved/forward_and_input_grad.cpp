// Convolution and its input gradient in the lanes layout: both are correlations, carried out row by row.

#include "autograd/kernels/convolution/interleaved/kernels.h"
#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {

Taps Taps::inside(std::int64_t size) const {
  if (count == 0 || (lowest() >= 0 && highest_end() <= size)) return *this;
  // Of k with 0 <= first + k step < size; both ends by counting steps from the lower and from the upper edge.
  const std::int64_t pace = step > 0 ? step : -step;
  const std::int64_t before = step > 0 ? -first : first - (size - 1);  // distance still outside at k = 0
  const std::int64_t within = step > 0 ? size - 1 - first : first;     // distance to the far edge
  const std::int64_t begin = before > 0 ? std::min((before + pace - 1) / pace, count) : 0;
  const std::int64_t end = within < 0 ? 0 : std::min(within / pace + 1, count);
  return {std::max<std::int64_t>(end - begin, 0), first + begin * step, step, tap + begin * tap_step,
          tap_step};
}

Taps Axis::taps(std::int64_t position) const {
  Taps taps{kernel, position * stride - padding, dilation, 0, 1};
  if (transposed) {
    // position + padding = first stride + tap dilation; the taps for which that is possible are `period`
    // apart.
    const std::int64_t period = stride / std::gcd(stride, dilation);
    std::int64_t tap = 0;
    while (tap < period && (position + padding - tap * dilation) % stride != 0) ++tap;
    if (tap >= std::min(period, kernel)) return {0, 0, 1, 0, 1};
    taps = {(kernel - 1 - tap) / period + 1, (position + padding - tap * dilation) / stride,
            -dilation * period / stride, tap, period};
  }
  if (flip) {
    taps.tap = kernel - 1 - taps.tap;
    taps.tap_step = -taps.tap_step;
  }
  return taps;
}

namespace {

/// A convolution or its input gradient: out[g,m] = bias + sum over c of the correlation of in[g,c] with
/// weights[g,m,c].
struct Correlation {
  std::int64_t batch, groups, maps, channels;  // maps and channels: per group
  Axis rows, columns;
  std::int64_t map_stride, channel_stride;  // of w, in kernels
  bool column_by_column = false;            // each with its own products, instead of all alike
};

constexpr std::int64_t kTasks = 4;  // worth making of few images; each copies the rows around its own
constexpr std::int64_t kBandValues = std::int64_t{1} << 16;  // of a tile: half an L2 cache's worth

/// w into the order of CorrelationRow::weights.
template <class T>
void pack_weights(const Correlation& job, const T* w, T* packed) {
  const std::int64_t area = job.rows.kernel * job.columns.kernel;
  const Cut blocks(job.maps, block_channels());
  for (std::int64_t g = 0; g < job.groups; ++g, w += job.maps * job.channels * area)
    for (std::int64_t b = 0; b < blocks.parts(); ++b)
      for (std::int64_t c = 0; c < job.channels; ++c) {
        const T* from = w + (blocks.first(b) * job.map_stride + c * job.channel_stride) * area;
        for (std::int64_t tap = 0; tap < area; ++tap)
          for (std::int64_t m = 0; m < blocks.size(b); ++m) *packed++ = from[m * job.map_stride * area + tap];
      }
}

struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};

/// Input indices that output positions [begin, end) read along an axis, inside the input or not; empty when
/// none.
Range reads(const Axis& axis, std::int64_t begin, std::int64_t end) {
  Range range{0, 0};
  bool any = false;
  const auto include = [&](std::int64_t position) {
    const Taps taps = axis.taps(position);
    if (taps.count == 0) return;
    range = any ? Range{std::min(range.begin, taps.lowest()), std::max(range.end, taps.highest_end())}
                : Range{taps.lowest(), taps.highest_end()};
    any = true;
  };
  // Within a phase reads only move forward: its first and last position suffice.
  for (std::int64_t phase = 0; phase < std::min(axis.phases(), end - begin); ++phase) {
    include(begin + phase);
    include(begin + phase + (end - begin - 1 - phase) / axis.phases() * axis.phases());
  }
  return range;
}

/// Whether output columns are better worked on one by one, with the products that lie inside the input, than
/// alike, with zeros beside it: as for the gradient of an image that is hardly wider than the kernel. It
/// takes eight sums to keep the arithmetic units busy, and a single column has no more than maps.
bool pays_column_by_column(const Axis& columns, std::int64_t maps) {
  const std::int64_t reach = (columns.kernel - 1) * columns.dilation;
  if (reach < columns.in_size * (columns.transposed ? columns.stride : 1)) return false;
  std::int64_t all = 0, inside = 0;
  for (std::int64_t column = 0; column < columns.out_size; ++column) {
    const Taps taps = columns.taps(column);
    all += taps.count;
    inside += taps.inside(columns.in_size).count;
  }
  return all * std::min(maps, block_channels()) > 8 * inside;
}

/// Input values as CorrelationRow wants them: at(c, row, column) for channels of a group.
template <class T>
struct Tile {
  const T* values;  // of channel 0 at row.begin, column.begin
  std::int64_t row_begin, column_begin, row_stride, channel_stride;
  const T* at(std::int64_t row, std::int64_t column) const {
    return values + (row - row_begin) * row_stride + (column - column_begin) * kInterleaved<T>;
  }
};

/// Columns that a tile's rows take: odd, so that the same place in many channels falls into many sets of the
/// cache.
std::int64_t tile_width(Range columns) { return columns.size() | 1; }

/// Rows x columns of every channel of a group, copied into scratch [row][channel][column] with zeros where
/// columns lie outside the input.
template <class T>
Tile<T> copy_tile(const Correlation& job, const T* in, Range rows, Range columns, T* scratch) {
  const std::int64_t width = job.columns.in_size, stride = tile_width(columns) * kInterleaved<T>;
  const Range inside{std::clamp<std::int64_t>(columns.begin, 0, width),
                     std::clamp<std::int64_t>(columns.end, 0, width)};
  const std::int64_t left = (inside.begin - columns.begin) * kInterleaved<T>,
                     middle = inside.size() * kInterleaved<T>;
  const std::int64_t right = (columns.end - inside.end) * kInterleaved<T>;
  T* to = scratch;
  for (std::int64_t r = rows.begin; r < rows.end; ++r)
    for (std::int64_t c = 0; c < job.channels; ++c, to += stride) {
      const T* from = in + ((c * job.rows.in_size + r) * width + inside.begin) * kInterleaved<T>;
      std::fill_n(to, left, T(0));
      std::copy_n(from, middle, to + left);
      std::fill_n(to + left + middle, right, T(0));
    }
  return {scratch, rows.begin, columns.begin, job.channels * stride, stride};
}

/// The products of row taps a with column taps b, read relative to the first, in order.
template <class T>
void list_products(const Taps& a, const Taps& b, std::int64_t row_stride, std::int64_t kernel_width,
                   Product* products) {
  for (std::int64_t i = 0; i < a.count; ++i)
    for (std::int64_t j = 0; j < b.count; ++j)
      *products++ = {i * a.step * row_stride + j * b.step * kInterleaved<T>,
                     (a.tap + i * a.tap_step) * kernel_width + b.tap + j * b.tap_step};
}

/// Levels of correlate_as_tree for a row of this many products.
int tree_levels(std::int64_t channels, std::int64_t products) {
  const int of_channels =
      levels_of_halves(channels, std::max<std::int64_t>(kShortSum / std::max<std::int64_t>(products, 1), 1));
  return of_channels + levels_of_halves(products, kShortSum);
}

/// correlate_row as a tree of short sums: both halves of its channels, or of a channel's products, the second
/// one in scratch, which has room for a row of out on each level.
template <class T>
void correlate_as_tree(const CorrelationRow<T>& row, T* scratch) {
  if (row.channels * row.product_count <= kShortSum) return correlate_row(row);
  CorrelationRow<T> first = row, second = row;
  if (row.channels > 1) {
    first.channels /= 2;
    second.first_channel += first.channels;
    second.channels -= first.channels;
  } else {
    first.product_count /= 2;
    second.products += first.product_count;
    second.product_count -= first.product_count;
  }
  second.bias = nullptr;
  second.out = scratch;
  second.out_stride = kInterleaved<T>;
  second.map_stride = row.columns * kInterleaved<T>;
  T* const next = scratch + row.maps * second.map_stride;
  correlate_as_tree(first, next);
  correlate_as_tree(second, next);
  for (std::int64_t m = 0; m < row.maps; ++m)
    for (std::int64_t j = 0; j < row.columns; ++j)
      add_to(kInterleaved<T>, scratch + m * second.map_stride + j * kInterleaved<T>,
             row.out + m * row.map_stride + j * row.out_stride);
}

/// Output rows `band` of one block of images and one group: in, out and bias at the group's first channel.
template <class T>
void correlate_band(const Correlation& job, const T* in, const T* weights, const T* bias, Range band,
                    T* out) {
  const Range columns =
      job.column_by_column ? Range{0, job.columns.in_size} : reads(job.columns, 0, job.columns.out_size);
  Range rows = reads(job.rows, band.begin, band.end);
  rows = {std::clamp<std::int64_t>(rows.begin, 0, job.rows.in_size),
          std::clamp<std::int64_t>(rows.end, 0, job.rows.in_size)};
  const std::int64_t row_size = job.columns.in_size * kInterleaved<T>;
  Tile<T> tile{in, 0, 0, row_size, job.rows.in_size * row_size};
  // Channels of many sizes lie a multiple of 4096 bytes apart and would push each other out of the cache:
  // copy then, too.
  const bool apart = columns.begin < 0 || columns.end > job.columns.in_size || job.channels > 8;
  const bool copy = apart && rows.size() > 0 && columns.size() > 0;
  const Scratch<T> scratch(copy ? job.channels * rows.size() * tile_width(columns) * kInterleaved<T> : 0);
  if (copy) tile = copy_tile(job, in, rows, columns, scratch.get());

  const std::int64_t phases = job.column_by_column ? job.columns.out_size : job.columns.phases();
  const std::int64_t out_row = job.columns.out_size * kInterleaved<T>;
  const std::int64_t area = job.rows.kernel * job.columns.kernel;
  const Scratch<Product> products(area);
  const std::int64_t most_columns = (job.columns.out_size - 1) / phases + 1;
  const Scratch<T> halves(tree_levels(job.channels, area) * job.maps * most_columns * kInterleaved<T>);
  for (std::int64_t phase = 0; phase < phases; ++phase) {
    Taps b = job.columns.taps(phase);
    if (job.column_by_column) b = b.inside(job.columns.in_size);
    Taps listed{-1, 0, 0, 0, 0};
    for (std::int64_t r = band.begin; r < band.end; ++r) {
      const Taps a = job.rows.taps(r).inside(job.rows.in_size);
      if (a.count != listed.count || a.tap != listed.tap) {
        list_products<T>(a, b, tile.row_stride, job.columns.kernel, products.get());
        listed = a;
      }
      const CorrelationRow<T> row{
          .in = tile.at(a.first, b.first),
          .channel_stride = tile.channel_stride,
          .column_stride = job.columns.shift() * kInterleaved<T>,
          .first_channel = 0,
          .channels = job.channels,
          .all_channels = job.channels,
          .products = products.get(),
          .product_count = a.count * b.count,
          .row_taps = a.count,
          .reach = b.count * std::abs(b.step) * kInterleaved<T>,
          .weights = weights,
          .kernel_area = area,
          .bias = bias,
          .out = out + r * out_row + phase * kInterleaved<T>,
          .map_stride = job.rows.out_size * out_row,
          .out_stride = phases * kInterleaved<T>,
          .maps = job.maps,
          .columns = (job.columns.out_size - 1 - phase) / phases + 1,
      };
      correlate_as_tree(row, halves.get());
    }
  }
}

template <class T>
void correlate(Correlation job, const T* in, const T* w, const T* bias, T* out) {
  job.column_by_column = pays_column_by_column(job.columns, job.maps);
  const std::int64_t area = job.rows.kernel * job.columns.kernel,
                     group_weights = job.maps * job.channels * area;
  const Scratch<T> packed(job.groups * group_weights);
  pack_weights(job, w, packed.get());

  const std::int64_t blocks = interleaved_blocks<T>(job.batch);
  const std::int64_t row_values = job.channels * job.columns.in_size * kInterleaved<T>;
  const std::int64_t rows_that_fit = kBandValues * 4 / row_values;
  const std::int64_t rows_for_all = job.rows.out_size * blocks * job.groups / kTasks;
  const Cut bands(
      job.rows.out_size,
      std::max<std::int64_t>(std::min(std::max<std::int64_t>(rows_that_fit, 8), rows_for_all), 4));
  const std::int64_t in_group = job.channels * job.rows.in_size * job.columns.in_size * kInterleaved<T>;
  const std::int64_t out_group = job.maps * job.rows.out_size * job.columns.out_size * kInterleaved<T>;
  const std::int64_t work = blocks * out_group * job.channels * area * job.groups;
  parallel_for(blocks * job.groups * bands.parts(), work, [&](std::int64_t chunk) {
    const std::int64_t band = chunk % bands.parts(), part = chunk / bands.parts(), g = part % job.groups;
    correlate_band(job, in + part * in_group, packed.get() + g * group_weights,
                   bias ? bias + g * job.maps : nullptr, {bands.first(band), bands.first(band + 1)},
                   out + part * out_group);
  });
}

}  // namespace

template <class T>
void conv2d_interleaved(const Conv2dSizes& s, const T* x, const T* w, const T* bias, T* y) {
  const std::int64_t channels = s.in_channels / s.groups;
  correlate({.batch = s.batch,
             .groups = s.groups,
             .maps = s.out_channels / s.groups,
             .channels = channels,
             .rows = {s.height, s.out_height, s.kernel_height, s.stride_height, s.padding_height,
                      s.dilation_height, s.flip, false},
             .columns = {s.width, s.out_width, s.kernel_width, s.stride_width, s.padding_width,
                         s.dilation_width, s.flip, false},
             .map_stride = channels,
             .channel_stride = 1},
            x, w, bias, y);
}

template <class T>
void conv2d_input_grad_interleaved(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  const std::int64_t maps = s.in_channels / s.groups;
  correlate({.batch = s.batch,
             .groups = s.groups,
             .maps = maps,
             .channels = s.out_channels / s.groups,
             .rows = {s.out_height, s.height, s.kernel_height, s.stride_height, s.padding_height,
                      s.dilation_height, s.flip, true},
             .columns = {s.out_width, s.width, s.kernel_width, s.stride_width, s.padding_width,
                         s.dilation_width, s.flip, true},
             .map_stride = 1,
             .channel_stride = maps},
            dy, w, static_cast<const T*>(nullptr), dx);
}

template void conv2d_interleaved(const Conv2dSizes&, const float*, const float*, const float*, float*);
template void conv2d_interleaved(const Conv2dSizes&, const double*, const double*, const double*, double*);
template void conv2d_input_grad_interleaved(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_input_grad_interleaved(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
