#include "adjoint/ops/reduce.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/cumulative.h"
#include "adjoint/ops/join.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/slice.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/elementwise/broadcast.h"
#include "autograd/kernels/reduce/reduce.h"
#include "autograd/ops/reduce/reduction.h"
#include "autograd/ops/support/broadcast.h"

namespace adjoint {
namespace {

/// kernel(x_shape, x, kept, y): x reduced to kept, whose sizes are x's own or 1.
template <class Kernel>
Values reduce(const Values& x, const Shape& kept, const Kernel& kernel) {
  const Layout layout = ops::layout_from(x, kept);
  Values y(x.dtype(), kept, layout);
  const Shape from = ops::operand(x, kept, layout).shape, to = ops::operand(y, kept, layout).shape;
  visit_numbers(x.dtype(), [&]<class T>() { kernel(from, x.in<T>(layout), to, y.template writable<T>()); });
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

/// The product of all elements but x's own that are reduced to the same element of kept, for each element of
/// x: without a division, so that elements may be 0.
Tensor products_of_others(const Tensor& x, const Shape& kept) {
  // The reduced axes are moved to the end and merged there.
  int order[Shape::kMaxRank], back[Shape::kMaxRank], rank = 0;
  for (const bool reduced : {false, true}) {
    for (int axis = 0; axis < x.rank(); ++axis)
      if ((kept[axis] != x.size(axis)) == reduced) order[rank++] = axis;
  }
  for (int k = 0; k < rank; ++k) back[order[k]] = k;
  const auto axes = static_cast<std::size_t>(rank);
  const Tensor moved = permute(x, std::span<const int>(order, axes));
  const Tensor lines = reshape(moved, {kept.numel(), x.numel() / kept.numel()});
  const std::int64_t n = lines.size(1);
  const Tensor one = ones({lines.size(0), 1}, {.dtype = x.dtype()});
  const Tensor before = concat({one, narrow(cumprod(lines, 1), 1, 0, n - 1)}, 1);
  const Tensor after = concat({narrow(flip(cumprod(flip(lines, 1), 1), 1), 1, 1, n - 1), one}, 1);
  return permute(reshape(before * after, moved.shape()), std::span<const int>(back, axes));
}

template <class Kernel>
Tensor extreme(const char* op, const Tensor& x, const Axes& axes, const ReduceOptions& options,
               const Kernel& kernel) {
  ops::check_number(op, "x", x);
  const ops::Reduction to = ops::reduction(op, x, axes, options.keepdim);
  check_shape(to.terms != 0, "{}: there must be elements to choose from; x is {}", op, x.shape());
  return record(op, reduce(x.values(), to.kept, kernel).reshaped(to.shape), {x},
                [x = Saved(x), kept = to.kept](const Tensor& dy, const Tensor& y, Needs) -> Grads {
                  const Tensor is_extreme = equal(x, reshape(y, kept)).to(dy.dtype());
                  return {is_extreme * (reshape(dy, kept) / sum_to(is_extreme, kept))};
                });
}

Tensor quantify(const char* op, const Tensor& numbers, const Axes& axes, const ReduceOptions& options,
                void (*kernel)(const Shape&, const bool*, const Shape&, bool*)) {
  const Tensor x = numbers.dtype() == DType::boolean ? numbers : numbers != 0;
  const ops::Reduction to = ops::reduction(op, x, axes, options.keepdim);
  Values y(DType::boolean, to.kept);
  kernel(x.shape(), x.values().row_major<bool>(), to.kept, y.writable<bool>());
  return Tensor(y.reshaped(to.shape));
}

/// True when shape broadcasts to exactly `to`.
bool broadcasts(const Shape& shape, const Shape& to) {
  if (shape.rank() > to.rank()) return false;
  for (int i = 1; i <= shape.rank(); ++i) {
    if (shape[-i] != to[-i] && shape[-i] != 1) return false;
  }
  return true;
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  ops::check_number("sum", "x", x);
  const ops::Reduction to = ops::reduction("sum", x, axes, options.keepdim);
  return record("sum", sum_values(x.values(), to.kept).reshaped(to.shape), {x},
                [kept = to.kept, xs = x.shape(), layout = layout_like(x.values())](
                    const Tensor& dy, Needs) -> Grads { return {repeat(reshape(dy, kept), xs, layout)}; });
}

Tensor mean(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  ops::check_floating("mean", "x", x);
  const ops::Reduction to = ops::reduction("mean", x, axes, options.keepdim);
  const auto count = static_cast<double>(to.terms);
  Tensor y(sum_values(x.values(), to.kept));
  if (count != 1) y = std::move(y) / count;
  return record("mean", y.values().reshaped(to.shape), {x},
                [kept = to.kept, xs = x.shape(), layout = layout_like(x.values()), count](const Tensor& dy,
                                                                                          Needs) -> Grads {
                  return {repeat(reshape(dy / std::max(count, 1.0), kept), xs, layout)};
                });
}

Tensor prod(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  ops::check_number("prod", "x", x);
  const ops::Reduction to = ops::reduction("prod", x, axes, options.keepdim);
  Values y = reduce(x.values(), to.kept, [](const auto&... arguments) { kernels::product_to(arguments...); });
  return record("prod", y.reshaped(to.shape), {x},
                [x = Saved(x), kept = to.kept](const Tensor& dy, const Tensor& y, Needs) -> Grads {
                  const Tensor& factors = x;
                  if (any(factors == 0).item() == 0) return {reshape(dy * y, kept) / factors};
                  return {reshape(dy, kept) * products_of_others(factors, kept)};
                });
}

Tensor max(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  return extreme("max", x, axes, options, [](const auto&... arguments) { kernels::max_to(arguments...); });
}

Tensor min(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  return extreme("min", x, axes, options, [](const auto&... arguments) { kernels::min_to(arguments...); });
}

Tensor any(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  return quantify("any", x, axes, options, kernels::max_to<bool>);
}

Tensor all(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  return quantify("all", x, axes, options, kernels::min_to<bool>);
}

Tensor count_nonzero(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  return sum((x != 0).to(DType::int64), axes, options);
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
