#pragma once
// Row-major convolutions whose registers hold output channels of one position: single values of an image,
// broadcast to a register, times registers of weights, or of dy, of all output channels. No register is half
// empty where the positions are few. An image is read in place, or copied once if it needs zeros around it,
// and many products with these zeros are left out. In exchange, w, y, dy and dw have to be transposed.

#include "autograd/kernels/convolution/row_major/image_convolution.h"

namespace adjoint::kernels {

/// Output channels in panels of a few registers. The panels of an array follow each other, each with the
/// array's other axis as rows and its channels as columns.
struct ChannelPanels {
  static constexpr std::int64_t kMostVectors = 3;

  ChannelPanels(std::int64_t channels, std::int64_t vector_size)
      : channels(channels),
        vector_size(vector_size),
        vectors(divide_up(channels, vector_size)),
        count(divide_up(vectors, kMostVectors)) {}
  std::int64_t channels, vector_size, vectors, count;

  /// All channels, in whole registers.
  std::int64_t columns() const { return vectors * vector_size; }
  struct Panel {
    std::int64_t vectors, first, channels;
  };
  Panel panel(std::int64_t index) const {
    const Piece v = piece(vectors, count, index);
    return {v.size(), v.begin * vector_size, std::min(v.end * vector_size, channels) - v.begin * vector_size};
  }
};

template <class T>
void forward_along_out_channels(const Conv2dSizes& sizes, const T* x, const T* w, const T* bias, T* y);

/// For strides of 1. The output channels of the convolution of dy are the channels of dx.
template <class T>
void input_grad_along_out_channels(const Conv2dSizes& sizes, const T* dy, const T* w, T* dx);

/// In chunks of input channels; work is the multiply-adds of all.
template <class T>
void weight_grad_along_out_channels(const GroupWeightGrad<T>& job, std::int64_t chunks, std::int64_t work);

}  // namespace adjoint::kernels
