#pragma once
// Inside the row-layout convolutions: one image's convolution as a product of weights and shifted copies of
// the image.
//
// A shifted copy holds, for one source plane s and one kernel column v, the values that column meets, with
// rows of the output's width: copy[s, v][m, j] = source[s, m + row_offset, j column_step + v column_dilation
// + column_offset], 0 outside the source. Row m is needed by output row i and kernel row u with m = i
// row_step + u row_dilation; rows are stored by m % row_step first, so that for every kernel row the output
// positions (i, j) are contiguous, whatever the strides. Then registers run along positions and nothing is
// wasted on short rows.

#include <algorithm>
#include <cstdint>

#include "autograd/kernels/convolution/conv2d.h"
#include "autograd/kernels/convolution/taps.h"
#include "autograd/kernels/linalg/tile.h"
#include "autograd/kernels/threads/parallel.h"

namespace adjoint::kernels {

/// out[o, i, j] = start[o] + sum_{c,u,v} w(o, c, u, v) source[c, rows.input(i, u), columns.input(j, v)].
struct PlaneConvolution {
  std::int64_t in_channels, out_channels;
  std::int64_t out_stride;  // elements from one output channel to the next
  Axis rows, columns;

  std::int64_t positions() const { return rows.out * columns.out; }
  std::int64_t area() const { return rows.taps * columns.taps; }
  std::int64_t taps() const { return in_channels * area(); }
  /// The same for some output rows only.
  PlaneConvolution band(Piece out_rows) const {
    PlaneConvolution c = *this;
    c.rows = rows.part(out_rows);
    return c;
  }
  /// Rows of a shifted copy that share m % rows.stride.
  std::int64_t phase_rows() const { return rows.out + row_quotient((rows.taps - 1) * rows.dilation); }
  /// Elements of one shifted copy.
  std::int64_t copy_size() const { return rows.stride * phase_rows() * columns.out; }
  /// Where kernel row u's positions begin in a shifted copy.
  std::int64_t tap_offset(std::int64_t u) const {
    const std::int64_t m = u * rows.dilation, q = row_quotient(m);
    return ((m - q * rows.stride) * phase_rows() + q) * columns.out;
  }
  /// Elements of the shifted copies of some channels, and room for a register past the end.
  std::int64_t copies_size(std::int64_t channels) const { return channels * columns.taps * copy_size() + 64; }

