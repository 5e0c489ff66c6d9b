// A convolution and its input gradient. Both are correlations, computed row by row.
#include "autograd/kernels/convolution/interleaved/kernels.h"
#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/convolution/strategy.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

constexpr std::int64_t kTasks = 4;  // worth making of few images; each copies the rows around its own
constexpr std::int64_t kBandValues = std::int64_t{1} << 16;  // of a window: half an L2 cache

/// out[g,o] = bias[g,o] + the sum over c of the correlation of in[g,c] with weights[g,o,c].
struct Correlation {
  Correlation(const Conv2dSizes& s, bool input_grad)
      : batch(s.batch),
        groups(s.groups),
        in_channels((input_grad ? s.out_channels : s.in_channels) / s.groups),
        out_channels((input_grad ? s.in_channels : s.out_channels) / s.groups),
        rows{row_axis(s), s.flip, input_grad},
        columns{column_axis(s), s.flip, input_grad},
        in_channel_step(input_grad ? out_channels : 1),
        out_channel_step(input_grad ? 1 : in_channels),
        by_columns(interleaved_goes_by_columns(columns, out_channels, block_out_channels())) {}
  std::int64_t batch, groups, in_channels, out_channels;  // channels: of a group
  Phases rows, columns;
  std::int64_t in_channel_step, out_channel_step;  // of w, in kernels
  bool by_columns;

  std::int64_t area() const { return rows.axis.taps * columns.axis.taps; }
  /// What is computed together of an output row: the columns with the same taps, or a single column.
  std::int64_t column_phases() const { return by_columns ? columns.out() : columns.count(); }
  Phase column_phase(std::int64_t index) const {
    const std::int64_t phases = columns.count();
    return by_columns ? columns[index % phases].only(index / phases) : columns[index];
  }
};

/// w into the order of CorrelationRow::weights.
template <class T>
void pack_weights(const Correlation& job, const T* w, T* packed) {
  const std::int64_t area = job.area();
  const Pieces blocks(job.out_channels, block_out_channels());
  for (std::int64_t g = 0; g < job.groups; ++g, w += job.out_channels * job.in_channels * area)
    for (std::int64_t b = 0; b < blocks.count(); ++b)
      for (std::int64_t c = 0; c < job.in_channels; ++c) {
        const Piece block = blocks[b];
        const T* from = w + (block.begin * job.out_channel_step + c * job.in_channel_step) * area;
        for (std::int64_t tap = 0; tap < area; ++tap)
          for (std::int64_t o = 0; o < block.size(); ++o)
            *packed++ = from[o * job.out_channel_step * area + tap];
      }
}

/// The outputs of a phase that lie among these outputs of the axis.
Piece outputs_of(const Phase& phase, Piece outputs) {
  return steps_inside(phase.first - outputs.begin, phase.step, outputs.size(), phase.axis.out);
}

/// The inputs that some outputs of an axis read, inside the image or not; empty if there are none.
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

/// The input values that a band of output rows reads, for one block of images and one group. They are copied
/// if there are zeros around them. Channels of many sizes lie a multiple of 4096 bytes apart and would evict
/// each other from the cache: more than 8 are copied, too.
template <class T>
class InputWindow {
 public:
  InputWindow(const Correlation& job, const T* in, Piece band)
      : rows_(overlap({0, job.rows.in()}, reads(job.rows, band))),
        columns_(job.by_columns ? Piece{0, job.columns.in()} : reads(job.columns, {0, job.columns.out()})),
        is_copied_((columns_.begin < 0 || columns_.end > job.columns.in() || job.in_channels > 8) &&
                   rows_.size() > 0 && columns_.size() > 0),
        copy_(is_copied_ ? job.in_channels * rows_.size() * copied_row() : 0) {
    if (is_copied_) {
      copy(job, in);
    } else {
      values_ = in;
      rows_.begin = columns_.begin = 0;
      row_stride_ = job.columns.in() * kInterleaved<T>;
      channel_stride_ = job.rows.in() * row_stride_;
    }
  }

