#include <algorithm>
#include <fmt/core.h>
#include <functional>
#include <numeric>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/reduce.h"
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

/// Sizes of at most Shape::kMaxRank axes, to be appended one by one.
struct Sizes {
  std::int64_t sizes[Shape::kMaxRank];
  std::size_t rank = 0;
  void append(std::int64_t size) { sizes[rank++] = size; }
  operator Shape() const { return Shape(std::span(sizes, rank)); }  // NOLINT: reshape(x, sizes)
};

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

Tensor unflatten(const Tensor& x, int axis, std::span<const std::int64_t> sizes) {
  axis = ops::checked_axis("unflatten", x, axis);
  const auto rank = static_cast<std::size_t>(x.rank()) - 1 + sizes.size();
  check_shape(rank <= Shape::kMaxRank, "unflatten: at most {} axes are supported, got {}", Shape::kMaxRank,
              rank);
  std::int64_t product = 1, unknown = 0;
  bool fits = true;
  for (const std::int64_t size : sizes) {
    fits = fits && size >= -1 && !__builtin_mul_overflow(product, size == -1 ? 1 : size, &product);
    unknown += size == -1 ? 1 : 0;
  }
  fits = fits && (unknown == 0 ? product == x.size(axis)
                               : unknown == 1 && product != 0 && x.size(axis) % product == 0);
  check_shape(fits, "unflatten: the sizes must make up axis {}, and one may be -1; x is {}, sizes are {}",
              axis, x.shape(), Listed(sizes));
  Sizes shape;
  for (int i = 0; i < axis; ++i) shape.append(x.size(i));
  for (const std::int64_t size : sizes) shape.append(size == -1 ? x.size(axis) / product : size);
  for (int i = axis + 1; i < x.rank(); ++i) shape.append(x.size(i));
  return reshape(x, shape);
}
Tensor unflatten(const Tensor& x, int axis, std::initializer_list<std::int64_t> sizes) {
  return unflatten(x, axis, std::span(sizes.begin(), sizes.size()));
}

Tensor squeeze(const Tensor& x) {
  Sizes shape;
  for (const std::int64_t size : x.shape().sizes())
    if (size != 1) shape.append(size);
  return reshape(x, shape);
}
Tensor squeeze(const Tensor& x, std::span<const int> axes) {
  bool removed[Shape::kMaxRank] = {};
  for (const int given : axes) {
    const int axis = ops::checked_axis("squeeze", x, given);
    check_shape(!std::exchange(removed[axis], true), "squeeze: axis {} is given twice; x is {}", given,
                x.shape());
  }
  Sizes shape;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (!removed[axis] || x.size(axis) != 1) shape.append(x.size(axis));
  return reshape(x, shape);
}
Tensor squeeze(const Tensor& x, std::initializer_list<int> axes) {
  return squeeze(x, std::span(axes.begin(), axes.size()));
}
Tensor squeeze(const Tensor& x, int axis) { return squeeze(x, {axis}); }

Tensor unsqueeze(const Tensor& x, int axis) {
  const int rank = x.rank() + 1;
  check_shape(rank <= Shape::kMaxRank, "unsqueeze: at most {} axes are supported, got {}", Shape::kMaxRank,
              rank);
  check_shape(axis >= -rank && axis < rank, "unsqueeze: axis {} is out of range for {} axes; x is {}", axis,
              rank, x.shape());
  Sizes shape;
  for (int i = 0; i < rank; ++i) {
    const int place = axis < 0 ? axis + rank : axis;
    shape.append(i == place ? 1 : x.size(i < place ? i : i - 1));
  }
  return reshape(x, shape);
}

Tensor expand(const Tensor& x, std::span<const std::int64_t> sizes) {
  const auto fits = [&] {
    const std::size_t rank = sizes.size(), own = static_cast<std::size_t>(x.rank());
    if (rank < own || rank > Shape::kMaxRank) return false;
    for (std::size_t i = 0; i < rank; ++i) {
      const bool is_new = i < rank - own;
      const std::int64_t size = is_new ? 1 : x.shape().begin()[i - (rank - own)];
      if (sizes[i] < (is_new ? 0 : -1) || (size != 1 && sizes[i] != -1 && sizes[i] != size)) return false;
    }
    return true;
  };
  check_shape(fits(), "expand: x does not broadcast to the sizes; x is {}, sizes are {}", x.shape(),
              Listed(sizes));
  Sizes shape;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    shape.append(sizes[i] == -1 ? x.size(static_cast<int>(i) - static_cast<int>(sizes.size())) : sizes[i]);
  return broadcast_to(x, shape);
}
Tensor expand(const Tensor& x, std::initializer_list<std::int64_t> sizes) {
  return expand(x, std::span(sizes.begin(), sizes.size()));
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

Tensor movedim(const Tensor& x, std::span<const int> source, std::span<const int> destination) {
  check_shape(source.size() == destination.size(),
              "movedim: each source needs one destination; sources are {}, destinations {}", Listed(source),
              Listed(destination));
  bool moved[Shape::kMaxRank] = {};
  int axes[Shape::kMaxRank];
  std::fill_n(axes, Shape::kMaxRank, -1);
  for (std::size_t i = 0; i < source.size(); ++i) {
    const int from = ops::checked_axis("movedim", x, source[i]),
              to = ops::checked_axis("movedim", x, destination[i]);
    check_shape(!std::exchange(moved[from], true) && std::exchange(axes[to], from) < 0,
                "movedim: an axis is given twice; x is {}, sources are {}, destinations {}", x.shape(),
                Listed(source), Listed(destination));
  }
  for (int from = 0, to = 0; from < x.rank(); ++from) {
    if (moved[from]) continue;
    while (axes[to] >= 0) ++to;
    axes[to] = from;
  }
  return permute(x, std::span<const int>(axes, static_cast<std::size_t>(x.rank())));
}
Tensor movedim(const Tensor& x, std::initializer_list<int> source, std::initializer_list<int> destination) {
  return movedim(x, std::span(source.begin(), source.size()),
                 std::span(destination.begin(), destination.size()));
}
Tensor movedim(const Tensor& x, int source, int destination) { return movedim(x, {source}, {destination}); }

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
