#pragma once
// Elements chosen by an int64 tensor, and elements written or added where it says. All dtypes are allowed,
// except that sums take no booleans; floating tensors are differentiable, indices are not.
//
// Indices are counted from 0; negative ones are refused, as in PyTorch. All of these throw DTypeError unless
// the indices are int64, and ShapeError, before anything is computed, when one is out of range; the message
// names its position. Negative axes are counted from the end. Sums of elements with the same index are added
// in the order of the index tensor, so results do not depend on the number of threads. int64 sums wrap
// around.

#include <cstdint>
#include <optional>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y[i,j,k] = x[index[i,j,k], j, k] for axis 0, and likewise for other axes. y has index's shape, which has
/// as many axes as x's and is nowhere larger, except along axis. Throws ShapeError otherwise.
Tensor gather(const Tensor& x, int axis, const Tensor& index);
/// gather() for x and index that are first broadcast to each other, except along axis: with indices from
/// argsort(x, ...), the sorted x. Throws ShapeError when they do not broadcast or have different ranks.
Tensor take_along_axis(const Tensor& x, const Tensor& index, int axis);
/// y = x, but y[index[i,j,k], j, k] = src[i,j,k] for axis 0, and likewise for other axes. If several elements
/// have the same index, the last of them along axis is written, and only this one gets a gradient. index has
/// as many axes as x and src, is nowhere larger than src, and nowhere larger than x, except along axis.
/// Throws ShapeError otherwise, and DTypeError when x and src have different dtypes.
Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& src);
/// The same with one number in all places. Throws Error when an int64 tensor cannot hold it.
Tensor scatter(const Tensor& x, int axis, const Tensor& index, double value);
/// y = x, and y[index[i,j,k], j, k] += src[i,j,k] for axis 0, and likewise for other axes. Repeated indices
/// add up. Shapes and errors as for scatter.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src);

/// y = x at the positions index [K] along axis. Throws ShapeError when x has no such axis, and unless index
/// has one axis.
Tensor index_select(const Tensor& x, int axis, const Tensor& index);
/// y = x with source, which has one position along axis for each element of index [K], added at the positions
/// index. Repeated indices add up. Throws ShapeError unless source has x's shape with K along axis, and
/// DTypeError when x and source have different dtypes. For PyTorch's alpha, pass alpha * source.
Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source);

/// y[..., c] = index[...] == c ? 1 : 0 for c < classes, int64. Without classes, there are as many as the
/// largest index needs. Throws Error when classes is not positive, and when it is missing and there are no
/// indices.
Tensor one_hot(const Tensor& index, std::optional<std::int64_t> classes = {});

struct EmbeddingOptions {
  /// This row of weight gets no gradient. It is still what its index looks up. Negative ones are counted from
  /// the end.
  std::optional<std::int64_t> padding_index = {};
};
/// y[...,:] = weight[index[...],:]: index of any shape, weight [rows, D], y [..., D]. Throws ShapeError
/// unless weight has two axes, and when padding_index is out of range.
Tensor embedding(const Tensor& index, const Tensor& weight, const EmbeddingOptions& options = {});

}  // namespace adjoint
