#pragma once
// Which layout an op uses. Both give right results; these rules choose the faster one. An op without a rule
// takes row-major arguments and makes a row-major result.

#include "adjoint/tensor/values.h"
#include "autograd/kernels/convolution/conv2d.h"

namespace adjoint::ops {

/// For a convolution, in all of its three products.
Layout layout_of_convolution(DType dtype, const kernels::Conv2dSizes& sizes);

/// For a batch of `count` images that come from a data set.
Layout layout_of_batch(DType dtype, std::int64_t count);

/// For an op on two arrays of the same shape: interleaved if one of them exists only in this layout.
Layout common_layout(const Values& a, const Values& b);

/// For a result of y_shape to which x is broadcast or reduced: interleaved if x exists only in this layout
/// and has y_shape's first axis, the batch. Kernels see one more axis then, so y_shape must have fewer than
/// Shape::kMaxRank axes.
Layout layout_from(const Values& x, const Shape& y_shape);
/// The same for a result from a and b.
Layout layout_from(const Values& a, const Values& b, const Shape& y_shape);

/// For an op along one axis: as common_layout, but row-major along axis 0, the images, where spare lanes
/// would enter the result.
template <class... More>
Layout layout_along(int axis, const Values& x, const More&... more) {
  const bool interleaved = ((x.cheapest_layout() == Layout::interleaved) || ... ||
                            (more.cheapest_layout() == Layout::interleaved));
  return interleaved && axis > 0 ? Layout::interleaved : Layout::row_major;
}

}  // namespace adjoint::ops
