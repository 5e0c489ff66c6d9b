// Convolution and its input gradient in the lanes layout: both are correlations, carried out row by row.

#include "autograd/kernels/convolution/interleaved/kernels.h"
#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/convolution/strategy.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {

namespace {

/// A convolution or its input gradient: out[g,m] = bias + sum over c of the correlation of in[g,c] with
/// weights[g,m,c].
struct Correlation {
  std::int64_t batch, groups, maps, channels;  // maps and channels: per group
  Phases rows, columns;
  std::int64_t map_stride, channel_stride;  // of w, in kernels
  bool column_by_column = false;            // each with its own products, instead of all alike

  std::int64_t area() const { return rows.axis.taps * columns.axis.taps; }
  std::int64_t column_phases() const { return column_by_column ? columns.out() : columns.count(); }
  Phase column_phase(std::int64_t index) const {
    const std::int64_t phases = columns.count();
    return column_by_column ? columns[index % phases].only(index / phases) : columns[index];
  }
};

constexpr std::int64_t kTasks = 4;  // worth making of few images; each copies the rows around its own
constexpr std::int64_t kBandValues = std::int64_t{1} << 16;  // of a tile: half an L2 cache's worth

/// w into the order of CorrelationRow::weights.
template <class T>
void pack_weights(const Correlation& job, const T* w, T* packed) {
  const std::int64_t area = job.area();
  const Pieces blocks(job.maps, block_channels());
  for (std::int64_t g = 0; g < job.groups; ++g, w += job.maps * job.channels * area)
    for (std::int64_t b = 0; b < blocks.count(); ++b)
      for (std::int64_t c = 0; c < job.channels; ++c) {
        const Piece block = blocks[b];
        const T* from = w + (block.begin * job.map_stride + c * job.channel_stride) * area;
        for (std::int64_t tap = 0; tap < area; ++tap)
          for (std::int64_t m = 0; m < block.size(); ++m) *packed++ = from[m * job.map_stride * area + tap];
      }
}

/// The outputs of a phase that lie among these outputs of the axis.
Piece outputs_of(const Phase& phase, Piece outputs) {
  return steps_inside(phase.first - outputs.begin, phase.step, outputs.size(), phase.axis.out);
}

/// Input indices that outputs read along an axis, inside the input or not; empty when none.
Piece reads(const Phases& phases, Piece outputs) {
  Piece all{0, 0};
  for (std::int64_t i = 0; i < phases.count(); ++i) {
    const Phase phase = phases[i];
    const Piece some = outputs_of(phase, outputs);
    if (some.size() == 0 || phase.axis.taps == 0) continue;
    const Piece read = phase.axis.inputs(some);
    all = all.size() == 0 ? read : Piece{std::min(all.begin, read.begin), std::max(all.end, read.end)};
  }
  return all;
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
std::int64_t tile_width(Piece columns) { return columns.size() | 1; }

/// Rows x columns of every channel of a group, copied into scratch [row][channel][column] with zeros where
/// columns lie outside the input.
template <class T>
Tile<T> copy_tile(const Correlation& job, const T* in, Piece rows, Piece columns, T* scratch) {
  const std::int64_t width = job.columns.in(), stride = tile_width(columns) * kInterleaved<T>;
  const Piece inside = overlap(columns, {0, width});
  const std::int64_t left = (inside.begin - columns.begin) * kInterleaved<T>,
                     middle = inside.size() * kInterleaved<T>;
  const std::int64_t right = (columns.end - inside.end) * kInterleaved<T>;
  T* to = scratch;
  for (std::int64_t r = rows.begin; r < rows.end; ++r)
    for (std::int64_t c = 0; c < job.channels; ++c, to += stride) {
      const T* from = in + ((c * job.rows.in() + r) * width + inside.begin) * kInterleaved<T>;
      std::fill_n(to, left, T(0));
      std::copy_n(from, middle, to + left);
      std::fill_n(to + left + middle, right, T(0));
    }
  return {scratch, rows.begin, columns.begin, job.channels * stride, stride};
}

/// The products of one output, read relative to the first, in order.
template <class T>
void list_products(const Phase& row, const Phase& column, std::int64_t row_stride, std::int64_t kernel_width,
                   Product* products) {
  for (std::int64_t u = 0; u < row.axis.taps; ++u)
    for (std::int64_t v = 0; v < column.axis.taps; ++v)
      *products++ = {
          u * row.axis.dilation * row_stride + v * column.axis.dilation * kInterleaved<T>,
          (row.first_tap + u * row.tap_step) * kernel_width + column.first_tap + v * column.tap_step};
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
void correlate_band(const Correlation& job, const T* in, const T* weights, const T* bias, Piece band,
                    T* out) {
  const std::int64_t width = job.columns.in(), row_size = width * kInterleaved<T>;
  const Piece columns = job.column_by_column ? Piece{0, width} : reads(job.columns, {0, job.columns.out()});
  const Piece rows = overlap({0, job.rows.in()}, reads(job.rows, band));
  Tile<T> tile{in, 0, 0, row_size, job.rows.in() * row_size};
  // Channels of many sizes lie a multiple of 4096 bytes apart and would push each other out of the cache:
  // copy then, too.
  const bool apart = columns.begin < 0 || columns.end > width || job.channels > 8;
  const bool copy = apart && rows.size() > 0 && columns.size() > 0;
  const Scratch<T> scratch(copy ? job.channels * rows.size() * tile_width(columns) * kInterleaved<T> : 0);
  if (copy) tile = copy_tile(job, in, rows, columns, scratch.get());

  const std::int64_t out_row = job.columns.out() * kInterleaved<T>, area = job.area();
  const Scratch<Product> products(area);
  const std::int64_t most_columns = job.column_phase(0).axis.out;
  const Scratch<T> halves(tree_levels(job.channels, area) * job.maps * most_columns * kInterleaved<T>);
  for (std::int64_t j = 0; j < job.column_phases(); ++j) {
    const Phase column = job.column_phase(j);
    for (std::int64_t i = 0; i < job.rows.count(); ++i) {
      const Phase row_phase = job.rows[i];
      const Piece some = outputs_of(row_phase, band);
      std::int64_t listed_taps = -1, listed_first = 0;
      for (std::int64_t q = some.begin; q < some.end; ++q) {
        const Phase row = row_phase.only(q);
        if (row.axis.taps != listed_taps || row.first_tap != listed_first) {
          list_products<T>(row, column, tile.row_stride, job.columns.axis.taps, products.get());
          listed_taps = row.axis.taps, listed_first = row.first_tap;
        }
        const CorrelationRow<T> job_row{
            .in = tile.at(row.axis.offset, column.axis.offset),
            .channel_stride = tile.channel_stride,
            .column_stride = column.axis.stride * kInterleaved<T>,
            .first_channel = 0,
            .channels = job.channels,
            .all_channels = job.channels,
            .products = products.get(),
            .product_count = row.axis.taps * column.axis.taps,
            .row_taps = row.axis.taps,
            .reach = column.axis.taps * std::abs(column.axis.dilation) * kInterleaved<T>,
            .weights = weights,
            .kernel_area = area,
            .bias = bias,
            .out = out + row.first * out_row + column.first * kInterleaved<T>,
            .map_stride = job.rows.out() * out_row,
            .out_stride = column.step * kInterleaved<T>,
            .maps = job.maps,
            .columns = column.axis.out,
        };
        correlate_as_tree(job_row, halves.get());
      }
    }
  }
}

template <class T>
void correlate(Correlation job, const T* in, const T* w, const T* bias, T* out) {
  job.column_by_column = interleaved_goes_by_columns(job.columns, job.maps, block_channels());
  const std::int64_t group_weights = job.maps * job.channels * job.area();
  const Scratch<T> packed(job.groups * group_weights);
  pack_weights(job, w, packed.get());

  const std::int64_t blocks = interleaved_blocks<T>(job.batch);
  const std::int64_t row_values = job.channels * job.columns.in() * kInterleaved<T>;
  const std::int64_t rows_that_fit = kBandValues * 4 / row_values;
  const std::int64_t rows_for_all = job.rows.out() * blocks * job.groups / kTasks;
  const Pieces bands(
      job.rows.out(),
      std::max<std::int64_t>(std::min(std::max<std::int64_t>(rows_that_fit, 8), rows_for_all), 4));
  const std::int64_t in_group = job.channels * job.rows.in() * job.columns.in() * kInterleaved<T>;
  const std::int64_t out_group = job.maps * job.rows.out() * job.columns.out() * kInterleaved<T>;
  const std::int64_t work = blocks * out_group * job.channels * job.area() * job.groups;
  parallel_for(blocks * job.groups * bands.count(), work, [&](std::int64_t chunk) {
    const std::int64_t part = chunk / bands.count(), g = part % job.groups;
    correlate_band(job, in + part * in_group, packed.get() + g * group_weights,
                   bias ? bias + g * job.maps : nullptr, bands[chunk % bands.count()],
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
             .rows = {row_axis(s), s.flip, false},
             .columns = {column_axis(s), s.flip, false},
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
             .rows = {row_axis(s), s.flip, true},
             .columns = {column_axis(s), s.flip, true},
             .map_stride = 1,
             .channel_stride = maps},
            dy, w, static_cast<const T*>(nullptr), dx);
}

template void conv2d_interleaved(const Conv2dSizes&, const float*, const float*, const float*, float*);
template void conv2d_interleaved(const Conv2dSizes&, const double*, const double*, const double*, double*);
template void conv2d_input_grad_interleaved(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_input_grad_interleaved(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
