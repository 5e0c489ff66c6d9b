// Sums across the lanes of vectors. Included once per instruction set (see hwy/foreach_target.h), hence no
// #pragma once.
#if defined(ADJOINT_KERNELS_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_SUMS_INL_H
#undef ADJOINT_KERNELS_SUMS_INL_H
#else
#define ADJOINT_KERNELS_SUMS_INL_H
#endif

#include "autograd/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

/// The sum of a vector's 16-byte parts.
template <class D, class V = hn::Vec<D>>
HWY_INLINE auto sum_parts([[maybe_unused]] D d, V v) {
  if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) == 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return sum_parts(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// sums[i] = the sum of all lanes of vector i, for four vectors. They are interleaved until each lane belongs
/// to another sum.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_sums(D d, hn::Vec<D> v0, hn::Vec<D> v1, hn::Vec<D> v2, hn::Vec<D> v3, T* sums) {
  const auto s01 = hn::Add(hn::InterleaveLower(d, v0, v1), hn::InterleaveUpper(d, v0, v1));
  const auto s23 = hn::Add(hn::InterleaveLower(d, v2, v3), hn::InterleaveUpper(d, v2, v3));
  if constexpr (sizeof(T) == 4) {
    const hn::Repartition<double, D> pairs;
    const auto p01 = hn::BitCast(pairs, s01), p23 = hn::BitCast(pairs, s23);
    const auto parts = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, p01, p23)),
                               hn::BitCast(d, hn::InterleaveUpper(pairs, p01, p23)));
    hn::StoreU(sum_parts(d, parts), hn::FixedTag<T, 4>(), sums);
  } else {
    hn::StoreU(sum_parts(d, s01), hn::FixedTag<T, 2>(), sums);
    hn::StoreU(sum_parts(d, s23), hn::FixedTag<T, 2>(), sums + 2);
  }
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
