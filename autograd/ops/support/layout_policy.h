#pragma once
// Which layout an op takes. Either is right; these rules say which is faster. An op that does not care takes
// row-major arguments and makes a row-major result.

#include "adjoint/tensor/values.h"
#include "autograd/kernels/convolution/conv2d.h"

namespace adjoint::ops {

/// For a convolution, in all of its three products.
Layout layout_of_convolution(DType dtype, const kernels::Conv2dSizes& sizes);

/// For a batch of `count` images that come from a data set.
Layout layout_of_batch(DType dtype, std::int64_t count);

/// For an op on both arrays, of one shape: interleaved when one of them is nothing else.
Layout common_layout(const Values& a, const Values& b);

/// For a result of y_shape that x is broadcast to, or reduced to: interleaved when x is nothing else and has
/// y_shape's first axis, the batch. It then has an axis more, so y_shape must have room for that.
Layout layout_from(const Values& x, const Shape& y_shape);
/// The same for a result from a and b.
Layout layout_from(const Values& a, const Values& b, const Shape& y_shape);

/// For an op along one axis: as common_layout, but row-major along the images' own axis, where spare lanes
/// would count.
template <class... More>
Layout layout_along(int axis, const Values& x, const More&... more) {
  const bool interleaved = ((x.cheapest_layout() == Layout::interleaved) || ... ||
                            (more.cheapest_layout() == Layout::interleaved));
  return interleaved && axis > 0 ? Layout::interleaved : Layout::row_major;
}

}  // namespace adjoint::ops
