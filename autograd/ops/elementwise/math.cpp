#include "adjoint/ops/math.h"

#include "adjoint/ops/compare.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/ops/elementwise/unary.h"
#include "autograd/ops/support/broadcast.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/elementwise/math.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace {
struct Exp;
struct Log;
struct Sqrt;
struct Square;
struct Reciprocal;
struct Abs;
struct Pow;
}  // namespace

template <>
struct Function<Exp, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.exp(x);
  }
};

template <>
struct Function<Log, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.log(x);
  }
};

template <>
struct Function<Sqrt, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return hwy::HWY_NAMESPACE::Sqrt(x);
  }
};

template <>
struct Function<Square, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return x * x;
  }
};

template <>
struct Function<Reciprocal, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m(1) / x;
  }
};

template <>
struct Function<Abs, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return hwy::HWY_NAMESPACE::Abs(x);
  }
  /// dy sign(x), and dy where x is NaN.
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return IfThenElse(x < m(0), Neg(dy), IfThenZeroElse(x == m(0), dy));
  }
};

template <>
struct Function<Pow, HWY_TARGET> {
  static constexpr std::int64_t kWork = 512;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x, V p) {
    return m.pow(x, p);
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint {

Tensor exp(Tensor x) {
  return ops::map_op<kernels::Exp>(
      "exp", std::move(x), [](const Tensor& dy, const Tensor& y, Needs) -> Grads { return {dy * y}; });
}

Tensor log(const Tensor& x) {
  return ops::map_op<kernels::Log>("log", x,
                                   [x = Saved(x)](const Tensor& dy, Needs) -> Grads { return {dy / x}; });
}

Tensor sqrt(Tensor x) {
  return ops::map_op<kernels::Sqrt>(
      "sqrt", std::move(x), [](const Tensor& dy, const Tensor& y, Needs) -> Grads { return {dy * 0.5 / y}; });
}

Tensor square(const Tensor& x) {
  return ops::map_op<kernels::Square>(
      "square", x, [x = Saved(x)](const Tensor& dy, Needs) -> Grads { return {dy * x * 2}; });
}

Tensor abs(Tensor x) { return ops::unary<kernels::Abs>("abs", std::move(x), ops::NoSecondDerivative()); }

Tensor pow(const Tensor& x, double p) {
  const auto rule = [x = Saved(x, p != 0), p](const Tensor& dy, Needs) -> Grads {
    return {p != 0 ? dy * pow(x, p - 1) * p : zeros(dy.shape(), {.dtype = dy.dtype()})};
  };
  // Common powers have faster functions.
  if (p == 2) return ops::map_op<kernels::Square>("pow", x, rule);
  if (p == -1) return ops::map_op<kernels::Reciprocal>("pow", x, rule);
  return ops::map_op<kernels::Pow>("pow", x, rule, p);
}

Tensor pow(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::Pow>("pow", a, b);
  return record("pow", std::move(y), {a, b},
                [a = Saved(a), b = Saved(b), as = a.shape(), bs = b.shape()](
                    const Tensor& dy, const Tensor& y, Needs needs) -> Grads {
                  // Where a = 0, b a^(b-1) and y ln a may be 0 inf, but the gradient is 0.
                  const Tensor &base = a, &exponent = b;
                  const auto da = [&] {
                    return dy * b * pow(a, where((base == 0) & (exponent == 0), b, b - 1));
                  };
                  const auto db = [&] { return dy * y * log(where((base == 0) & (exponent >= 0), 1, a)); };
                  return {needs[0] ? sum_to(da(), as) : Tensor{}, needs[1] ? sum_to(db(), bs) : Tensor{}};
                });
}

}  // namespace adjoint
#endif
