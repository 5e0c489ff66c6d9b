#include "adjoint/ops/reduce.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/shape.h"
#include "autograd/kernels/elementwise/broadcast.h"
#include "autograd/kernels/reduce/reduce.h"
#include "autograd/ops/support/broadcast.h"

namespace adjoint {
namespace {

/// The shape of a reduction's result, and kept: the same, but the reduced axes stay with size 1.
struct Reduction {
  Shape kept, shape;
};

Reduction over_axes(const char* op, const Tensor& x, std::span<const int> axes,
                    const ReduceOptions& options) {
  ops::check_floating(op, "x", x);
  bool reduced[Shape::kMaxRank] = {};
  for (const int given : axes) {
    const int axis = ops::checked_axis(op, x, given);
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
  return {with_ones, options.keepdim ? with_ones : Shape(std::span<const std::int64_t>(left, rank))};
}

Reduction over_all(const char* op, const Tensor& x) {
  ops::check_floating(op, "x", x);
  std::int64_t ones[Shape::kMaxRank];
  std::fill_n(ones, Shape::kMaxRank, 1);
  return {Shape(std::span<const std::int64_t>(ones, static_cast<std::size_t>(x.rank()))), Shape{}};
}

/// The number of elements of x that make one element of the result; 1 if the result is empty.
std::int64_t terms(const Shape& x, const Shape& kept) {
  return kept.numel() == 0 ? 1 : x.numel() / kept.numel();
}

/// kernel(x_shape, x, kept, y): x reduced to kept, whose sizes are x's own or 1.
template <class Kernel>
Values reduce(const Values& x, const Shape& kept, const Kernel& kernel) {
  const Layout layout = ops::layout_from(x, kept);
  Values y(x.dtype(), kept, layout);
  const Shape from = ops::operand(x, kept, layout).shape, to = ops::operand(y, kept, layout).shape;
  visit_floating(x.dtype(), [&]<class T>() { kernel(from, x.in<T>(layout), to, y.template writable<T>()); });
  return y;
}

struct Channels {
  std::int64_t count, plane;
};

/// The view [N, count, plane] of x such that kept is [1, count, 1], if there is one.
std::optional<Channels> kept_channels(const Shape& x, const Shape& kept) {
  if (kept[0] != 1) return std::nullopt;
  Channels channels{1, 1};
  int axis = 1;
  for (; axis < x.rank() && kept[axis] == x[axis]; ++axis) channels.count *= x[axis];
  for (; axis < x.rank() && kept[axis] == 1; ++axis) channels.plane *= x[axis];
  return axis < x.rank() ? std::nullopt : std::optional(channels);
}

/// x summed to kept, whose sizes are x's own or 1.
Values sum_values(const Values& x, const Shape& kept) {
  if (x.numel() == kept.numel()) return x.reshaped(kept);  // Sums of one term share x's memory.
  if (x.cheapest_layout() == Layout::interleaved && ops::layout_from(x, kept) == Layout::row_major) {
    if (const auto channels = kept_channels(x.shape(), kept)) {
      Values y(x.dtype(), kept);
      visit_floating(x.dtype(), [&]<class T>() {
        kernels::sum_interleaved_per_channel(x.shape()[0], channels->count, channels->plane,
                                             x.interleaved<T>(), y.writable<T>());
      });
      return y;
    }
  }
  return reduce(x, kept, [](const auto&... arguments) { kernels::sum_to(arguments...); });
}

/// x repeated to shape, in a layout that shape's rank allows.
Tensor repeat(const Tensor& x, const Shape& shape, Layout layout) {
  if (x.shape() == shape) return x;
  const ops::Operand from = ops::operand(x.values(), shape, layout);
  Values y(x.dtype(), shape, layout);
  visit(x.dtype(), [&]<class T>() {
    kernels::broadcast_to(from.shape, x.values().in<T>(from.layout), ops::operand(y, shape, layout).shape,
                          y.writable<T>());
  });
  return record("broadcast_to", std::move(y), {x},
                [xs = x.shape()](const Tensor& dy, Needs) -> Grads { return {sum_to(dy, xs)}; });
}

/// The layout for a gradient of x: that of x, because gradients from other ops on x probably have it, too.
Layout layout_like(const Values& x) { return ops::layout_from(x, x.shape()); }

Tensor sum_over(const Tensor& x, const Reduction& to) {
  return record("sum", sum_values(x.values(), to.kept).reshaped(to.shape), {x},
                [kept = to.kept, xs = x.shape(), layout = layout_like(x.values())](
                    const Tensor& dy, Needs) -> Grads { return {repeat(reshape(dy, kept), xs, layout)}; });
}

Tensor mean_over(const Tensor& x, const Reduction& to) {
  const auto count = static_cast<double>(terms(x.shape(), to.kept));
  Tensor y(sum_values(x.values(), to.kept));
  if (count != 1) y = std::move(y) / count;
  return record("mean", y.values().reshaped(to.shape), {x},
                [kept = to.kept, xs = x.shape(), layout = layout_like(x.values()), count](const Tensor& dy,
                                                                                          Needs) -> Grads {
                  return {repeat(reshape(dy / std::max(count, 1.0), kept), xs, layout)};
                });
}

Tensor max_over(const Tensor& x, const Reduction& to) {
  check_shape(terms(x.shape(), to.kept) != 0, "max: there must be elements to choose from; x is {}",
              x.shape());
  Values y = reduce(x.values(), to.kept, [](const auto&... arguments) { kernels::max_to(arguments...); });
  return record("max", y.reshaped(to.shape), {x},
                [x = Saved(x), kept = to.kept](const Tensor& dy, const Tensor& y, Needs) -> Grads {
                  const Tensor is_max = equal(x, reshape(y, kept)).to(dy.dtype());
                  return {is_max * (reshape(dy, kept) / sum_to(is_max, kept))};
                });
}

/// True when shape broadcasts to exactly `to`.
bool broadcasts(const Shape& shape, const Shape& to) {
  if (shape.rank() > to.rank()) return false;
  for (int i = 1; i <= shape.rank(); ++i) {
    if (shape[-i] != to[-i] && shape[-i] != 1) return false;
  }
  return true;
}

std::span<const int> as_span(std::initializer_list<int> axes) { return {axes.begin(), axes.size()}; }

}  // namespace

Tensor sum(const Tensor& x) { return sum_over(x, over_all("sum", x)); }
Tensor sum(const Tensor& x, std::span<const int> axes, const ReduceOptions& options) {
  return sum_over(x, over_axes("sum", x, axes, options));
}
Tensor sum(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options) {
  return sum(x, as_span(axes), options);
}

Tensor mean(const Tensor& x) { return mean_over(x, over_all("mean", x)); }
Tensor mean(const Tensor& x, std::span<const int> axes, const ReduceOptions& options) {
  return mean_over(x, over_axes("mean", x, axes, options));
}
Tensor mean(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options) {
  return mean(x, as_span(axes), options);
}

Tensor max(const Tensor& x) { return max_over(x, over_all("max", x)); }
Tensor max(const Tensor& x, std::span<const int> axes, const ReduceOptions& options) {
  return max_over(x, over_axes("max", x, axes, options));
}
Tensor max(const Tensor& x, std::initializer_list<int> axes, const ReduceOptions& options) {
  return max(x, as_span(axes), options);
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  check_shape(broadcasts(x.shape(), shape),
              "broadcast_to: x does not broadcast to the shape; x is {}, the shape {}", x.shape(), shape);
  if (x.shape() == shape) return pass_through("broadcast_to", x);
  return repeat(x, shape, ops::layout_from(x.values(), shape));
}

Tensor sum_to(Tensor x, const Shape& shape) {
  ops::check_floating("sum_to", "x", x);
  if (x.shape() == shape) return pass_through("sum_to", std::move(x));
  check_shape(broadcasts(shape, x.shape()), "sum_to: the shape must broadcast to x's; x is {}, the shape {}",
              x.shape(), shape);
  std::int64_t kept[Shape::kMaxRank];
  std::fill_n(kept, Shape::kMaxRank, 1);
  std::copy(shape.begin(), shape.end(), kept + x.rank() - shape.rank());
  Values y =
      sum_values(x.values(), Shape(std::span<const std::int64_t>(kept, static_cast<std::size_t>(x.rank()))));
  return record("sum_to", y.reshaped(shape), {x},
                [xs = x.shape(), layout = layout_like(x.values())](const Tensor& dy, Needs) -> Grads {
                  return {repeat(dy, xs, layout)};
                });
}

}  // namespace adjoint
