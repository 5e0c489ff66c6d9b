// Convolutions of few images with registers along the maps (output planes): single values of an image times
// registers of weights, or of dy, of all maps. Where positions would leave registers half empty nothing is
// wasted, and an image is read in place, or copied once if there are zeros around it; many products with
// zeros are left out. In exchange w, y, dy and dw have to be transposed.
#include <algorithm>

#include "autograd/kernels/convolution/row_major/row_major.h"
#include "autograd/kernels/convolution/strategy.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

/// offsets[i * columns + j] = first + i row_step + j column_step
void list_offsets(std::int64_t first, std::int64_t rows, std::int64_t row_step, std::int64_t columns,
                  std::int64_t column_step, std::int64_t* offsets) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) *offsets++ = first + i * row_step + j * column_step;
}

/// Some source planes of an image with the zeros around them, and where its taps and positions lie.
template <class T>
class PaddedPlanes {
 public:
  PaddedPlanes(const PlaneConvolution& c, bool flip, Piece sources)
      : sources_(sources),
        padded_(padded(c)),
        in_place_(all_inside(padded_.rows) && all_inside(padded_.columns)),
        flip_(flip),
        tap_rows_(c.rows.taps),
        tap_columns_(c.columns.taps),
        row_(in_place_ ? c.columns.in : padded_.columns.out),
        plane_(in_place_ ? c.rows.in * row_ : padded_.copy_size()),
        copy_(in_place_ ? 0 : padded_.copies_size(sources.size())),
        taps_(sources.size() * c.area()),
        positions_(c.positions()) {
    const std::int64_t sign = flip ? -1 : 1, row_step = sign * c.rows.dilation * row_,
                       column_step = sign * c.columns.dilation,
                       first = flip ? -(c.rows.taps - 1) * row_step - (c.columns.taps - 1) * column_step : 0;
    for (std::int64_t s = 0; s < sources.size(); ++s)
      list_offsets(offset(s, 0) + first, c.rows.taps, row_step, c.columns.taps, column_step,
                   taps_.get() + s * c.area());
    list_offsets(0, c.rows.out, c.rows.stride * row_, c.columns.out, c.columns.stride, positions_.get());
  }

  /// The planes of one image's group of channels, until the next call. The value that output position p meets
  /// at tap k is at positions()[p] + taps()[k].
  const T* of(const T* x) const {
    if (in_place_)
      return x + (sources_.begin * padded_.rows.in + padded_.rows.offset) * padded_.columns.in +
             padded_.columns.offset;
    row_kernels<T>().shift(padded_, sources_, x, copy_.get());
    return copy_.get();
  }
  const std::int64_t* taps() const { return taps_.get(); }
  const std::int64_t* positions() const { return positions_.get(); }

  /// Where a row of one of the planes begins.
  std::int64_t offset(std::int64_t source, std::int64_t row) const { return source * plane_ + row * row_; }
  /// The number k of the tap that lies in row u and column v of what a position meets, and the step from one
  /// column's to the next.
  std::int64_t weight(std::int64_t source, std::int64_t u, std::int64_t v) const {
    const std::int64_t area = tap_rows_ * tap_columns_, k = u * tap_columns_ + v;
    return source * area + (flip_ ? area - 1 - k : k);
  }
  std::int64_t next_weight() const { return flip_ ? -1 : 1; }

 private:
  /// The convolution whose only shifted copy of a plane is that plane with the zeros around it.
  static PlaneConvolution padded(PlaneConvolution c) {
    c.rows = padded(c.rows), c.columns = padded(c.columns);
    return c;
  }
  static Axis padded(const Axis& axis) {
    const Piece read = axis.inputs({0, axis.out});
    return {.in = axis.in, .out = read.size(), .taps = 1, .offset = read.begin};
  }
  static bool all_inside(const Axis& padded) { return padded.outputs_inside(0).size() == padded.out; }

