#pragma once
// A row-major convolution, or the input gradient of one, for one image's group of channels.

#include "autograd/kernels/convolution/taps.h"

namespace adjoint::kernels {

/// out[o, i, j] = start[o] + sum_{c,u,v} w(o, c, u, v) in[c, rows.input(i, u), columns.input(j, v)].
///
/// im2col makes copies of the image in which the values that a tap reads at the positions (i, j) lie one
/// after the other: copy[c, v][m, j] = in[c, m + rows.offset, columns.input(j, v)] for input channel c and
/// kernel column v. Row m is read by output row i at kernel row u if m = i rows.stride + u rows.dilation. The
/// rows are stored by m % rows.stride first. The positions are then contiguous for every kernel row and every
/// stride, registers run along them, and short image rows leave no register half empty.
struct ImageConvolution {
  std::int64_t in_channels, out_channels;
  std::int64_t out_stride;  // elements from one output channel to the next
  Axis rows, columns;

  std::int64_t positions() const { return rows.out * columns.out; }
  std::int64_t area() const { return rows.taps * columns.taps; }
  std::int64_t taps() const { return in_channels * area(); }
  // Elements of in, out and w; multiply-adds.
  std::int64_t in_size() const { return in_channels * rows.in * columns.in; }
  std::int64_t out_size() const { return out_channels * positions(); }
  std::int64_t weights() const { return out_channels * taps(); }
  std::int64_t products() const { return weights() * positions(); }
  /// The same for some output rows only.
  ImageConvolution band(Piece out_rows) const {
    ImageConvolution c = *this;
    c.rows = rows.part(out_rows);
    return c;
  }
  /// Rows of a copy that share m % rows.stride.
  std::int64_t rows_per_residue() const { return rows.out + row_quotient((rows.taps - 1) * rows.dilation); }
  /// Elements of one copy.
  std::int64_t copy_size() const { return rows.stride * rows_per_residue() * columns.out; }
  /// Where kernel row u's positions begin in a copy.
  std::int64_t tap_offset(std::int64_t u) const {
    const std::int64_t m = u * rows.dilation, q = row_quotient(m);
    return ((m - q * rows.stride) * rows_per_residue() + q) * columns.out;
  }
  /// Elements of the copies of some input channels, and room for a register past the end.
  std::int64_t copies_size(std::int64_t channels) const { return channels * columns.taps * copy_size() + 64; }

 private:
  // Divisions are slow compared to a tiny convolution.
  std::int64_t row_quotient(std::int64_t m) const { return rows.stride == 1 ? m : m / rows.stride; }
};

inline ImageConvolution forward_convolution(const Conv2dSizes& s) {
  return {.in_channels = s.in_channels / s.groups,
          .out_channels = s.out_channels / s.groups,
          .out_stride = s.out_height * s.out_width,
          .rows = row_axis(s),
          .columns = column_axis(s)};
}

inline bool is_strided(const Conv2dSizes& s) { return s.stride_height > 1 || s.stride_width > 1; }

// The phases of dx, each as a convolution of dy. Reversed, the taps read dy from left to right.
inline Phase row_phase(const Conv2dSizes& s, std::int64_t index) {
  return Phases{row_axis(s), s.flip, true}[index].with_taps_reversed();
}
inline Phase column_phase(const Conv2dSizes& s, std::int64_t index) {
  return Phases{column_axis(s), s.flip, true}[index].with_taps_reversed();
}
inline ImageConvolution phase_convolution(const Conv2dSizes& s, const Phase& rows, const Phase& columns) {
  return {.in_channels = s.out_channels / s.groups,
          .out_channels = s.in_channels / s.groups,
          .out_stride = rows.axis.out * columns.axis.out,
          .rows = rows.axis,
          .columns = columns.axis};
}
/// All of dx, for strides of 1.
inline ImageConvolution input_grad_convolution(const Conv2dSizes& s) {
  return phase_convolution(s, row_phase(s, 0), column_phase(s, 0));
}

/// The index of the weight of tap (u, v) of an input channel, for output channel 0.
inline std::int64_t weight_index(const ImageConvolution& c, bool flip, std::int64_t channel, std::int64_t u,
                                 std::int64_t v) {
  return channel * c.area() + kernel_index(c.rows.taps, c.columns.taps, flip, u, v);
}

/// Calls f(out, in, w) with the indices of every product out += in w, by rising out.
template <class F>
void for_each_product(const ImageConvolution& c, bool flip, const F& f) {
  std::int64_t out = 0;
  for (std::int64_t o = 0; o < c.out_channels; ++o)
    for (std::int64_t i = 0; i < c.rows.out; ++i) {
      const Piece tap_rows = c.rows.taps_inside(i);
      for (std::int64_t j = 0; j < c.columns.out; ++j, ++out) {
        const Piece tap_columns = c.columns.taps_inside(j);
        for (std::int64_t channel = 0; channel < c.in_channels; ++channel)
          for (std::int64_t u = tap_rows.begin; u < tap_rows.end; ++u)
            for (std::int64_t v = tap_columns.begin; v < tap_columns.end; ++v)
              f(out, (channel * c.rows.in + c.rows.input(i, u)) * c.columns.in + c.columns.input(j, v),
                o * c.taps() + weight_index(c, flip, channel, u, v));
      }
    }
}

/// w(o, c, u, v) = w[o out_channel + c in_channel + u tap_row + v tap_column]; steps may be negative.
struct WeightSteps {
  std::int64_t out_channel, in_channel, tap_row = 0, tap_column = 0;
};

/// The weight gradient of one group of channels, from some images.
template <class T>
struct GroupWeightGrad {
  ImageConvolution c;
  bool flip;
  std::int64_t batch, dy_image, x_image;  // elements from one image to the next
  const T *dy, *x;                        // of the first image
  T* dw;
};

}  // namespace adjoint::kernels
