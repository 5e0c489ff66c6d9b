// The loops of map.h. To be included, behind hwy/foreach_target.h, by sources that specialize Function.
#if defined(ADJOINT_MAP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_MAP_INL_H
#undef ADJOINT_MAP_INL_H
#else
#define ADJOINT_MAP_INL_H
#endif

#include "autograd/kernels/elementwise/map.h"
#include "autograd/kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {

template <class T>
struct Loops<HWY_TARGET, T> {
  template <class F, class... P>
  static void map(std::int64_t n, const T* x, T* y, P... parameters) {
    const HWY_NAMESPACE::Math<T> m{};
    HWY_NAMESPACE::for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
      part.store(Function<F, HWY_TARGET>::value(m, part.load(x + i), m(parameters)...), y + i);
    });
  }

  template <class F, class... P>
  static void map_gradient(std::int64_t n, const T* dy, const T* x, T* dx, P... parameters) {
    const HWY_NAMESPACE::Math<T> m{};
    HWY_NAMESPACE::for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
      part.store(Function<F, HWY_TARGET>::gradient(m, part.load(dy + i), part.load(x + i), m(parameters)...),
                 dx + i);
    });
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#endif
