#include "adjoint/ops/arithmetic.h"

#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/ops/elementwise/accumulate.h"
#include "autograd/ops/elementwise/unary.h"
#include "autograd/ops/support/broadcast.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/elementwise/arithmetic.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/arithmetic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace {
struct Negative;
struct Lerp;
struct Addcmul;
}  // namespace

template <>
struct Function<Negative, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return Neg(x);
  }
};

/// From the nearer end, so that both ends are exact.
template <>
struct Function<Lerp, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V a, V b, V weight) {
    const V distance = b - a;
    return IfThenElse(Abs(weight) < m(0.5), MulAdd(weight, distance, a),
                      NegMulAdd(m(1) - weight, distance, b));
  }
};

template <>
struct Function<Addcmul, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x, V a, V b) {
    return MulAdd(a, b, x);
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint {
namespace {

/// sum_to() for a rule, which may return dy itself: the engine makes sure that gradients are different
/// tensors.
Tensor reduced(const Tensor& dy, const Shape& shape) { return dy.shape() == shape ? dy : sum_to(dy, shape); }

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::Add, true>("add", a, b);
  return record("add", std::move(y), {a, b},
                [as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? reduced(dy, as) : Tensor{}, needs[1] ? reduced(dy, bs) : Tensor{}};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::Sub, true>("sub", a, b);
  return record("sub", std::move(y), {a, b},
                [as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? reduced(dy, as) : Tensor{}, needs[1] ? neg(reduced(dy, bs)) : Tensor{}};
                });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::Mul, true>("mul", a, b);
  return record("mul", std::move(y), {a, b},
                [a = Saved(a, b.requires_grad()), b = Saved(b, a.requires_grad()), as = a.shape(),
                 bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? sum_to(dy * b, as) : Tensor{}, needs[1] ? sum_to(dy * a, bs) : Tensor{}};
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::Div>("div", a, b);
  return record("div", std::move(y), {a, b},
                [a = Saved(a, b.requires_grad()), b = Saved(b), as = a.shape(), bs = b.shape()](
                    const Tensor& dy, Needs needs) -> Grads {
                  const Tensor da = dy / b;
                  return {needs[0] ? sum_to(da, as) : Tensor{},
                          needs[1] ? neg(sum_to(da * (a / b), bs)) : Tensor{}};  // db = -dy a / b^2
                });
}

Tensor neg(Tensor x) {
  if (x.dtype() == DType::int64) return sub(zeros({}, {.dtype = DType::int64}), x);
  return ops::map_op<kernels::Negative>("neg", std::move(x),
                                        [](Tensor dy, Needs) -> Grads { return {neg(std::move(dy))}; });
}

Tensor add(Tensor x, double s) {
  return ops::map_op<kernels::Add>(
      "add", std::move(x), [](Tensor dy, Needs) -> Grads { return {std::move(dy)}; }, s);
}

Tensor mul(Tensor x, double s) {
  return ops::map_op<kernels::Mul>(
      "mul", std::move(x), [s](Tensor dy, Needs) -> Grads { return {std::move(dy) * s}; }, s);
}

Tensor div(Tensor x, double s) {
  return ops::map_op<kernels::Div>(
      "div", std::move(x), [s](Tensor dy, Needs) -> Grads { return {std::move(dy) / s}; }, s);
}

Tensor div(double s, const Tensor& x) {
  ops::check_floating("div", "x", x);
  return div(full({}, s, {.dtype = x.dtype()}), x);
}

Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight) {
  Values y = ops::broadcast<kernels::Lerp>("lerp", a, b, weight, {"a", "b", "weight"});
  return record(
      "lerp", std::move(y), {a, b, weight},
      [a = Saved(a, weight.requires_grad()), b = Saved(b, weight.requires_grad()), w = Saved(weight),
       as = a.shape(), bs = b.shape(), ws = weight.shape()](const Tensor& dy, Needs needs) -> Grads {
        return {needs[0] ? sum_to(dy * (1 - w), as) : Tensor{}, needs[1] ? sum_to(dy * w, bs) : Tensor{},
                needs[2] ? sum_to(dy * (b - a), ws) : Tensor{}};
      });
}

Tensor lerp(const Tensor& a, const Tensor& b, double weight) {
  ops::check_floating("lerp", "a", a);
  return lerp(a, b, full({}, weight, {.dtype = a.dtype()}));
}

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const AddcmulOptions& options) {
  const double s = options.value;
  const Tensor scaled = s == 1 ? a : a * s;
  Values y = ops::broadcast<kernels::Addcmul>("addcmul", x, scaled, b, {"x", "a", "b"});
  return record("addcmul", std::move(y), {x, scaled, b},
                [a = Saved(scaled, b.requires_grad()), b = Saved(b, a.requires_grad()), xs = x.shape(),
                 as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? reduced(dy, xs) : Tensor{}, needs[1] ? sum_to(dy * b, as) : Tensor{},
                          needs[2] ? sum_to(dy * a, bs) : Tensor{}};
                });
}

void accumulate(Tensor& total, Tensor part) {
  if (grad_enabled() && (total.requires_grad() || part.requires_grad())) {
    total = total + part;
    return;
  }
  if (!total.is_unique() && part.is_unique()) std::swap(total, part);
  const Values &a = total.values(), &b = part.values();
  const Layout layout = a.cheapest_layout();
  const bool in_place = total.is_unique();
  Values sum = in_place ? a : Values(a.dtype(), a.shape(), layout);
  visit_floating(a.dtype(), [&]<class T>() {
    kernels::zip<kernels::Add>(a.stored_elements(layout), a.in<T>(layout), b.in<T>(layout),
                               sum.writable<T>());
  });
  if (!in_place) total = Tensor(std::move(sum));
}

}  // namespace adjoint
#endif