 private:
  // Divisions are slow compared to a tiny convolution.
  std::int64_t row_quotient(std::int64_t m) const { return rows.stride == 1 ? m : m / rows.stride; }
};

/// w(r, s, u, v) = w[r row + s source + u tap_row + v tap_column]; steps may be negative.
struct WeightSteps {
  std::int64_t row, source, tap_row = 0, tap_column = 0;
};

/// The loops over a convolution's taps, in an order that suits the tile kernel: evenly spaced products
/// inside, a table of segments around them.
struct TapOrder {
  bool sources_inside;  // some sources, else kernel columns
  std::int64_t blocks;  // of sources
  std::int64_t segment_count;
  std::int64_t depth;
};
TapOrder tap_order(const PlaneConvolution& convolution);
/// The segments of the tile kernel, tap_order(convolution).segment_count.
void list_segments(const PlaneConvolution& convolution, const WeightSteps& steps, Segment* segments);

/// c[r, :] = start[:] + sum_k a[begins[r] + offsets[k]] b[k, :] for r < rows and k < depth. A row of b and c
/// is one register or several, at most kMostVectors.
template <class T>
struct IndexedProduct {
  static constexpr std::int64_t kMostVectors = 3;
  const T* a;
  const std::int64_t *begins, *offsets;
  std::int64_t rows, depth;
  const T* b;
  const T* start;  // null for zeros
  T* c;
  bool add = false;  // the sum to c's former values
};

/// dy [rows, positions] and shifted copies of the sources, of `count` images. From one image to the next are
/// dy_image and copies_image elements, from one row of dy to the next PlaneConvolution::out_stride.
template <class T>
struct CopiedImages {
  std::int64_t count;
  const T* dy;
  std::int64_t dy_image;
  const T* copies;
  std::int64_t copies_image;
};

/// The functions compiled for this processor's instruction set. T is float or double.
template <class T>
struct RowKernels {
  /// Values in a register.
  std::int64_t vector_size;
  /// The shifted copies of some source planes.
  void (*shift)(const PlaneConvolution& convolution, Piece sources, const T* source, T* copies);
  /// out at some rows, from the shifted copies; start may be null.
  void (*convolve)(const PlaneConvolution& convolution, const WeightSteps& steps, const Segment* segments,
                   const T* copies, const T* w, const T* start, Piece rows, T* out);
  /// dw[r, k] (+)= sum of dy[r, p] copies[tap_begins[k] + p] over the images and positions p, for k < taps:
  /// dw [rows, convolution.taps()].
  void (*correlate)(const PlaneConvolution& convolution, const CopiedImages<T>& images,
                    const std::int64_t* tap_begins, std::int64_t taps, bool accumulate, T* dw);
  void (*indexed_product)(const IndexedProduct<T>& product, std::int64_t vectors);
  /// A tile of any number of rows and at most IndexedProduct::kMostVectors vectors.
  void (*run_rows)(std::int64_t rows, std::int64_t vectors, Tile<T> tile);
  /// to[c, r] = from[r, c] for r < rows, c < columns, up to the next whole register of rows: to_step is at
  /// least that.
  void (*transpose)(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns, T* to,
                    std::int64_t to_step);
  /// The same, writing nothing else.
  void (*transpose_exactly)(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns,
                            T* to, std::int64_t to_step);
  /// One plane of dx: the sum of products[u, v, i, j] at dx[i sh + u dh - ph, j sw + v dw - pw], where that
  /// lies in the plane. Products of different taps, in the order in which they are stored, are product_step
  /// apart; (KH - 1) dh OW zeros lie before each and after the last, and a register more can be read.
  void (*fold)(const Conv2dSizes& sizes, const T* products, std::int64_t product_step, T* dx);
};
template <class T>
const RowKernels<T>& row_kernels();

// What the sources of the three products share.

/// The convolution of one image's group of channels.
inline PlaneConvolution forward_convolution(const Conv2dSizes& s) {
  return {.in_channels = s.in_channels / s.groups,
          .out_channels = s.out_channels / s.groups,
          .out_stride = s.out_height * s.out_width,
          .rows = row_axis(s),
          .columns = column_axis(s)};
}

/// The maps in panels of few registers. A panel of an array with maps as columns is contiguous; panels follow
/// each other.
struct MapPanels {
  MapPanels(std::int64_t maps, std::int64_t vector_size)
      : maps(maps),
        vector_size(vector_size),
        vectors(divide_up(maps, vector_size)),
        count(divide_up(vectors, IndexedProduct<float>::kMostVectors)) {}
  std::int64_t maps, vector_size, vectors, count;

