#include <algorithm>
#include <fmt/core.h>
#include <functional>
#include <numeric>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/shape.h"
#include "autograd/kernels/linalg/transpose.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// sizes with its -1, if there is one, replaced by the size that fits the number of elements of x.
Shape with_inferred_size(const Tensor& x, std::span<const std::int64_t> sizes) {
  const auto unknown = std::find(sizes.begin(), sizes.end(), -1);
  if (unknown == sizes.end()) return Shape(sizes);
  check_shape(std::count(unknown, sizes.end(), -1) == 1, "reshape: only one size may be -1, the shape is {}",
              Listed(sizes));
  const auto axis = static_cast<int>(unknown - sizes.begin());
  check_shape(sizes.size() <= Shape::kMaxRank, "reshape: at most {} axes are supported, got {}",
              Shape::kMaxRank, sizes.size());
  std::int64_t filled[Shape::kMaxRank];
  std::copy(sizes.begin(), sizes.end(), filled);
  filled[axis] = 1;
  const Shape others(std::span<const std::int64_t>(filled, sizes.size()));
  check_shape(others.numel() != 0 && x.numel() % others.numel() == 0,
              "reshape: the size that is -1 cannot be found; x is {}, the shape {}", x.shape(),
              Listed(sizes));
  return others.with(axis, x.numel() / others.numel());
}

/// A permutation of x's axes, counted from 0, and its inverse: the new place of each axis of x.
struct Permutation {
  int axes[Shape::kMaxRank], inverse[Shape::kMaxRank];
};

Permutation checked_permutation(const Tensor& x, std::span<const int> axes) {
  const auto require = [&](bool condition) {
    check_shape(condition, "permute: axes must name every axis of x once; x is {}, axes are {}", x.shape(),
                Listed(axes));
  };
  require(std::cmp_equal(axes.size(), x.rank()));
  Permutation result;
  std::fill_n(result.inverse, Shape::kMaxRank, -1);
  for (int i = 0; i < x.rank(); ++i) {
    int axis = axes[static_cast<std::size_t>(i)];
    if (axis < 0) axis += x.rank();
    require(axis >= 0 && axis < x.rank() && result.inverse[axis] < 0);
    result.axes[i] = axis;
    result.inverse[axis] = i;
  }
  return result;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  if (shape == x.shape()) return pass_through("reshape", x);
  check_shape(shape.numel() == x.numel(),
              "reshape: the shape must have as many elements as x; x is {}, the shape {}", x.shape(), shape);
  return record("reshape", x.values().reshaped(shape), {x},
                [xs = x.shape()](const Tensor& dy, Needs) -> Grads { return {reshape(dy, xs)}; });
}

Tensor reshape(const Tensor& x, std::span<const std::int64_t> shape) {
  return reshape(x, with_inferred_size(x, shape));
}

Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> shape) {
  return reshape(x, std::span(shape.begin(), shape.size()));
}

Tensor flatten(const Tensor& x, const FlattenOptions& options) {
  const int start = ops::checked_axis("flatten", x, options.start_axis);
  const auto sizes = x.shape().sizes().subspan(static_cast<std::size_t>(start));
  std::int64_t shape[Shape::kMaxRank];
  std::copy_n(x.shape().begin(), start, shape);
  shape[start] = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies());
  return reshape(x, Shape(std::span<const std::int64_t>(shape, static_cast<std::size_t>(start) + 1)));
}

Tensor permute(const Tensor& x, std::span<const int> axes) {
  const Permutation to = checked_permutation(x, axes);
  if (std::is_sorted(to.axes, to.axes + x.rank())) return pass_through("permute", x);
  std::int64_t sizes[Shape::kMaxRank];
  for (int i = 0; i < x.rank(); ++i) sizes[i] = x.size(to.axes[i]);
  Values y(x.dtype(), Shape(std::span<const std::int64_t>(sizes, axes.size())));
  visit(x.dtype(), [&]<class T>() {
    kernels::permute(x.shape(), std::span(to.axes, axes.size()), x.values().row_major<T>(), y.writable<T>());
  });
  return record("permute", std::move(y), {x}, [to](const Tensor& dy, Needs) -> Grads {
    return {permute(dy, std::span(to.inverse, static_cast<std::size_t>(dy.rank())))};
  });
}

Tensor permute(const Tensor& x, std::initializer_list<int> axes) {
  return permute(x, std::span(axes.begin(), axes.size()));
}

Tensor transpose(const Tensor& x, int axis0, int axis1) {
  int axes[Shape::kMaxRank];
  std::iota(axes, axes + x.rank(), 0);
  std::swap(axes[ops::checked_axis("transpose", x, axis0)], axes[ops::checked_axis("transpose", x, axis1)]);
  return permute(x, std::span<const int>(axes, static_cast<std::size_t>(x.rank())));
}

Tensor transpose(const Tensor& x) {
  ops::check_rank("transpose", "x", x, 2);
  Values y(x.dtype(), Shape{x.size(1), x.size(0)});
  visit(x.dtype(), [&]<class T>() {
    kernels::transpose(1, x.size(0), x.size(1), x.values().row_major<T>(), y.writable<T>());
  });
  return record("transpose", std::move(y), {x},
                [](const Tensor& dy, Needs) -> Grads { return {transpose(dy)}; });
}

}  // namespace adjoint
