#pragma once
// Windows of images copied out as the rows of a matrix (im2col), and added back at their places (col2im).

#include <cstddef>
#include <cstdint>

namespace adjoint::kernels {

/// Windows on `planes` images [height,width], as for a convolution.
struct FoldSizes {
  std::int64_t planes, height, width, out_height, out_width;
  std::int64_t window_height, window_width, stride_height, stride_width, padding_height, padding_width;
  std::int64_t dilation_height, dilation_width;
};

/// y [planes, window height, window width, out height, out width] = what each tap sees of x
/// [planes,height,width]; 0 in the padding. `bytes` is the size of an element, as in copy.h.
void unfold(std::size_t bytes, const FoldSizes& sizes, const void* x, void* y);

/// y [planes,height,width] = the sum of x [planes, window height, window width, out height, out width], each
/// element added where its tap lies. T is float, double or std::int64_t, which wraps around.
template <class T>
void fold(const FoldSizes& sizes, const T* x, T* y);

}  // namespace adjoint::kernels
