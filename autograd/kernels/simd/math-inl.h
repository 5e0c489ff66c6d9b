// Functions of vectors with the special values of <cmath>. Included once per instruction
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

#include "autograd/kernels/simd/sleef-inl.h"
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
  /// ln(1 + x) for x in [0, 1] and NaN, as fast as possible.
  HWY_INLINE V log1p_of_fraction(V x) const { return hn::Log1p(Tag<T>(), x); }
  HWY_INLINE V tanh(V x) const { return hn::Tanh(Tag<T>(), x); }
  /// 1 / (1 + e^-x)
  HWY_INLINE V sigmoid(V x) const { return Sigmoid()(Tag<T>(), x); }

  // From SLEEF, for all x. Where its range ends before that of the result, other formulas take over.
  HWY_INLINE V sin(V x) const { return sleef::sin(x); }
  HWY_INLINE V cos(V x) const { return sleef::cos(x); }
  HWY_INLINE V tan(V x) const { return sleef::tan(x); }
  HWY_INLINE V asin(V x) const { return sleef::asin(x); }
  HWY_INLINE V acos(V x) const { return sleef::acos(x); }
  HWY_INLINE V atan(V x) const { return sleef::atan(x); }
  HWY_INLINE V atan2(V a, V b) const { return sleef::atan2(a, b); }
  HWY_INLINE V sinh(V x) const {
    return large_or(Abs(x), kExpLimit, sleef::sinh(x),
                    [&]() HWY_ATTR { return CopySign(half_exp(Abs(x)), x); });
  }
  HWY_INLINE V cosh(V x) const {
    return large_or(Abs(x), kExpLimit, sleef::cosh(x), [&]() HWY_ATTR { return half_exp(Abs(x)); });
  }
  HWY_INLINE V asinh(V x) const {
    return large_or(Abs(x), 1e9, sleef::asinh(x),
                    [&]() HWY_ATTR { return CopySign(log_of_double(Abs(x)), x); });
  }
  HWY_INLINE V acosh(V x) const {
    return large_or(x, 1e9, sleef::acosh(x), [&]() HWY_ATTR { return log_of_double(x); });
  }
  HWY_INLINE V atanh(V x) const { return sleef::atanh(x); }
  HWY_INLINE V erf(V x) const { return sleef::erf(x); }
  HWY_INLINE V erfc(V x) const { return sleef::erfc(x); }
  HWY_INLINE V exp2(V x) const { return sleef::exp2(x); }
  HWY_INLINE V expm1(V x) const { return sleef::expm1(x); }
  HWY_INLINE V log2(V x) const { return sleef::log2(x); }
  HWY_INLINE V log10(V x) const { return sleef::log10(x); }
  HWY_INLINE V log1p(V x) const {
    return large_or(x, 1e18, sleef::log1p(x), [&]() HWY_ATTR { return log(x); });
  }
  HWY_INLINE V hypot(V a, V b) const { return sleef::hypot(a, b); }
  HWY_INLINE V fmod(V a, V b) const {  // Both ways are exact.
    constexpr T kMin = 2 * std::numeric_limits<T>::min();
    const V size = Abs(b);
    const auto easy = Or(And(size >= (*this)(kMin), Abs(a) < size * (*this)(1e30)), b == (*this)(0));
    if (HWY_LIKELY(hn::AllTrue(Tag<T>(), easy))) return sleef::fmod(a, b);
    return sleef::by_lane<T>([](T p, T q) { return std::fmod(p, q); }, a, b);
  }
  HWY_INLINE V pow(V x, V p) const {
    return IfThenElse(p == (*this)(1), x, sleef::pow(x, p));  // SLEEF's overflows for the largest number.
  }

 private:
  static constexpr double kExpLimit = sizeof(T) == 4 ? 88 : 709;

  /// other() where magnitude > limit, and y elsewhere.
  template <class Other>
  HWY_INLINE V large_or(V magnitude, double limit, V y, const Other& other) const {
    const auto large = magnitude > (*this)(limit);
    if (HWY_LIKELY(hn::AllFalse(Tag<T>(), large))) return y;
    return IfThenElse(large, other(), y);
  }
  /// e^x / 2, which may be finite where e^x is not.
  HWY_INLINE V half_exp(V x) const {
    const V root = exp(x * (*this)(0.5));
    return (root * (*this)(0.5)) * root;
  }
  /// ln(2 x), which may be finite where 2 x is not.
  HWY_INLINE V log_of_double(V x) const { return log(x) + (*this)(0.69314718055994530942); }
};

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
