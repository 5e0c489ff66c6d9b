#include "autograd/kernels/convolution/row_major/along_out_channels.h"

#include <algorithm>

#include "autograd/kernels/convolution/row_major/chunks.h"
#include "autograd/kernels/convolution/row_major/kernels.h"
#include "autograd/kernels/convolution/strategy.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

/// Some channels of images, with the zeros around them that a convolution reads. Images are read in place if
/// there are no such zeros.
template <class T>
class PaddedImage {
 public:
  PaddedImage(const ImageConvolution& c, Piece channels)
      : channels_(channels),
        padded_(padded(c)),
        in_place_(reads_only_inside(padded_.rows) && reads_only_inside(padded_.columns)),
        row_step_(in_place_ ? c.columns.in : padded_.columns.out),
        channel_step_(in_place_ ? c.rows.in * row_step_ : padded_.copy_size()),
        copy_(in_place_ ? 0 : padded_.copies_size(channels.size())) {}

  /// The first value that is read of an image, given its group of channels. Valid until the next call.
  const T* first_value(const T* image) const {
    if (in_place_)
      return image + (channels_.begin * padded_.rows.in + padded_.rows.offset) * padded_.columns.in +
             padded_.columns.offset;
    row_major_kernels<T>().im2col(padded_, channels_, image, copy_.get());
    return copy_.get();
  }
  /// From the first value to the one at this channel, row and column.
  std::int64_t offset(std::int64_t channel, std::int64_t row, std::int64_t column) const {
    return channel * channel_step_ + row * row_step_ + column;
  }

 private:
  /// A convolution with one tap, of which im2col makes one copy: the image with the zeros around it.
  static ImageConvolution padded(ImageConvolution c) {
    for (Axis* axis : {&c.rows, &c.columns}) {
      const Piece read = axis->inputs({0, axis->out});
      *axis = {.in = axis->in, .out = read.size(), .taps = 1, .offset = read.begin};
    }
    return c;
  }
  static bool reads_only_inside(const Axis& axis) { return axis.outputs_inside(0).size() == axis.out; }

  Piece channels_;
  ImageConvolution padded_;
  bool in_place_;
  std::int64_t row_step_, channel_step_;
  Scratch<T> copy_;
};

/// Lists first + i row_step + j column_step for i < rows and j < columns, from `to` on, to_step apart.
void list_offsets(std::int64_t first, std::int64_t rows, std::int64_t row_step, std::int64_t columns,
                  std::int64_t column_step, std::int64_t* to, std::int64_t to_step) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j, to += to_step) *to = first + i * row_step + j * column_step;
}

/// The offsets in a padded image: position p reads positions[p] + taps[k] for weight k.
struct ReadOffsets {
  template <class T>
  ReadOffsets(const ImageConvolution& c, bool flip, std::int64_t channels, const PaddedImage<T>& image)
      : taps(channels * c.area()), positions(c.positions()) {
    for (std::int64_t channel = 0; channel < channels; ++channel)
      list_offsets(image.offset(channel, 0, 0), c.rows.taps, image.offset(0, c.rows.dilation, 0),
                   c.columns.taps, c.columns.dilation, taps.get() + weight_index(c, flip, channel, 0, 0),
                   flip ? -1 : 1);
    list_offsets(0, c.rows.out, image.offset(0, c.rows.stride, 0), c.columns.out, c.columns.stride,
                 positions.get(), 1);
  }
  Scratch<std::int64_t> taps, positions;
};

/// Panel `index` of from's transpose: from's rows are channels, from_step apart, each with `size` values.
template <class T>
void transpose_panel(const ChannelPanels& channels, std::int64_t index, const T* from, std::int64_t from_step,
                     std::int64_t size, T* panels) {
  const auto panel = channels.panel(index);
  row_major_kernels<T>().transpose(from + panel.first * from_step, from_step, panel.channels, size,
                                   panels + panel.first * size, panel.vectors * channels.vector_size);
}

// A kernel may reach far past the sides of its image. An output column then leaves out the taps that read
// only zeros, and a tap column leaves out the positions. Work goes column by column; a tile contains the
// positions, or the taps, of a column.

/// A tile whose registers hold channels.
template <class T>
Tile<T> tile_of_channels(std::int64_t a_row, std::int64_t a_step, std::int64_t b_step, std::int64_t c_row) {
  Tile<T> tile{};
  tile.a_row = a_row, tile.a_step = a_step, tile.b_step = b_step, tile.c_row = c_row;
  tile.b_vector = tile.c_vector = tile.last_count = row_major_kernels<T>().vector_size;
  return tile;
}

