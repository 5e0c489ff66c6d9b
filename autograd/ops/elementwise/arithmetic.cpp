#include "adjoint/ops/arithmetic.h"

#include "adjoint/graph/node.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/elementwise/broadcast.h"
#include "autograd/kernels/elementwise/elementwise.h"
#include "autograd/ops/support/broadcast.h"

namespace adjoint {
namespace {

/// kernel(x, s), which must be floating, in x's memory where it may be.
template <class Kernel>
Values with_scalar(const char* op, Tensor& x, double s, const Kernel& kernel) {
  ops::check_floating(op, "x", x);
  return ops::map(
      x, [&]<class T>(std::int64_t n, const T* in, T* out) { kernel(n, static_cast<T>(s), in, out); });
}

/// sum_to() for a rule, which may return dy itself: the engine sees to it that gradients are apart.
Tensor reduced(const Tensor& dy, const Shape& shape) { return dy.shape() == shape ? dy : sum_to(dy, shape); }

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<true>("add", a, b, [](const auto&... arguments) { kernels::add(arguments...); });
  return record("add", std::move(y), {a, b},
                [as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? reduced(dy, as) : Tensor{}, needs[1] ? reduced(dy, bs) : Tensor{}};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<true>("sub", a, b, [](const auto&... arguments) { kernels::sub(arguments...); });
  return record("sub", std::move(y), {a, b},
                [as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? reduced(dy, as) : Tensor{}, needs[1] ? neg(reduced(dy, bs)) : Tensor{}};
                });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<true>("mul", a, b, [](const auto&... arguments) { kernels::mul(arguments...); });
  return record("mul", std::move(y), {a, b},
                [a = Saved(a, b.requires_grad()), b = Saved(b, a.requires_grad()), as = a.shape(),
                 bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? sum_to(dy * b, as) : Tensor{}, needs[1] ? sum_to(dy * a, bs) : Tensor{}};
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<false>("div", a, b, [](const auto&... arguments) { kernels::div(arguments...); });
  return record("div", std::move(y), {a, b},
                [a = Saved(a, b.requires_grad()), b = Saved(b), as = a.shape(), bs = b.shape()](
                    const Tensor& dy, Needs needs) -> Grads {
                  const Tensor da = dy / b;
                  return {needs[0] ? sum_to(da, as) : Tensor{},
                          needs[1] ? neg(sum_to(da * (a / b), bs)) : Tensor{}};  // db = -dy a / b^2
                });
}

Tensor neg(Tensor x) {
  if (x.dtype() == DType::int64) {
    Values y(x.dtype(), x.shape());
    kernels::neg(x.numel(), x.values().rows<std::int64_t>(), y.writable<std::int64_t>());
    return Tensor(std::move(y));
  }
  Values y = ops::map(x, [](auto... args) { kernels::neg(args...); });
  return record("neg", std::move(y), {x}, [](Tensor dy, Needs) -> Grads { return {neg(std::move(dy))}; });
}

Tensor add(Tensor x, double s) {
  Values y = with_scalar("add", x, s, [](auto... args) { kernels::add_scalar(args...); });
  return record("add", std::move(y), {x}, [](Tensor dy, Needs) -> Grads { return {std::move(dy)}; });
}

Tensor mul(Tensor x, double s) {
  Values y = with_scalar("mul", x, s, [](auto... args) { kernels::mul_scalar(args...); });
  return record("mul", std::move(y), {x}, [s](Tensor dy, Needs) -> Grads { return {std::move(dy) * s}; });
}

Tensor div(Tensor x, double s) {
  Values y = with_scalar("div", x, s, [](auto... args) { kernels::div_scalar(args...); });
  return record("div", std::move(y), {x}, [s](Tensor dy, Needs) -> Grads { return {std::move(dy) / s}; });
}

Tensor div(double s, const Tensor& x) {
  ops::check_floating("div", "x", x);
  return div(full({}, s, {.dtype = x.dtype()}), x);
}

Tensor equal(const Tensor& a, const Tensor& b) {
  return Tensor(
      ops::broadcast<false>("equal", a, b, [](const auto&... arguments) { kernels::equal(arguments...); }));
}

}  // namespace adjoint
