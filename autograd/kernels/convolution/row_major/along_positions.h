#pragma once
// Row-major convolutions whose registers hold positions of one output channel: a matrix product of the
// weights and im2col copies of the image.

#include "autograd/kernels/convolution/row_major/image_convolution.h"

namespace adjoint::kernels {

/// The loops over a convolution's taps, in an order that suits the tile kernel: evenly spaced products
/// inside, a table of segments around them.
struct TapOrder {
  bool channels_inside;  // some input channels, else kernel columns
  std::int64_t blocks;   // of input channels
  std::int64_t segment_count;
  std::int64_t depth;  // products in a segment
};
TapOrder tap_order(const ImageConvolution& convolution);

/// The segments of the tile kernel, tap_order(convolution).segment_count.
void list_segments(const ImageConvolution& convolution, const WeightSteps& steps, Segment* segments);

/// out [out_channels, positions] from in [in_channels, height, width]. The work is cut into bands of output
/// rows and, if these are few, pieces of output channels. Each makes the copies that it reads, so that
/// threads share nothing but `in`. start [out_channels] may be null.
template <class T>
void convolve_along_positions(const ImageConvolution& convolution, const WeightSteps& steps, const T* in,
                              const T* w, const T* start, T* out);

}  // namespace adjoint::kernels