  Piece sources_;
  PlaneConvolution padded_;
  bool in_place_, flip_;
  std::int64_t tap_rows_, tap_columns_;
  std::int64_t row_, plane_;  // Elements from one to the next.
  Scratch<T> copy_;
  Scratch<std::int64_t> taps_, positions_;
};

/// panels[p][k, m] = from[m of panel p, k] for k < size; from's rows are so far apart.
template <class T>
void transpose_panel(const MapPanels& maps, std::int64_t index, const T* from, std::int64_t from_row,
                     std::int64_t size, T* panels) {
  const auto panel = maps.panel(index);
  row_kernels<T>().transpose(from + panel.first * from_row, from_row, panel.maps, size,
                             panels + panel.first * size, panel.vectors * maps.vector_size);
}

// Under a kernel that reaches far past the sides of its source, an output column leaves out the taps that
// meet only zeros, and a tap column the positions: column by column, in tiles of positions or taps below each
// other.

/// A tile of registers of maps.
template <class T>
Tile<T> tile_of_maps(std::int64_t a_row, std::int64_t a_step, std::int64_t b_step, std::int64_t c_row) {
  Tile<T> tile{};
  tile.a_row = a_row, tile.a_step = a_step, tile.b_step = b_step, tile.c_row = c_row;
  tile.b_vector = tile.c_vector = tile.last_count = row_kernels<T>().vector_size;
  return tile;
}

/// out_t [positions, columns] from the taps' weights [taps, columns]; start [columns] may be null.
template <class T>
void convolve_by_columns(const PlaneConvolution& c, const PaddedPlanes<T>& planes, const T* image,
                         const T* weights, std::int64_t vectors, const T* start, T* out_t) {
  const std::int64_t columns = vectors * row_kernels<T>().vector_size;
  const Scratch<Segment> segments(c.in_channels * c.rows.taps);
  for (std::int64_t s = 0; s < c.in_channels; ++s)
    for (std::int64_t u = 0; u < c.rows.taps; ++u)
      segments.get()[s * c.rows.taps + u] = {planes.offset(s, u * c.rows.dilation),
                                             planes.weight(s, u, 0) * columns};
  Tile<T> tile = tile_of_maps<T>(planes.offset(0, c.rows.stride), c.columns.dilation,
                                 planes.next_weight() * columns, c.columns.out * columns);
  tile.segments = segments.get();
  tile.segment_count = c.in_channels * c.rows.taps;
  tile.start = start == nullptr ? Start::zero : Start::array;
  tile.start_values = start;
  for (std::int64_t j = 0; j < c.columns.out; ++j) {
    const Piece taps = c.columns.taps_inside(j);
    tile.depth = taps.size();
    tile.a = image + j * c.columns.stride + taps.begin * tile.a_step;
    tile.b = weights + taps.begin * tile.b_step;
    tile.c = out_t + j * columns;
    row_kernels<T>().run_rows(c.rows.out, vectors, tile);
  }
}

/// dw_t [taps of some sources, columns] (+)= the products with dy_t [positions, columns].
template <class T>
void correlate_by_columns(const PlaneConvolution& c, const PaddedPlanes<T>& planes, std::int64_t sources,
                          const T* image, const T* dy_t, std::int64_t vectors, bool accumulate, T* dw_t) {
  const std::int64_t columns = vectors * row_kernels<T>().vector_size;
  const Scratch<Segment> segments(c.rows.out);
  for (std::int64_t i = 0; i < c.rows.out; ++i)
    segments.get()[i] = {planes.offset(0, i * c.rows.stride), i * c.columns.out * columns};
  Tile<T> tile = tile_of_maps<T>(planes.offset(0, c.rows.dilation), c.columns.stride, columns,
                                 (planes.weight(0, 1, 0) - planes.weight(0, 0, 0)) * columns);
  tile.segments = segments.get();
  tile.segment_count = c.rows.out;
  tile.add = accumulate;
  for (std::int64_t s = 0; s < sources; ++s)
    for (std::int64_t v = 0; v < c.columns.taps; ++v) {
      const Piece inside = c.columns.outputs_inside(v);
      tile.depth = inside.size();
      tile.a = image + planes.offset(s, 0) + v * c.columns.dilation + inside.begin * tile.a_step;
      tile.b = dy_t + inside.begin * columns;
      tile.c = dw_t + planes.weight(s, 0, v) * columns;
      row_kernels<T>().run_rows(c.rows.taps, vectors, tile);
    }
}

