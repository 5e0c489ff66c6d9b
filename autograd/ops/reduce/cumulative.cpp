#include "adjoint/ops/cumulative.h"

#include <limits>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/join.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/slice.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/reduce/cumulative.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// A tensor as [outer, axis, inner].
struct Lines {
  std::int64_t outer = 1, size, inner = 1;

  Lines(const Shape& shape, int axis) : size(shape[axis]) {
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  }
};

Tensor cumsum_along(int axis, const Tensor& x, bool reverse) {
  const Lines lines(x.shape(), axis);
  Values y(x.dtype(), x.shape());
  visit_numbers(x.dtype(), [&]<class T>() {
    kernels::cumsum(lines.outer, lines.size, lines.inner, x.values().row_major<T>(), reverse,
                    y.writable<T>());
  });
  return record("cumsum", std::move(y), {x}, [axis, reverse](const Tensor& dy, Needs) -> Grads {
    return {cumsum_along(axis, dy, !reverse)};
  });
}

/// x moved along axis by one position: backward or forward. `fill` enters at the end.
Tensor shifted(const Tensor& x, int axis, bool forward, const Tensor& fill) {
  const std::int64_t n = x.size(axis);
  if (n == 0) return x;
  return forward ? concat({fill, narrow(x, axis, 0, n - 1)}, axis)
                 : concat({narrow(x, axis, 1, n - 1), fill}, axis);
}

/// Zeros of the size of one position of x along axis.
Tensor zero_position(const Tensor& x, int axis) {
  return zeros(x.shape().with(axis, 1), {.dtype = x.dtype()});
}

/// y_k = a_k y_(k-1) + b_k along axis, or, when reverse, y_k = a_(k+1) y_(k+1) + b_k. The gradient of b is
/// the same recurrence in the other direction, and that of a follows from it.
Tensor recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse) {
  const Lines lines(b.shape(), axis);
  Values y(b.dtype(), b.shape());
  visit_floating(b.dtype(), [&]<class T>() {
    kernels::linear_recurrence(lines.outer, lines.size, lines.inner, a.values().row_major<T>(),
                               b.values().row_major<T>(), reverse, y.writable<T>());
  });
  return record("recurrence", std::move(y), {a, b},
                [a = Saved(a), axis, reverse](const Tensor& dy, const Tensor& y, Needs needs) -> Grads {
                  const Tensor db = recurrence(a, dy, axis, !reverse);
                  if (!needs[0]) return {Tensor{}, db};
                  // a_k multiplies y_(k-1) in y_k, or y_k in y_(k-1).
                  const Tensor& from = reverse ? db : y;
                  return {(reverse ? y : db) * shifted(from, axis, true, zero_position(y, axis)), db};
                });
}

}  // namespace

Tensor cumsum(const Tensor& x, int axis) {
  ops::check_number("cumsum", "x", x);
  return cumsum_along(ops::checked_axis("cumsum", x, axis), x, /*reverse=*/false);
}

Tensor cumprod(const Tensor& x, int given) {
  ops::check_number("cumprod", "x", x);
  const int axis = ops::checked_axis("cumprod", x, given);
  const Lines lines(x.shape(), axis);
  Values y(x.dtype(), x.shape());
  visit_numbers(x.dtype(), [&]<class T>() {
    kernels::cumprod(lines.outer, lines.size, lines.inner, x.values().row_major<T>(), y.writable<T>());
  });
  return record(
      "cumprod", std::move(y), {x}, [x = Saved(x), axis](const Tensor& dy, const Tensor& y, Needs) -> Grads {
        // y_k = x_k y_(k-1), so the gradient of y_k is dy_k + x_(k+1) times that of y_(k+1).
        const Tensor one = ones(y.shape().with(axis, y.size(axis) == 0 ? 0 : 1), {.dtype = y.dtype()});
        return {recurrence(x, dy, axis, /*reverse=*/true) * shifted(y, axis, true, one)};
      });
}

Tensor logcumsumexp(const Tensor& x, int given) {
  ops::check_floating("logcumsumexp", "x", x);
  const int axis = ops::checked_axis("logcumsumexp", x, given);
  const Lines lines(x.shape(), axis);
  Values y(x.dtype(), x.shape());
  visit_floating(x.dtype(), [&]<class T>() {
    kernels::logcumsumexp(lines.outer, lines.size, lines.inner, x.values().row_major<T>(), y.writable<T>());
  });
  return record("logcumsumexp", std::move(y), {x},
                [x = Saved(x), axis](const Tensor& dy, const Tensor& y, Needs) -> Grads {
                  // dx_k = sum over l >= k of dy_l e^(x_k - y_l) = e^(x_k - y_k) r_k, r_k = dy_k + e^(y_k -
                  // y_(k+1)) r_(k+1)
                  const Tensor finite = where(y == -std::numeric_limits<double>::infinity(), 0, y);
                  const Tensor first = narrow(finite, axis, 0, y.size(axis) == 0 ? 0 : 1);
                  const Tensor decay = exp(shifted(y, axis, true, first) - finite);
                  return {exp(x - finite) * recurrence(decay, dy, axis, /*reverse=*/true)};
                });
}

}  // namespace adjoint