  const T* at(std::int64_t row, std::int64_t column) const {
    return values_ + (row - rows_.begin) * row_stride_ + (column - columns_.begin) * kInterleaved<T>;
  }
  std::int64_t row_stride() const { return row_stride_; }
  std::int64_t channel_stride() const { return channel_stride_; }

 private:
  /// An odd number of columns, so that the same place in many channels falls into many sets of the cache.
  std::int64_t copied_row() const { return (columns_.size() | 1) * kInterleaved<T>; }

  /// [row][channel][column], with zeros where columns lie outside the input.
  void copy(const Correlation& job, const T* in) {
    const std::int64_t width = job.columns.in();
    const Piece inside = overlap(columns_, {0, width});
    T* to = copy_.get();
    for (std::int64_t row = rows_.begin; row < rows_.end; ++row)
      for (std::int64_t c = 0; c < job.in_channels; ++c, to += copied_row()) {
        const T* from = in + ((c * job.rows.in() + row) * width + inside.begin) * kInterleaved<T>;
        T* left = std::fill_n(to, (inside.begin - columns_.begin) * kInterleaved<T>, T(0));
        T* middle = std::copy_n(from, inside.size() * kInterleaved<T>, left);
        std::fill_n(middle, (columns_.end - inside.end) * kInterleaved<T>, T(0));
      }
    values_ = copy_.get();
    channel_stride_ = copied_row();
    row_stride_ = job.in_channels * channel_stride_;
  }

  Piece rows_, columns_;
  bool is_copied_;
  Scratch<T> copy_;
  const T* values_;
  std::int64_t row_stride_, channel_stride_;
};

/// The products of one output, in order. What they read is relative to the first.
template <class T>
void list_products(const Phase& row, const Phase& column, std::int64_t row_stride, std::int64_t kernel_width,
                   Product* products) {
  for (std::int64_t u = 0; u < row.axis.taps; ++u)
    for (std::int64_t v = 0; v < column.axis.taps; ++v)
      *products++ = {
          u * row.axis.dilation * row_stride + v * column.axis.dilation * kInterleaved<T>,
          (row.first_tap + u * row.tap_step) * kernel_width + column.first_tap + v * column.tap_step};
}

/// correlate_row as a tree of short sums: both halves of its input channels, or of a channel's products.
template <class T>
void correlate_as_tree(const CorrelationRow<T>& row) {
  if (row.in_channels * row.product_count <= kShortSum) return correlate_row(row);
  CorrelationRow<T> first = row, second = row;
  if (row.in_channels > 1) {
    first.in_channels /= 2;
    second.first_in_channel += first.in_channels;
    second.in_channels -= first.in_channels;
  } else {
    first.product_count /= 2;
    second.products += first.product_count;
    second.product_count -= first.product_count;
  }
  const std::int64_t channel = row.columns * kInterleaved<T>;
  const Scratch<T> more(row.out_channels * channel);
  second.bias = nullptr;
  second.out = more.get();
  second.out_column_stride = kInterleaved<T>;
  second.out_channel_stride = channel;
  correlate_as_tree(first);
  correlate_as_tree(second);
  for (std::int64_t o = 0; o < row.out_channels; ++o)
    for (std::int64_t j = 0; j < row.columns; ++j)
      add_to(kInterleaved<T>, more.get() + o * channel + j * kInterleaved<T>,
             row.out + o * row.out_channel_stride + j * row.out_column_stride);
}

/// One block of images and one group: in, bias and out at the group's first channel.
template <class T>
struct GroupArrays {
  const T *in, *weights, *bias;
  T* out;
};