/// out of all images' groups of channels, one after the other in source and out, from the groups' weights in
/// panels; start [groups, columns of the panels] may be null.
template <class T>
void convolve_along_maps(const PlaneConvolution& c, bool flip, std::int64_t batch, std::int64_t groups,
                         const T* source, const T* panels, const T* start, T* out) {
  const auto& kernels = row_kernels<T>();
  const MapPanels maps(c.out_channels, kernels.vector_size);
  const std::int64_t work = c.out_channels * c.taps() * c.positions(), bands = bands_of(c, work);
  const std::int64_t pieces = bands >= 4 ? 1 : chunks_of(work / bands, maps.count);
  const bool by_columns = convolution_goes_by_columns(c, kernels.vector_size);
  parallel_for(batch * groups * bands * pieces, batch * groups * work, [&](std::int64_t chunk) {
    const std::int64_t band = chunk / pieces, image = band / bands, g = image % groups;
    const Piece rows = piece(c.rows.out, bands, band % bands),
                some = piece(maps.count, pieces, chunk % pieces);
    const PlaneConvolution part = c.band(rows);
    const PaddedPlanes<T> planes(part, flip, {0, c.in_channels});
    const T* image_planes = planes.of(source + image * c.in_channels * c.rows.in * c.columns.in);
    const Scratch<T> out_t(part.positions() * maps.columns());
    for (std::int64_t p = some.begin; p < some.end; ++p) {
      const auto panel = maps.panel(p);
      const std::int64_t column = g * maps.columns() + panel.first;
      const T* panel_start = start == nullptr ? nullptr : start + column;
      if (by_columns)
        convolve_by_columns(part, planes, image_planes, panels + column * c.taps(), panel.vectors,
                            panel_start, out_t.get());
      else
        kernels.indexed_product({image_planes, planes.positions(), planes.taps(), part.positions(), c.taps(),
                                 panels + column * c.taps(), panel_start, out_t.get()},
                                panel.vectors);
      kernels.transpose_exactly(
          out_t.get(), panel.vectors * maps.vector_size, part.positions(), panel.maps,
          out + (image * c.out_channels + panel.first) * c.positions() + rows.begin * c.columns.out,
          c.positions());
    }
  });
}

}  // namespace

template <class T>
void forward_along_maps(const Conv2dSizes& s, const T* x, const T* w, const T* bias, T* y) {
  const PlaneConvolution c = forward_convolution(s);
  const MapPanels maps(c.out_channels, row_kernels<T>().vector_size);
  const std::int64_t group_size = c.taps() * maps.columns();
  const Scratch<T> panels(s.groups * group_size), start(bias == nullptr ? 0 : s.groups * maps.columns());
  parallel_for(s.groups * maps.count, s.groups * group_size * kElementWork, [&](std::int64_t i) {
    const std::int64_t g = i / maps.count;
    transpose_panel(maps, i % maps.count, w + g * c.out_channels * c.taps(), c.taps(), c.taps(),
                    panels.get() + g * group_size);
  });
  for (std::int64_t g = 0; g < s.groups && bias != nullptr; ++g) {
    T* group_start = start.get() + g * maps.columns();
    std::fill(std::copy_n(bias + g * c.out_channels, c.out_channels, group_start),
              group_start + maps.columns(), T(0));
  }
  convolve_along_maps(c, s.flip, s.batch, s.groups, x, panels.get(), start.get(), y);
}

