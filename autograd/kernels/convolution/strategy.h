#pragma once
// How a convolution is computed. The choice depends on the sizes alone, so that results do not depend on
// threads. Every choice gives right results; the one with the lowest estimated cost is taken.
// ops/support/layout_policy.h chooses the layout.

#include <cstdint>

#include "autograd/kernels/convolution/row_major/image_convolution.h"

namespace adjoint::kernels {

/// Ways to compute a row-major convolution or one of its gradients.
enum class Strategy {
  product_by_product,
  along_positions,     // registers hold positions of one output channel, read from im2col copies
  along_out_channels,  // registers hold output channels of one position
  col2im,              // input gradients: products of weights with dy, then added where they belong
};

// vector_size: values in a register.

Strategy forward_strategy(const ImageConvolution& forward, std::int64_t vector_size);
/// For strides above 1, along_positions is phase by phase; along_out_channels is for strides of 1 only.
Strategy input_grad_strategy(const Conv2dSizes& sizes, std::int64_t vector_size);
bool weight_grad_goes_product_by_product(const ImageConvolution& forward);
/// Of a larger weight gradient: along_positions or along_out_channels. images: how many are added up before
/// the lanes of a register are, if registers hold positions.
Strategy weight_grad_strategy(const ImageConvolution& forward, std::int64_t images, std::int64_t vector_size);

// Kernels that reach far past the sides of their image: an output column leaves out the taps that read only
// zeros, or a tap column leaves out the positions.

/// Along out_channels, whether to go column by column of the output, or of the kernel.
bool convolution_goes_by_columns(const ImageConvolution& convolution, std::int64_t vector_size);
bool weight_grad_goes_by_columns(const ImageConvolution& forward, std::int64_t vector_size);
/// The same for interleaved images. block_out_channels: output channels that one register block writes at
/// most.
bool interleaved_goes_by_columns(const Phases& columns, std::int64_t out_channels,
                                 std::int64_t block_out_channels);

}  // namespace adjoint::kernels