  std::int64_t columns() const { return vectors * vector_size; }
  struct Panel {
    std::int64_t vectors, first, maps;
  };
  Panel panel(std::int64_t index) const {
    const Piece v = piece(vectors, count, index);
    return {v.size(), v.begin * vector_size, std::min(v.end * vector_size, maps) - v.begin * vector_size};
  }
};

inline bool is_strided(const Conv2dSizes& s) { return s.stride_height > 1 || s.stride_width > 1; }

/// The phases of dx, each as a convolution of dy whose taps step forward through dy.
inline Phase row_phase(const Conv2dSizes& s, std::int64_t index) {
  return Phases{row_axis(s), s.flip, true}[index].with_taps_reversed();
}
inline Phase column_phase(const Conv2dSizes& s, std::int64_t index) {
  return Phases{column_axis(s), s.flip, true}[index].with_taps_reversed();
}

/// dx of one image's group of channels at the positions of one phase, as a convolution of dy.
inline PlaneConvolution phase_convolution(const Conv2dSizes& s, const Phase& rows, const Phase& columns) {
  return {.in_channels = s.out_channels / s.groups,
          .out_channels = s.in_channels / s.groups,
          .out_stride = rows.axis.out * columns.axis.out,
          .rows = rows.axis,
          .columns = columns.axis};
}
/// dx at all positions, for strides of 1.
inline PlaneConvolution input_grad_convolution(const Conv2dSizes& s) {
  return phase_convolution(s, row_phase(s, 0), column_phase(s, 0));
}

/// Elements of an image, and of a group's planes in it.
struct GroupSizes {
  explicit GroupSizes(const Conv2dSizes& s)
      : x(s.in_channels / s.groups * s.height * s.width),
        y(s.out_channels / s.groups * s.out_height * s.out_width),
        w(s.out_channels / s.groups * (s.in_channels / s.groups) * s.kernel_height * s.kernel_width),
        products(w * s.out_height * s.out_width) {}
  std::int64_t x, y, w;
  std::int64_t products;  // Multiply-adds.
};

/// Calls f(y, x, w) with the indices of every product y += x w of one image's group of channels, by rising y.
template <class F>
void for_each_product(const Conv2dSizes& s, const F& f) {
  const PlaneConvolution c = forward_convolution(s);
  std::int64_t y = 0;
  for (std::int64_t o = 0; o < c.out_channels; ++o)
    for (std::int64_t i = 0; i < c.rows.out; ++i) {
      const Piece tap_rows = c.rows.taps_inside(i);
      for (std::int64_t j = 0; j < c.columns.out; ++j, ++y) {
        const Piece tap_columns = c.columns.taps_inside(j);
        for (std::int64_t channel = 0; channel < c.in_channels; ++channel)
          for (std::int64_t u = tap_rows.begin; u < tap_rows.end; ++u)
            for (std::int64_t v = tap_columns.begin; v < tap_columns.end; ++v) {
              const std::int64_t tap = u * c.columns.taps + v;
              f(y, (channel * s.height + c.rows.input(i, u)) * s.width + c.columns.input(j, v),
                (o * c.in_channels + channel) * c.area() + (s.flip ? c.area() - 1 - tap : tap));
            }
      }
    }
}

inline constexpr std::int64_t kChunkWork = 4 * kWorkWorthAThread;

/// How many chunks of at least kChunkWork a convolution's work, in multiply-adds, is cut into: at least 1,
/// and at most `most`.
inline std::int64_t chunks_of(std::int64_t work, std::int64_t most) {
  return std::clamp<std::int64_t>(work / kChunkWork, 1, std::max<std::int64_t>(most, 1));
}

/// Calls body(i) for all images' groups of channels: many in parallel; few one after the other, each to be
/// shared out by body.
template <class Body>
void for_images(std::int64_t images, std::int64_t work_of_each, const Body& body) {
  constexpr std::int64_t kMany = 8;
  if (images >= kMany || work_of_each < 2 * kChunkWork)
    return parallel_for(images, images * work_of_each, body);
  for (std::int64_t i = 0; i < images; ++i) body(i);
}

/// How many bands of output rows a convolution's work makes: neighboring ones share source rows, few of
/// them.
inline std::int64_t bands_of(const PlaneConvolution& c, std::int64_t work) {
  const std::int64_t shared_rows = (c.rows.taps - 1) * c.rows.dilation;
  return chunks_of(work, c.rows.out * c.rows.stride / std::max(4 * shared_rows, c.rows.stride));
}

/// The weight gradient of one group of channels. dy and x point to the first image; from one image to the
/// next are dy_image and x_image elements, from one row of dy to the next c.out_stride.
template <class T>
struct WeightGrad {
  PlaneConvolution c;
  bool flip;
  std::int64_t batch, dy_image, x_image;
  const T *dy, *x;
  T* dw;
};

/// out [rows, positions] from source [sources, height, width], in bands of output rows and, where these are
/// few, pieces of output planes. Each makes the copies that it needs, so that threads share nothing but
/// source. start may be null.
template <class T>
void convolve_planes(const PlaneConvolution& whole, const WeightSteps& steps, const T* source, const T* w,
                     const T* start, T* out);

// Registers along the maps, in along_out_channels.cpp.

template <class T>
void forward_along_maps(const Conv2dSizes& sizes, const T* x, const T* w, const T* bias, T* y);
/// The input gradient for strides of 1; input_grad is its convolution of dy.
template <class T>
void input_grad_along_maps(const PlaneConvolution& input_grad, const Conv2dSizes& sizes, const T* dy,
                           const T* w, T* dx);
/// In chunks of source planes.
template <class T>
void weight_grad_along_maps(const WeightGrad<T>& job, std::int64_t chunks, std::int64_t work);
}  // namespace adjoint::kernels
