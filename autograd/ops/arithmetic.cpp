#include "autograd/ops/arithmetic.h"

#include <algorithm>

#include "autograd/create.h"
#include "autograd/kernels/broadcast.h"
#include "autograd/kernels/elementwise.h"
#include "autograd/node.h"
#include "autograd/ops/apply.h"
#include "autograd/ops/reduce.h"

namespace adjoint {
namespace {

/// kernel(a, b) with broadcasting; kernel takes (n, a, b, y) as well as (a_shape, a, b_shape, b, y_shape, y).
template <bool kIntegers, class Kernel>
Values broadcast(const char* op, const Tensor& a, const Tensor& b, const Kernel& kernel) {
  ops::check_same_dtype(op, "a", a, "b", b);
  if (!kIntegers) ops::check_floating(op, "a", a);
  if (a.shape() == b.shape() && is_floating(a.dtype())) return ops::map(a.values(), b.values(), kernel);
  Values y(a.dtype(), broadcast_shape(op, a.shape(), b.shape()));
  const auto call = [&]<class T>() {
    kernel(a.shape(), a.values().rows<T>(), b.shape(), b.values().rows<T>(), y.shape(), y.writable<T>());
  };
  if constexpr (kIntegers) {
    visit(a.dtype(), call);
  } else {
    visit_floating(a.dtype(), call);
  }
  return y;
}

/// y = scale x + shift.
Values scale_shift(const char* op, const Tensor& x, double scale, double shift) {
  ops::check_floating(op, "x", x);
  return ops::map(x.values(), [=]<class T>(std::int64_t n, const T* in, T* out) {
    kernels::scale_shift(n, static_cast<T>(scale), static_cast<T>(shift), in, out);
  });
}

}  // namespace

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  std::int64_t sizes[Shape::kMaxRank];
  const int rank = std::max(a.rank(), b.rank());
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t of_a = i <= a.rank() ? a[-i] : 1, of_b = i <= b.rank() ? b[-i] : 1;
    check_shape(of_a == of_b || of_a == 1 || of_b == 1,
                "{}: the shapes do not broadcast, axis {} from the end differs; a is {}, b is {}", op, i, a,
                b);
    sizes[rank - i] = of_a == 1 ? of_b : of_a;
  }
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(rank)));
}

Tensor add(const Tensor& a, const Tensor& b) {
  Values y = broadcast<true>("add", a, b, [](const auto&... arguments) { kernels::add(arguments...); });
  return record("add", std::move(y), {a, b},
                [as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? sum_to(dy, as) : Tensor{}, needs[1] ? sum_to(dy, bs) : Tensor{}};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  Values y = broadcast<true>("sub", a, b, [](const auto&... arguments) { kernels::sub(arguments...); });
  return record("sub", std::move(y), {a, b},
                [as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? sum_to(dy, as) : Tensor{}, needs[1] ? neg(sum_to(dy, bs)) : Tensor{}};
                });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  Values y = broadcast<true>("mul", a, b, [](const auto&... arguments) { kernels::mul(arguments...); });
  return record("mul", std::move(y), {a, b},
                [a = Saved(a, b.requires_grad()), b = Saved(b, a.requires_grad()), as = a.shape(),
                 bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? sum_to(dy * b, as) : Tensor{}, needs[1] ? sum_to(dy * a, bs) : Tensor{}};
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  Values y = broadcast<false>("div", a, b, [](const auto&... arguments) { kernels::div(arguments...); });
  return record(
      "div", std::move(y), {a, b},
      [b = Saved(b), as = a.shape(), bs = b.shape()](const Tensor& dy, const Tensor& y,
                                                     Needs needs) -> Grads {
        const Tensor da = dy / b;  // db = -dy a / b^2 = -(dy / b) y
        return {needs[0] ? sum_to(da, as) : Tensor{}, needs[1] ? neg(sum_to(da * y, bs)) : Tensor{}};
      });
}

Tensor neg(const Tensor& x) {
  if (x.dtype() == DType::int64) {
    Values y(x.dtype(), x.shape());
    kernels::neg(x.numel(), x.values().rows<std::int64_t>(), y.writable<std::int64_t>());
    return Tensor(std::move(y));
  }
  return record("neg", scale_shift("neg", x, -1, 0), {x},
                [](const Tensor& dy, Needs) -> Grads { return {neg(dy)}; });
}

Tensor add(const Tensor& x, double s) {
  return record("add", scale_shift("add", x, 1, s), {x},
                [](const Tensor& dy, Needs) -> Grads { return {dy}; });
}

Tensor mul(const Tensor& x, double s) {
  return record("mul", scale_shift("mul", x, s, 0), {x},
                [s](const Tensor& dy, Needs) -> Grads { return {dy * s}; });
}

Tensor div(double s, const Tensor& x) {
  ops::check_floating("div", "x", x);
  return div(full({}, s, {.dtype = x.dtype()}), x);
}

}  // namespace adjoint
