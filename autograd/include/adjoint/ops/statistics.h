#pragma once
// Spreads, norms, medians, and positions of extremes, over chosen axes: shapes and errors are those of
// reduce.h. Floating dtypes only, unless another rule is given.

#include <optional>

#include "adjoint/ops/axes.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/sort.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct VarOptions {
  double correction =
      1;  ///< Subtracted from the number of elements: 1 for a sample, 0 for a whole population.
  bool keepdim = false;
};
/// y = sum (x - mean(x))^2 / max(0, n - correction) over n elements each. If n <= correction, this is NaN
/// where all elements are equal, and else infinite.
Tensor var(const Tensor& x, const Axes& axes = Axes::all(), const VarOptions& options = {});
/// y = sqrt(var(x)), with gradient 0 where y is 0. It is PyTorch's std, a name that C++ reserves.
Tensor stddev(const Tensor& x, const Axes& axes = Axes::all(), const VarOptions& options = {});

struct NormOptions {
  double p =
      2;  ///< 0 counts the elements that are not 0; infinity is the largest |x|, -infinity the smallest.
  bool keepdim = false;
};
/// y = (sum |x|^p)^(1/p). The gradient is 0 where y is 0. Equal extremes share the gradient of an infinite p.
/// Throws Error when p is NaN.
Tensor norm(const Tensor& x, const Axes& axes = Axes::all(), const NormOptions& options = {});

/// y = ln(sum e^x), without overflow. -infinity where all terms are, or where there are none; the gradient is
/// 0 there.
Tensor logsumexp(const Tensor& x, const Axes& axes = Axes::all(), const ReduceOptions& options = {});

/// The position of the largest element along axis, or in row-major order without axis; int64. The first of
/// equal ones, and the first NaN if there is any. All dtypes. Throws ShapeError when there are no elements to
/// choose from.
Tensor argmax(const Tensor& x, std::optional<int> axis = {}, const ReduceOptions& options = {});
/// The same for the smallest element.
Tensor argmin(const Tensor& x, std::optional<int> axis = {}, const ReduceOptions& options = {});
/// The largest elements along axis and their positions, as argmax. The gradient goes to the element at the
/// position alone. PyTorch's max(x, dim). All dtypes.
ValuesAndIndices max_with_indices(const Tensor& x, int axis, const ReduceOptions& options = {});
/// The same for the smallest elements.
ValuesAndIndices min_with_indices(const Tensor& x, int axis, const ReduceOptions& options = {});

/// The middle element in sorted order along axis, or of all elements without axis; the lower one of two, as
/// in PyTorch. NaN if any element is. The gradient goes to the element. All dtypes but boolean. Throws
/// ShapeError when there are no elements.
Tensor median(const Tensor& x, std::optional<int> axis = {}, const ReduceOptions& options = {});

}  // namespace adjoint