/// out_t [positions, panel] from the weights [taps, panel]; start [panel] may be null.
template <class T>
void convolve_by_columns(const ImageConvolution& c, bool flip, const PaddedImage<T>& image,
                         const T* first_value, const T* weights, std::int64_t vectors, const T* start,
                         T* out_t) {
  const std::int64_t panel = vectors * row_major_kernels<T>().vector_size;
  const Scratch<Segment> segments(c.in_channels * c.rows.taps);
  for (std::int64_t channel = 0; channel < c.in_channels; ++channel)
    for (std::int64_t u = 0; u < c.rows.taps; ++u)
      segments.get()[channel * c.rows.taps + u] = {image.offset(channel, u * c.rows.dilation, 0),
                                                   weight_index(c, flip, channel, u, 0) * panel};
  Tile<T> tile = tile_of_channels<T>(image.offset(0, c.rows.stride, 0), c.columns.dilation,
                                     flip ? -panel : panel, c.columns.out * panel);
  tile.segments = segments.get();
  tile.segment_count = c.in_channels * c.rows.taps;
  tile.start = start == nullptr ? Start::zero : Start::array;
  tile.start_values = start;
  for (std::int64_t j = 0; j < c.columns.out; ++j) {
    const Piece taps = c.columns.taps_inside(j);
    tile.depth = taps.size();
    tile.a = first_value + j * c.columns.stride + taps.begin * tile.a_step;
    tile.b = weights + taps.begin * tile.b_step;
    tile.c = out_t + j * panel;
    row_major_kernels<T>().run_tall_tile(c.rows.out, vectors, tile);
  }
}

/// dw_t [taps of some channels, panel] (+)= the products with dy_t [positions, panel].
template <class T>
void weight_grad_by_columns(const ImageConvolution& c, bool flip, std::int64_t channels,
                            const PaddedImage<T>& image, const T* first_value, const T* dy_t,
                            std::int64_t vectors, bool accumulate, T* dw_t) {
  const std::int64_t panel = vectors * row_major_kernels<T>().vector_size;
  const Scratch<Segment> segments(c.rows.out);
  for (std::int64_t i = 0; i < c.rows.out; ++i)
    segments.get()[i] = {image.offset(0, i * c.rows.stride, 0), i * c.columns.out * panel};
  Tile<T> tile = tile_of_channels<T>(image.offset(0, c.rows.dilation, 0), c.columns.stride, panel,
                                     (flip ? -c.columns.taps : c.columns.taps) * panel);
  tile.segments = segments.get();
  tile.segment_count = c.rows.out;
  tile.add = accumulate;
  for (std::int64_t channel = 0; channel < channels; ++channel)
    for (std::int64_t v = 0; v < c.columns.taps; ++v) {
      const Piece inside = c.columns.outputs_inside(v);
      tile.depth = inside.size();
      tile.a = first_value + image.offset(channel, 0, v * c.columns.dilation) + inside.begin * tile.a_step;
      tile.b = dy_t + inside.begin * panel;
      tile.c = dw_t + weight_index(c, flip, channel, 0, v) * panel;
      row_major_kernels<T>().run_tall_tile(c.rows.taps, vectors, tile);
    }
}

/// out of all images' groups of channels, one after the other in `in` and out, from the groups' weights in
/// panels; start [groups, columns of the panels] may be null.
template <class T>
void convolve_along_out_channels(const ImageConvolution& c, bool flip, std::int64_t batch,
                                 std::int64_t groups, const T* in, const T* weights, const T* start, T* out) {
  const auto& kernels = row_major_kernels<T>();
  const ChannelPanels panels(c.out_channels, kernels.vector_size);
  const std::int64_t work = c.products(), bands = bands_of(c, work);
  const std::int64_t pieces = bands >= 4 ? 1 : chunks_of(work / bands, panels.count);
  const bool by_columns = convolution_goes_by_columns(c, kernels.vector_size);
  parallel_for(batch * groups * bands * pieces, batch * groups * work, [&](std::int64_t chunk) {
    const std::int64_t band = chunk / pieces, group = band / bands;
    const Piece rows = piece(c.rows.out, bands, band % bands),
                some = piece(panels.count, pieces, chunk % pieces);
    const ImageConvolution part = c.band(rows);
    const PaddedImage<T> image(part, {0, c.in_channels});
    const ReadOffsets offsets(part, flip, c.in_channels, image);
    const T* first_value = image.first_value(in + group * c.in_size());
    const Scratch<T> out_t(part.positions() * panels.columns());
    for (std::int64_t p = some.begin; p < some.end; ++p) {
      const auto panel = panels.panel(p);
      const std::int64_t column = group % groups * panels.columns() + panel.first;
      const T* panel_weights = weights + column * c.taps();
      const T* panel_start = start == nullptr ? nullptr : start + column;
      if (by_columns)
        convolve_by_columns(part, flip, image, first_value, panel_weights, panel.vectors, panel_start,
                            out_t.get());
      else
        kernels.indexed_product({first_value, offsets.positions.get(), offsets.taps.get(), part.positions(),
                                 c.taps(), panel_weights, panel_start, out_t.get()},
                                panel.vectors);
      kernels.transpose_exactly(
          out_t.get(), panel.vectors * panels.vector_size, part.positions(), panel.channels,
          out + group * c.out_size() + panel.first * c.positions() + rows.begin * c.columns.out,
          c.positions());
    }
  });
}

}  // namespace

