#pragma once
// The parts of row-major convolutions that are compiled for each instruction set.

#include "autograd/kernels/convolution/row_major/along_out_channels.h"

namespace adjoint::kernels {

/// c[r, :] = start[:] + sum_k a[begins[r] + offsets[k]] b[k, :] for r < rows and k < depth. A row of b and c
/// is one register or several, at most ChannelPanels::kMostVectors.
template <class T>
struct IndexedProduct {
  const T* a;
  const std::int64_t *begins, *offsets;
  std::int64_t rows, depth;
  const T* b;
  const T* start;  // null for zeros
  T* c;
  bool add = false;  // the sum to c's former values
};

/// dy [out_channels, positions] and im2col copies of some input channels, of `count` images. From one image
/// to the next are dy_image and copies_image elements, from one row of dy to the next
/// ImageConvolution::out_stride.
template <class T>
struct CopiedImages {
  std::int64_t count;
  const T* dy;
  std::int64_t dy_image;
  const T* copies;
  std::int64_t copies_image;
};

/// The functions for this processor. T is float or double.
template <class T>
struct RowMajorKernels {
  /// Values in a register.
  std::int64_t vector_size;
  /// The copies of some input channels; see ImageConvolution.
  void (*im2col)(const ImageConvolution& convolution, Piece in_channels, const T* in, T* copies);
  /// out at some output channels, from the copies; start may be null.
  void (*convolve)(const ImageConvolution& convolution, const WeightSteps& steps, const Segment* segments,
                   const T* copies, const T* w, const T* start, Piece out_channels, T* out);
  /// dw[o, k] (+)= sum of dy[o, p] copies[tap_begins[k] + p] over the images and positions p, for k < taps:
  /// dw [out_channels, convolution.taps()].
  void (*correlate)(const ImageConvolution& convolution, const CopiedImages<T>& images,
                    const std::int64_t* tap_begins, std::int64_t taps, bool accumulate, T* dw);
  void (*indexed_product)(const IndexedProduct<T>& product, std::int64_t vectors);
  /// A tile of any number of rows and at most ChannelPanels::kMostVectors vectors.
  void (*run_tall_tile)(std::int64_t rows, std::int64_t vectors, Tile<T> tile);
  /// to[c, r] = from[r, c] for r < rows, c < columns, up to the next whole register of rows: to_step is at
  /// least that.
  void (*transpose)(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns, T* to,
                    std::int64_t to_step);
  /// The same, writing nothing else.
  void (*transpose_exactly)(const T* from, std::int64_t from_step, std::int64_t rows, std::int64_t columns,
                            T* to, std::int64_t to_step);
  /// One channel of dx: the sum of products[u, v, i, j] at row i sh + u dh - ph and column j sw + v dw - pw,
  /// where that lies in the image. Products of different taps, in the order in which weights are stored, are
  /// product_step apart. (KH - 1) dh OW zeros lie before each and after the last, and a register more can be
  /// read.
  void (*col2im)(const Conv2dSizes& sizes, const T* products, std::int64_t product_step, T* dx);
};
template <class T>
const RowMajorKernels<T>& row_major_kernels();

}  // namespace adjoint::kernels
