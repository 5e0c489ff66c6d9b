// Functions of vectors from SLEEF (https://sleef.org): within 1 ULP (erfc 1.5; both a little more for results
// near the smallest normal number on SSE4), with the special values of <cmath>, apart from what math-inl.h
// corrects. Included once per instruction set (see hwy/foreach_target.h), hence no #pragma once.
//
// SLEEF's header declares the functions of an instruction set only if the compiler is set to it for the whole
// source, so they are declared here. These are the deterministic variants (cinz, and finz with fused
// multiply-adds): in the others, an element's result may depend on its neighbors in the vector.
#if defined(ADJOINT_SLEEF_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_SLEEF_INL_H
#undef ADJOINT_SLEEF_INL_H
#else
#define ADJOINT_SLEEF_INL_H
#endif

#include <cmath>

#include "autograd/kernels/simd/vectors-inl.h"

#undef ADJOINT_SLEEF_NAME_F32
#undef ADJOINT_SLEEF_NAME_F64
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define ADJOINT_SLEEF_NAME_F32(name, ulp) Sleef_finz_##name##f16_##ulp##avx512f
#define ADJOINT_SLEEF_NAME_F64(name, ulp) Sleef_finz_##name##d8_##ulp##avx512f
#elif HWY_TARGET == HWY_AVX2
#define ADJOINT_SLEEF_NAME_F32(name, ulp) Sleef_finz_##name##f8_##ulp##avx2
#define ADJOINT_SLEEF_NAME_F64(name, ulp) Sleef_finz_##name##d4_##ulp##avx2
#elif HWY_TARGET == HWY_SSE4
#define ADJOINT_SLEEF_NAME_F32(name, ulp) Sleef_cinz_##name##f4_##ulp##sse4
#define ADJOINT_SLEEF_NAME_F64(name, ulp) Sleef_cinz_##name##d2_##ulp##sse4
#elif HWY_TARGET == HWY_NEON && HWY_ARCH_ARM_A64
#define ADJOINT_SLEEF_NAME_F32(name, ulp) Sleef_finz_##name##f4_##ulp##advsimd
#define ADJOINT_SLEEF_NAME_F64(name, ulp) Sleef_finz_##name##d2_##ulp##advsimd
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE::sleef {

/// f of every lane: for functions of <cmath>.
template <class T, class F, class... V>
HWY_NOINLINE Vector<T> by_lane(F f, V... x) {
  constexpr std::size_t kSize = kVectorSize<T>;
  HWY_ALIGN T y[kSize], lanes[sizeof...(V)][kSize];
  std::size_t next = 0;
  (hn::Store(x, Tag<T>(), lanes[next++]), ...);
  for (std::size_t i = 0; i < kSize; ++i) {
    if constexpr (sizeof...(V) == 1) {
      y[i] = f(lanes[0][i]);
    } else {
      y[i] = f(lanes[0][i], lanes[1][i]);
    }
  }
  return hn::Load(Tag<T>(), y);
}

#undef ADJOINT_SLEEF_1
#undef ADJOINT_SLEEF_2
#ifdef ADJOINT_SLEEF_NAME_F32

template <class T>
using Raw = decltype(Vector<T>().raw);

#define ADJOINT_SLEEF_1(name, ulp)                                       \
  extern "C" Raw<float> ADJOINT_SLEEF_NAME_F32(name, ulp)(Raw<float>);   \
  extern "C" Raw<double> ADJOINT_SLEEF_NAME_F64(name, ulp)(Raw<double>); \
  HWY_INLINE Vector<float> name(Vector<float> x) {                       \
    return Vector<float>{ADJOINT_SLEEF_NAME_F32(name, ulp)(x.raw)};      \
  }                                                                      \
  HWY_INLINE Vector<double> name(Vector<double> x) {                     \
    return Vector<double>{ADJOINT_SLEEF_NAME_F64(name, ulp)(x.raw)};     \
  }
#define ADJOINT_SLEEF_2(name, ulp)                                                    \
  extern "C" Raw<float> ADJOINT_SLEEF_NAME_F32(name, ulp)(Raw<float>, Raw<float>);    \
  extern "C" Raw<double> ADJOINT_SLEEF_NAME_F64(name, ulp)(Raw<double>, Raw<double>); \
  HWY_INLINE Vector<float> name(Vector<float> a, Vector<float> b) {                   \
    return Vector<float>{ADJOINT_SLEEF_NAME_F32(name, ulp)(a.raw, b.raw)};            \
  }                                                                                   \
  HWY_INLINE Vector<double> name(Vector<double> a, Vector<double> b) {                \
    return Vector<double>{ADJOINT_SLEEF_NAME_F64(name, ulp)(a.raw, b.raw)};           \
  }

#else

#define ADJOINT_SLEEF_1(name, ulp)                                    \
  template <class V, class T = hn::TFromV<V>>                         \
  HWY_INLINE V name(V x) {                                            \
    return by_lane<T>([](T number) { return std::name(number); }, x); \
  }
#define ADJOINT_SLEEF_2(name, ulp)                                     \
  template <class V, class T = hn::TFromV<V>>                          \
  HWY_INLINE V name(V a, V b) {                                        \
    return by_lane<T>([](T p, T q) { return std::name(p, q); }, a, b); \
  }

#endif

ADJOINT_SLEEF_1(sin, u10)
ADJOINT_SLEEF_1(cos, u10)
ADJOINT_SLEEF_1(tan, u10)
ADJOINT_SLEEF_1(asin, u10)
ADJOINT_SLEEF_1(acos, u10)
ADJOINT_SLEEF_1(atan, u10)
ADJOINT_SLEEF_1(sinh, u10)
ADJOINT_SLEEF_1(cosh, u10)
ADJOINT_SLEEF_1(asinh, u10)
ADJOINT_SLEEF_1(acosh, u10)
ADJOINT_SLEEF_1(atanh, u10)
ADJOINT_SLEEF_1(erf, u10)
ADJOINT_SLEEF_1(erfc, u15)
ADJOINT_SLEEF_1(exp2, u10)
ADJOINT_SLEEF_1(expm1, u10)
ADJOINT_SLEEF_1(log2, u10)
ADJOINT_SLEEF_1(log10, u10)
ADJOINT_SLEEF_1(log1p, u10)
ADJOINT_SLEEF_2(atan2, u10)
ADJOINT_SLEEF_2(hypot, u05)
ADJOINT_SLEEF_2(pow, u10)
ADJOINT_SLEEF_2(fmod, )

}  // namespace adjoint::kernels::HWY_NAMESPACE::sleef
HWY_AFTER_NAMESPACE();

#endif