template <class T>
void forward_along_out_channels(const Conv2dSizes& s, const T* x, const T* w, const T* bias, T* y) {
  const ImageConvolution c = forward_convolution(s);
  const ChannelPanels panels(c.out_channels, row_major_kernels<T>().vector_size);
  const std::int64_t group_size = c.taps() * panels.columns();
  const Scratch<T> weights(s.groups * group_size), start(bias == nullptr ? 0 : s.groups * panels.columns());
  parallel_for(s.groups * panels.count, s.groups * group_size * kElementWork, [&](std::int64_t i) {
    const std::int64_t g = i / panels.count;
    transpose_panel(panels, i % panels.count, w + g * c.weights(), c.taps(), c.taps(),
                    weights.get() + g * group_size);
  });
  for (std::int64_t g = 0; g < s.groups && bias != nullptr; ++g) {
    T* group_start = start.get() + g * panels.columns();
    std::fill(std::copy_n(bias + g * c.out_channels, c.out_channels, group_start),
              group_start + panels.columns(), T(0));
  }
  convolve_along_out_channels(c, s.flip, s.batch, s.groups, x, weights.get(), start.get(), y);
}

template <class T>
void input_grad_along_out_channels(const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  const auto& kernels = row_major_kernels<T>();
  const ImageConvolution c = input_grad_convolution(s);
  const ChannelPanels panels(c.out_channels, kernels.vector_size);
  const std::int64_t area = c.area(), group_size = c.taps() * panels.columns();
  const Scratch<T> weights(s.groups * group_size);
  parallel_for(s.groups * panels.count, s.groups * group_size * kElementWork, [&](std::int64_t i) {
    const std::int64_t g = i / panels.count;
    const auto panel = panels.panel(i % panels.count);
    const std::int64_t columns = panel.vectors * panels.vector_size;
    const T* from = w + g * c.weights() + panel.first * area;
    T* to = weights.get() + g * group_size + panel.first * c.taps();
    for (std::int64_t channel = 0; channel < c.in_channels; ++channel) {
      kernels.transpose(from, area, panel.channels, area, to, columns);
      from += c.out_channels * area;
      to += area * columns;
    }
  });
  convolve_along_out_channels<T>(c, !s.flip, s.batch, s.groups, dy, weights.get(), nullptr, dx);
}

template <class T>
void weight_grad_along_out_channels(const GroupWeightGrad<T>& job, std::int64_t chunks, std::int64_t work) {
  const auto& kernels = row_major_kernels<T>();
  const ImageConvolution& c = job.c;
  const ChannelPanels panels(c.out_channels, kernels.vector_size);
  const std::int64_t dy_t_image = c.positions() * panels.columns();
  const bool by_columns = weight_grad_goes_by_columns(c, kernels.vector_size);
  const Scratch<T> dy_t(job.batch * dy_t_image);
  parallel_for(job.batch, job.batch * dy_t_image * kElementWork, [&](std::int64_t n) {
    for (std::int64_t p = 0; p < panels.count; ++p)
      transpose_panel(panels, p, job.dy + n * job.dy_image, c.out_stride, c.positions(),
                      dy_t.get() + n * dy_t_image);
  });
  parallel_for(chunks, work, [&](std::int64_t chunk) {
    const Piece channels = piece(c.in_channels, chunks, chunk);
    const std::int64_t taps = channels.size() * c.area();
    const PaddedImage<T> image(c, channels);
    const ReadOffsets offsets(c, job.flip, channels.size(), image);
    const Scratch<T> dw_t(taps * panels.columns());
    for (std::int64_t n = 0; n < job.batch; ++n) {
      const T* first_value = image.first_value(job.x + n * job.x_image);
      for (std::int64_t p = 0; p < panels.count; ++p) {
        const auto panel = panels.panel(p);
        const T* panel_dy_t = dy_t.get() + n * dy_t_image + panel.first * c.positions();
        T* sums = dw_t.get() + panel.first * taps;
        if (by_columns)
          weight_grad_by_columns(c, job.flip, channels.size(), image, first_value, panel_dy_t, panel.vectors,
                                 n > 0, sums);
        else
          kernels.indexed_product({first_value, offsets.taps.get(), offsets.positions.get(), taps,
                                   c.positions(), panel_dy_t, nullptr, sums, n > 0},
                                  panel.vectors);
      }
    }
    for (std::int64_t p = 0; p < panels.count; ++p) {
      const auto panel = panels.panel(p);
      kernels.transpose_exactly(dw_t.get() + panel.first * taps, panel.vectors * panels.vector_size, taps,
                                panel.channels, job.dw + panel.first * c.taps() + channels.begin * c.area(),
                                c.taps());
    }
  });
}

template void forward_along_out_channels(const Conv2dSizes&, const float*, const float*, const float*,
                                         float*);
template void forward_along_out_channels(const Conv2dSizes&, const double*, const double*, const double*,
                                         double*);
template void input_grad_along_out_channels(const Conv2dSizes&, const float*, const float*, float*);
template void input_grad_along_out_channels(const Conv2dSizes&, const double*, const double*, double*);
template void weight_grad_along_out_channels(const GroupWeightGrad<float>&, std::int64_t, std::int64_t);
template void weight_grad_along_out_channels(const GroupWeightGrad<double>&, std::int64_t, std::int64_t);

}  // namespace adjoint::kernels
