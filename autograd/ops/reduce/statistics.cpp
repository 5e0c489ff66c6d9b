#include "adjoint/ops/statistics.h"

#include <cmath>
#include <limits>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/indexing.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/slice.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/reduce/arg.h"
#include "autograd/ops/reduce/reduction.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// sqrt(x) with gradient 0 where x is 0.
Tensor root(const char* op, const Tensor& x) {
  return record(op, sqrt(x.detach()).values(), {x}, [](const Tensor& dy, const Tensor& y, Needs) -> Grads {
    const Tensor is_zero = y == 0;
    return {where(is_zero, 0, dy) * 0.5 / where(is_zero, 1, y)};
  });
}

Tensor variance(const char* op, const Tensor& x, const Axes& axes, const VarOptions& options) {
  ops::check_floating(op, "x", x);
  const auto count = static_cast<double>(ops::reduction(op, x, axes, options.keepdim).terms);
  const Tensor squares = square(x - mean(x, axes, {.keepdim = true}));
  return sum(squares, axes, {.keepdim = options.keepdim}) / std::max(0.0, count - options.correction);
}

/// The number of elements that are not 0, with a gradient of 0.
Tensor count_norm(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  const Tensor y = sum((x != 0).to(x.dtype()), axes, options);
  return record("norm", y.values(), {x}, [xs = x.shape()](const Tensor& dy, Needs) -> Grads {
    return {zeros(xs, {.dtype = dy.dtype()})};
  });
}

/// (sum |x|^p)^(1/p) for an ordinary p.
Tensor p_norm(const Tensor& x, const Axes& axes, const ReduceOptions& options, double p) {
  const Tensor size = abs(x), is_zero = size == 0;
  // Where x is 0, the slope of |x|^p may be infinite.
  const Tensor powers = where(is_zero, p < 0 ? kInfinity : 0, pow(where(is_zero, 1, size), p));
  const Tensor total = sum(powers, axes, options), no_slope = (total == 0) | isinf(total);
  return where(no_slope, pow(total.detach(), 1 / p), pow(where(no_slope, 1, total), 1 / p));
}

template <class Kernel>
Tensor positions(const char* op, const Tensor& x, std::optional<int> given, const ReduceOptions& options,
                 const Kernel& kernel) {
  const Axes axes = given ? Axes(*given) : Axes::all();
  const ops::Reduction to = ops::reduction(op, x, axes, options.keepdim);
  check_shape(to.terms != 0, "{}: there must be elements to choose from; x is {}", op, x.shape());
  std::int64_t outer = 1, inner = 1;
  if (given) {
    const int axis = ops::checked_axis(op, x, *given);
    for (int i = 0; i < axis; ++i) outer *= x.size(i);
    for (int i = axis + 1; i < x.rank(); ++i) inner *= x.size(i);
  }
  Values y(DType::int64, to.shape);
  if (y.numel() == 0) return Tensor(std::move(y));
  visit(x.dtype(), [&]<class T>() {
    kernel(outer, x.numel() / (outer * inner), inner, x.values().row_major<T>(), y.writable<std::int64_t>());
  });
  return Tensor(std::move(y));
}

/// x's elements at positions along axis, which stays with size 1 in the positions.
ValuesAndIndices chosen(const Tensor& x, int axis, const Tensor& at, const ReduceOptions& options) {
  const Tensor values = gather(x, axis, at);
  if (options.keepdim) return {values, at};
  const Shape shape = ops::reduction("max", x, axis, /*keepdim=*/false).shape;
  return {reshape(values, shape), reshape(at, shape)};
}

}  // namespace

Tensor var(const Tensor& x, const Axes& axes, const VarOptions& options) {
  return variance("var", x, axes, options);
}

Tensor stddev(const Tensor& x, const Axes& axes, const VarOptions& options) {
  return root("stddev", variance("stddev", x, axes, options));
}

Tensor norm(const Tensor& x, const Axes& axes, const NormOptions& options) {
  ops::check_floating("norm", "x", x);
  check(!std::isnan(options.p), "norm: p must be a number, it is NaN");
  ops::reduction("norm", x, axes, options.keepdim);  // checks the axes
  const ReduceOptions reduce{.keepdim = options.keepdim};
  if (options.p == 2) return root("norm", sum(square(x), axes, reduce));
  if (options.p == 1) return sum(abs(x), axes, reduce);
  if (options.p == kInfinity) return max(abs(x), axes, reduce);
  if (options.p == -kInfinity) return min(abs(x), axes, reduce);
  if (options.p == 0) return count_norm(x, axes, reduce);
  return p_norm(x, axes, reduce, options.p);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, const ReduceOptions& options) {
  ops::check_floating("logsumexp", "x", x);
  const ops::Reduction to = ops::reduction("logsumexp", x, axes, options.keepdim);
  if (to.terms == 0) return sum(x, axes, options) - kInfinity;
  const auto values = [&] {
    const NoGrad no_grad;
    const Tensor largest = max(x, axes, {.keepdim = true});
    const Tensor shift = where(isinf(largest), 0, largest);  // Infinity minus infinity would be NaN.
    return (log(sum(exp(x - shift), axes, {.keepdim = true})) + shift).values();
  };
  return record("logsumexp", values().reshaped(to.shape), {x},
                [x = Saved(x), kept = to.kept](const Tensor& dy, const Tensor& y, Needs) -> Grads {
                  const Tensor finite = where(y == -kInfinity, 0, y);
                  return {reshape(dy, kept) * exp(x - reshape(finite, kept))};
                });
}

Tensor argmax(const Tensor& x, std::optional<int> axis, const ReduceOptions& options) {
  return positions("argmax", x, axis, options, [](auto... arguments) { kernels::argmax(arguments...); });
}

Tensor argmin(const Tensor& x, std::optional<int> axis, const ReduceOptions& options) {
  return positions("argmin", x, axis, options, [](auto... arguments) { kernels::argmin(arguments...); });
}

ValuesAndIndices max_with_indices(const Tensor& x, int axis, const ReduceOptions& options) {
  return chosen(x, axis, argmax(x, axis, {.keepdim = true}), options);
}

ValuesAndIndices min_with_indices(const Tensor& x, int axis, const ReduceOptions& options) {
  return chosen(x, axis, argmin(x, axis, {.keepdim = true}), options);
}

Tensor median(const Tensor& x, std::optional<int> axis, const ReduceOptions& options) {
  ops::check_number("median", "x", x);
  const ops::Reduction to = ops::reduction("median", x, axis ? Axes(*axis) : Axes::all(), options.keepdim);
  check_shape(to.terms != 0, "median: there must be elements to choose from; x is {}", x.shape());
  const int along = axis.value_or(0);
  const Tensor sorted = sort(axis ? x : reshape(x, {x.numel()}), {.axis = along}).values;
  const Tensor middle = select(sorted, along, (sorted.size(along) - 1) / 2), last = select(sorted, along, -1);
  return reshape(where(isnan(last), last, middle), to.shape);  // NaN is sorted to the end.
}

}  // namespace adjoint
