// Exponentials and logarithms of vectors with the special values of <cmath>. Included once per instruction
// set (see hwy/foreach_target.h), hence no #pragma once.
#if defined(ADJOINT_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_MATH_INL_H
#undef ADJOINT_MATH_INL_H
#else
#define ADJOINT_MATH_INL_H
#endif

#include <cmath>
#include <hwy/contrib/math/math-inl.h>
#include <limits>

#include "autograd/kernels/simd/vectors-inl.h"

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

struct Sigmoid {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    const V one = hn::Set(d, hn::TFromD<D>(1));
    const V e = ExpNegative()(d, hn::Neg(hn::Abs(x)));  // Never overflows.
    return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
  }
};

/// Constants and functions of vectors of T that need no tag: m(2) * m.exp(x). Highway's operators can be used
/// with them, and so can its functions, which are found by their arguments: IfThenElse(x < m(0), a, b). One
/// that has the name of a Function is called as hwy::HWY_NAMESPACE::Abs(x).
template <class T>
struct Math {
  using V = Vector<T>;
  HWY_INLINE V operator()(double number) const { return hn::Set(Tag<T>(), static_cast<T>(number)); }
  HWY_INLINE V exp(V x) const { return Exp()(Tag<T>(), x); }
  /// e^x for x <= 0 and NaN.
  HWY_INLINE V exp_of_negative(V x) const { return ExpNegative()(Tag<T>(), x); }
  HWY_INLINE V log(V x) const { return Log()(Tag<T>(), x); }
  /// ln(1 + x) for x >= 0 and NaN.
  HWY_INLINE V log1p(V x) const { return hn::Log1p(Tag<T>(), x); }
  HWY_INLINE V tanh(V x) const { return hn::Tanh(Tag<T>(), x); }
  /// 1 / (1 + e^-x)
  HWY_INLINE V sigmoid(V x) const { return Sigmoid()(Tag<T>(), x); }
  /// x^p. exp(p log x) would lose digits, so this is <cmath>'s, lane by lane.
  HWY_INLINE V pow(V x, V p) const {
    HWY_ALIGN T base[kVectorSize<T>], power[kVectorSize<T>];
    hn::Store(x, Tag<T>(), base);
    hn::Store(p, Tag<T>(), power);
    for (std::int64_t i = 0; i < kVectorSize<T>; ++i) base[i] = std::pow(base[i], power[i]);
    return hn::Load(Tag<T>(), base);
  }
};

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
