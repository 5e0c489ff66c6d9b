#include "adjoint/ops/math.h"

#include "adjoint/graph/node.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/elementwise/broadcast.h"
#include "autograd/kernels/elementwise/elementwise.h"
#include "autograd/ops/support/broadcast.h"

namespace adjoint {
namespace {

/// kernel(x), which must be floating.
template <class Kernel>
Values map(const char* op, const Tensor& x, const Kernel& kernel) {
  ops::check_floating(op, "x", x);
  return ops::map(x.values(), kernel);
}

/// dx = dy sign(x), dy where x is NaN.
Tensor abs_grad(const Tensor& dy, const Tensor& x) {
  Values dx = ops::map(dy.values(), x.values(), [](auto... args) { kernels::abs_grad(args...); });
  return record("abs_grad", std::move(dx), {dy},
                [x = Saved(x)](const Tensor& ddx, Needs) -> Grads { return {abs_grad(ddx, x)}; });
}

}  // namespace

Tensor exp(const Tensor& x) {
  return record("exp", map("exp", x, [](auto... args) { kernels::exp(args...); }), {x},
                [](const Tensor& dy, const Tensor& y, Needs) -> Grads { return {dy * y}; });
}

Tensor log(const Tensor& x) {
  return record("log", map("log", x, [](auto... args) { kernels::log(args...); }), {x},
                [x = Saved(x)](const Tensor& dy, Needs) -> Grads { return {dy / x}; });
}

Tensor sqrt(const Tensor& x) {
  return record("sqrt", map("sqrt", x, [](auto... args) { kernels::sqrt(args...); }), {x},
                [](const Tensor& dy, const Tensor& y, Needs) -> Grads { return {dy * 0.5 / y}; });
}

Tensor square(const Tensor& x) {
  return record("square", map("square", x, [](auto... args) { kernels::square(args...); }), {x},
                [x = Saved(x)](const Tensor& dy, Needs) -> Grads { return {dy * x * 2}; });
}

Tensor abs(const Tensor& x) {
  return record("abs", map("abs", x, [](auto... args) { kernels::abs(args...); }), {x},
                [x = Saved(x)](const Tensor& dy, Needs) -> Grads { return {abs_grad(dy, x)}; });
}

Tensor pow(const Tensor& x, double p) {
  Values y = map("pow", x, [p]<class T>(std::int64_t n, const T* in, T* out) {
    kernels::pow_scalar(n, static_cast<T>(p), in, out);
  });
  return record("pow", std::move(y), {x}, [x = Saved(x, p != 0), p](const Tensor& dy, Needs) -> Grads {
    return {p != 0 ? dy * pow(x, p - 1) * p : zeros(dy.shape(), {.dtype = dy.dtype()})};
  });
}

Tensor pow(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<false>("pow", a, b, [](const auto&... arguments) { kernels::pow(arguments...); });
  return record("pow", std::move(y), {a, b},
                [a = Saved(a), b = Saved(b), as = a.shape(), bs = b.shape()](
                    const Tensor& dy, const Tensor& y, Needs needs) -> Grads {
                  // Where a = 0, b a^(b-1) may be 0 inf, and y ln a too: 1 is added to that exponent and to
                  // that logarithm's argument where both shall be 0.
                  const Tensor zero = scalar(0, {.dtype = y.dtype()});
                  const Tensor at_zero = equal(a, zero);
                  const auto da = [&] { return dy * b * pow(a, b - 1 + at_zero * equal(b, zero)); };
                  const auto db = [&] { return dy * y * log(a + at_zero * equal(b, abs(b))); };
                  return {needs[0] ? sum_to(da(), as) : Tensor{}, needs[1] ? sum_to(db(), bs) : Tensor{}};
                });
}

}  // namespace adjoint
