// Exponentials and logarithms of vectors with the special values of <cmath>. Included once per instruction
// set (see hwy/foreach_target.h), hence no #pragma once.
#if defined(ADJOINT_ELEMENTWISE_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_ELEMENTWISE_MATH_INL_H
#undef ADJOINT_ELEMENTWISE_MATH_INL_H
#else
#define ADJOINT_ELEMENTWISE_MATH_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <limits>

#include "autograd/kernels/simd/elementwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

/// e^x for x <= 0 and NaN. Highway's Exp has no NaN and no large arguments.
struct ExpNegative {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    using T = hn::TFromD<D>;
    const V bounded = hn::Max(x, hn::Set(d, T(sizeof(T) == 4 ? -120 : -1100)));  // Already 0 there.
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, bounded));
  }
};

struct Exp {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    using T = hn::TFromD<D>;
    return ExpNegative()(
        d, hn::IfThenElse(hn::IsNaN(x), x, hn::Min(x, hn::Set(d, T(sizeof(T) == 4 ? 89 : 710)))));
  }
};

struct Log {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    using Limits = std::numeric_limits<hn::TFromD<D>>;
    const V infinity = hn::Set(d, Limits::infinity());
    V y = hn::Log(d, x);
    y = hn::IfThenElse(hn::Eq(x, infinity), x, y);
    y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
    return hn::IfThenElse(hn::Ge(x, hn::Zero(d)), y, hn::Set(d, Limits::quiet_NaN()));
  }
};

struct Tanh {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Tanh(d, x);
  }
};

struct Sigmoid {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    const V one = hn::Set(d, hn::TFromD<D>(1));
    const V e = ExpNegative()(d, hn::Neg(hn::Abs(x)));  // Never overflows.
    return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
  }
};

struct Softplus {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    const V positive = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);  // Lets NaN through.
    return hn::Add(positive, hn::Log1p(d, ExpNegative()(d, hn::Neg(hn::Abs(x)))));
  }
};

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