template <class T>
void input_grad_along_maps(const PlaneConvolution& c, const Conv2dSizes& s, const T* dy, const T* w, T* dx) {
  const auto& kernels = row_kernels<T>();
  const MapPanels channels(c.out_channels, kernels.vector_size);
  const std::int64_t area = c.area(), group_size = c.taps() * channels.columns();
  const Scratch<T> panels(s.groups * group_size);
  parallel_for(s.groups * channels.count, s.groups * group_size * kElementWork, [&](std::int64_t i) {
    const std::int64_t g = i / channels.count;
    const auto panel = channels.panel(i % channels.count);
    const std::int64_t columns = panel.vectors * channels.vector_size;
    const T* from = w + (g * c.in_channels * c.out_channels + panel.first) * area;
    T* to = panels.get() + g * group_size + panel.first * c.taps();
    for (std::int64_t map = 0; map < c.in_channels;
         ++map, from += c.out_channels * area, to += area * columns)
      kernels.transpose(from, area, panel.maps, area, to, columns);
  });
  convolve_along_maps<T>(c, !s.flip, s.batch, s.groups, dy, panels.get(), nullptr, dx);
}

template <class T>
void weight_grad_along_maps(const WeightGrad<T>& job, std::int64_t chunks, std::int64_t work) {
  const auto& kernels = row_kernels<T>();
  const PlaneConvolution& c = job.c;
  const MapPanels maps(c.out_channels, kernels.vector_size);
  const std::int64_t dy_t_image = c.positions() * maps.columns();
  const bool by_columns = weight_grad_goes_by_columns(c, kernels.vector_size);
  const Scratch<T> dy_t(job.batch * dy_t_image);
  parallel_for(job.batch, job.batch * dy_t_image * kElementWork, [&](std::int64_t n) {
    for (std::int64_t p = 0; p < maps.count; ++p)
      transpose_panel(maps, p, job.dy + n * job.dy_image, c.out_stride, c.positions(),
                      dy_t.get() + n * dy_t_image);
  });
  parallel_for(chunks, work, [&](std::int64_t chunk) {
    const Piece sources = piece(c.in_channels, chunks, chunk);
    const std::int64_t area = c.area(), taps = sources.size() * area;
    const PaddedPlanes<T> planes(c, job.flip, sources);
    const Scratch<T> dw_t(taps * maps.columns());
    for (std::int64_t n = 0; n < job.batch; ++n) {
      const T* image_planes = planes.of(job.x + n * job.x_image);
      for (std::int64_t p = 0; p < maps.count; ++p) {
        const auto panel = maps.panel(p);
        const T* panel_dy_t = dy_t.get() + n * dy_t_image + panel.first * c.positions();
        T* sums = dw_t.get() + panel.first * taps;
        if (by_columns)
          correlate_by_columns(c, planes, sources.size(), image_planes, panel_dy_t, panel.vectors, n > 0,
                               sums);
        else
          kernels.indexed_product({image_planes, planes.taps(), planes.positions(), taps, c.positions(),
                                   panel_dy_t, nullptr, sums, n > 0},
                                  panel.vectors);
      }
    }
    for (std::int64_t p = 0; p < maps.count; ++p) {
      const auto panel = maps.panel(p);
      kernels.transpose_exactly(dw_t.get() + panel.first * taps, panel.vectors * maps.vector_size, taps,
                                panel.maps, job.dw + panel.first * c.taps() + sources.begin * area, c.taps());
    }
  });
}

template void forward_along_maps(const Conv2dSizes&, const float*, const float*, const float*, float*);
template void forward_along_maps(const Conv2dSizes&, const double*, const double*, const double*, double*);
template void input_grad_along_maps(const PlaneConvolution&, const Conv2dSizes&, const float*, const float*,
                                    float*);
template void input_grad_along_maps(const PlaneConvolution&, const Conv2dSizes&, const double*, const double*,
                                    double*);
template void weight_grad_along_maps(const WeightGrad<float>&, std::int64_t, std::int64_t);
template void weight_grad_along_maps(const WeightGrad<double>&, std::int64_t, std::int64_t);

}  // namespace adjoint::kernels