/// The rows of one phase in a band, at the columns of one phase. products is scratch memory.
template <class T>
void correlate_phase(const Correlation& job, const GroupArrays<T>& arrays, const InputWindow<T>& window,
                     const Phase& row_phase, const Phase& column, Piece band, Product* products) {
  const std::int64_t out_row = job.columns.out() * kInterleaved<T>;
  const Piece some = outputs_of(row_phase, band);
  std::int64_t listed_taps = -1, listed_first = 0;
  for (std::int64_t q = some.begin; q < some.end; ++q) {
    const Phase row = row_phase.only(q);
    if (row.axis.taps != listed_taps || row.first_tap != listed_first) {
      list_products<T>(row, column, window.row_stride(), job.columns.axis.taps, products);
      listed_taps = row.axis.taps, listed_first = row.first_tap;
    }
    const CorrelationRow<T> correlation{
        .in = window.at(row.axis.offset, column.axis.offset),
        .in_channel_stride = window.channel_stride(),
        .column_stride = column.axis.stride * kInterleaved<T>,
        .first_in_channel = 0,
        .in_channels = job.in_channels,
        .all_in_channels = job.in_channels,
        .products = products,
        .product_count = row.axis.taps * column.axis.taps,
        .row_taps = row.axis.taps,
        .reach = column.axis.taps * std::abs(column.axis.dilation) * kInterleaved<T>,
        .weights = arrays.weights,
        .kernel_area = job.area(),
        .bias = arrays.bias,
        .out = arrays.out + row.first * out_row + column.first * kInterleaved<T>,
        .out_channel_stride = job.rows.out() * out_row,
        .out_column_stride = column.step * kInterleaved<T>,
        .out_channels = job.out_channels,
        .columns = column.axis.out,
    };
    correlate_as_tree(correlation);
  }
}

/// A band of output rows.
template <class T>
void correlate_band(const Correlation& job, const GroupArrays<T>& arrays, Piece band) {
  const InputWindow<T> window(job, arrays.in, band);
  const Scratch<Product> products(job.area());
  for (std::int64_t j = 0; j < job.column_phases(); ++j) {
    const Phase column = job.column_phase(j);
    for (std::int64_t i = 0; i < job.rows.count(); ++i)
      correlate_phase(job, arrays, window, job.rows[i], column, band, products.get());
  }
}

template <class T>
void correlate(const Correlation& job, const T* in, const T* w, const T* bias, T* out) {
  const std::int64_t group_weights = job.out_channels * job.in_channels * job.area();
  const Scratch<T> packed(job.groups * group_weights);
  pack_weights(job, w, packed.get());

  const std::int64_t blocks = interleaved_blocks<T>(job.batch);
  const std::int64_t row_values = job.in_channels * job.columns.in() * kInterleaved<T>;
  const std::int64_t rows_that_fit = std::max<std::int64_t>(kBandValues * 4 / row_values, 8);
  const std::int64_t rows_for_all = job.rows.out() * blocks * job.groups / kTasks;
  const Pieces bands(job.rows.out(), std::max<std::int64_t>(std::min(rows_that_fit, rows_for_all), 4));
  const std::int64_t in_group = job.rows.in() * row_values;
  const std::int64_t out_group = job.out_channels * job.rows.out() * job.columns.out() * kInterleaved<T>;
  const std::int64_t work = blocks * job.groups * out_group * job.in_channels * job.area();
  parallel_for(blocks * job.groups * bands.count(), work, [&](std::int64_t chunk) {
    const std::int64_t group = chunk / bands.count(), g = group % job.groups;
    const GroupArrays<T> arrays{in + group * in_group, packed.get() + g * group_weights,
                                bias == nullptr ? nullptr : bias + g * job.out_channels,
                                out + group * out_group};
    correlate_band(job, arrays, bands[chunk % bands.count()]);
  });
}

}  // namespace

template <class T>
void conv2d_interleaved(const Conv2dSizes& s, const T* x, const T* w, const T* bias, T* y) {
  correlate(Correlation(s, false), x, w, bias, y);
}

template <class T>
void conv2d_input_grad_interleaved(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  correlate<T>(Correlation(s, true), dy, w, nullptr, dx);
}

template void conv2d_interleaved(const Conv2dSizes&, const float*, const float*, const float*, float*);
template void conv2d_interleaved(const Conv2dSizes&, const double*, const double*, const double*, double*);
template void conv2d_input_grad_interleaved(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_input_grad_interleaved(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
