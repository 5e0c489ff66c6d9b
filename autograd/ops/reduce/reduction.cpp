#include "autograd/ops/reduce/reduction.h"

#include <algorithm>

#include "autograd/ops/support/checks.h"

namespace adjoint {

Axes::Axes(std::span<const int> axes) : count_(static_cast<int>(axes.size())) {
  check_shape(axes.size() <= Shape::kMaxRank, "axes: a tensor has at most {} axes, {} are given",
              Shape::kMaxRank, axes.size());
  std::ranges::copy(axes, axes_);
}

namespace ops {

Reduction reduction(const char* op, const Tensor& x, const Axes& axes, bool keepdim) {
  bool reduced[Shape::kMaxRank];
  std::fill_n(reduced, Shape::kMaxRank, axes.is_all());
  for (const int given : axes.given()) {
    const int axis = checked_axis(op, x, given);
    check_shape(!reduced[axis], "{}: axis {} is given twice; x is {}", op, given, x.shape());
    reduced[axis] = true;
  }
  std::int64_t kept[Shape::kMaxRank], left[Shape::kMaxRank];
  std::size_t rank = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    kept[axis] = reduced[axis] ? 1 : x.size(axis);
    if (!reduced[axis]) left[rank++] = x.size(axis);
  }
  const Shape with_ones(std::span<const std::int64_t>(kept, static_cast<std::size_t>(x.rank())));
  return {with_ones, keepdim ? with_ones : Shape(std::span<const std::int64_t>(left, rank)),
          with_ones.numel() == 0 ? 1 : x.numel() / with_ones.numel()};
}

}  // namespace ops
}  // namespace adjoint
