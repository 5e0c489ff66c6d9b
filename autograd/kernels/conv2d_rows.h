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

#include <cstdint>

#include "autograd/kernels/conv2d.h"
#include "autograd/kernels/tile.h"

namespace adjoint::kernels {

/// out[r, i, j] = start[r] + sum_{s,u,v} w(r, s, u, v) source[s, i row_step + u row_dilation + row_offset,
///                                                           j column_step + v column_dilation +
///                                                           column_offset].
struct PlaneConvolution {
  std::int64_t sources, source_height, source_width;
  std::int64_t rows, out_height, out_width;  // rows: output planes,
  std::int64_t out_stride;                   // so many elements apart
  std::int64_t tap_rows, tap_columns;
  std::int64_t row_step, row_dilation, row_offset;
  std::int64_t column_step, column_dilation, column_offset;

  std::int64_t positions() const { return out_height * out_width; }
  /// The same for some output rows only.
  PlaneConvolution band(Piece out_rows) const {
    PlaneConvolution c = *this;
    c.out_height = out_rows.size();
    c.row_offset += out_rows.begin * row_step;
    return c;
  }
  std::int64_t taps() const { return sources * tap_rows * tap_columns; }
  /// Rows of a shifted copy that share m % row_step.
  std::int64_t phase_rows() const { return out_height + row_quotient((tap_rows - 1) * row_dilation); }
  /// Elements of one shifted copy.
  std::int64_t copy_size() const { return row_step * phase_rows() * out_width; }
  /// Where kernel row u's positions begin in a shifted copy.
  std::int64_t tap_offset(std::int64_t u) const {
    const std::int64_t m = u * row_dilation, q = row_quotient(m);
    return ((m - q * row_step) * phase_rows() + q) * out_width;
  }
  /// Elements of the shifted copies of so many sources, and room for a register past the end.
  std::int64_t copies_size(std::int64_t of_sources) const {
    return of_sources * tap_columns * copy_size() + 64;
  }

 private:
  // Divisions are slow beside a tiny convolution.
  std::int64_t row_quotient(std::int64_t m) const { return row_step == 1 ? m : m / row_step; }
};

/// w(r, s, u, v) = w[r row + s source + u tap_row + v tap_column]; steps may be negative.
struct WeightSteps {
  std::int64_t row, source, tap_row, tap_column;
};

/// The loops over a convolution's taps, in an order that suits the tile kernel: evenly spaced products
/// inside, a table of segments around them.
struct TapOrder {
  bool sources_inside;         // else kernel columns
  std::int64_t segment_count;  // at most sources * tap_rows or tap_rows * tap_columns
  std::int64_t depth;
};
TapOrder tap_order(const PlaneConvolution& convolution);

/// The functions compiled for this processor's instruction set. T is float or double.
template <class T>
struct RowKernels {
  /// Values in a register.
  std::int64_t vector_size;
  /// The shifted copies of one source plane.
  void (*shift_plane)(const PlaneConvolution& convolution, const T* source, T* copies);
  /// out at some rows, from the shifted copies; start may be null.
  void (*convolve)(const PlaneConvolution& convolution, const WeightSteps& steps, const Segment* segments,
                   const T* copies, const T* w, const T* start, Piece rows, T* out);
  /// dw[r, k] (+)= sum_p dy[r, p] copies[tap_begins[k] + p] for k < taps: dy [rows, positions], dw [rows,
  /// convolution.taps()].
  void (*correlate)(const PlaneConvolution& convolution, const T* dy, const T* copies,
                    const std::int64_t* tap_begins, std::int64_t taps, bool accumulate, T* dw);
  /// The same with registers along the rows: dw_t[k, r] (+)= sum_p copies[tap_begins[k] + p] dy_t[p, r], for
  /// all r < row_step, a whole number of registers.
  void (*correlate_transposed)(std::int64_t positions, std::int64_t row_step, const T* dy_t, const T* copies,
                               const std::int64_t* tap_begins, std::int64_t taps, bool accumulate, T* dw_t);
  /// to[c, r] = from[r, c] for r < rows, c < columns, up to the next whole register of rows: to_step is at
  /// least that.
  void (*transpose)(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns, T* to,
                    std::int64_t to_step);
  /// One plane of dx: dx[i, j] = sum_{u,v} products[u, v, i + ph - u dh, j + pw - v dw], where that is an
  /// output position; strides are 1. Reads, but does not use, up to a register before and after `products`.
  void (*fold)(const Conv2dSizes& sizes, const T* products, T* dx);
};
template <class T>
const RowKernels<T>& row_kernels();

}  // namespace adjoint::kernels
