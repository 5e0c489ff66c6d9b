// Sums, differences, products and quotients, as functions of two numbers (map.h), for the ops of these names
// and for kernels that need them. Included once per instruction set (see hwy/foreach_target.h), so there is
// no #pragma once.
#if defined(ADJOINT_ARITHMETIC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_ARITHMETIC_INL_H
#undef ADJOINT_ARITHMETIC_INL_H
#else
#define ADJOINT_ARITHMETIC_INL_H
#endif

#include "autograd/kernels/elementwise/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {

struct Add;
struct Sub;
struct Mul;
struct Div;

template <>
struct Function<Add, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V a, V b) {
    return a + b;
  }
};

template <>
struct Function<Sub, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V a, V b) {
    return a - b;
  }
};

template <>
struct Function<Mul, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V a, V b) {
    return a * b;
  }
};

template <>
struct Function<Div, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V a, V b) {
    return a / b;
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#endif
