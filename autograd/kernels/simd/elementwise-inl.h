// How kernels walk over an array by vectors. Included once per instruction set (see hwy/foreach_target.h),
// hence no #pragma once.
#if defined(ADJOINT_ELEMENTWISE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_ELEMENTWISE_INL_H
#undef ADJOINT_ELEMENTWISE_INL_H
#else
#define ADJOINT_ELEMENTWISE_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vector = hn::Vec<Tag<T>>;

/// Elements of a vector.
template <class T>
inline constexpr std::int64_t kVector = static_cast<std::int64_t>(hn::MaxLanes(Tag<T>()));

/// A whole vector's worth of consecutive elements.
template <class T>
struct Whole {
  HWY_INLINE Vector<T> load(const T* from) const { return hn::LoadU(Tag<T>(), from); }
  HWY_INLINE Vector<T> load_or(const T* from, T) const { return load(from); }
  HWY_INLINE void store(Vector<T> value, T* to) const { hn::StoreU(value, Tag<T>(), to); }
};

/// The first `count` elements of a vector, fewer than it holds. Memory behind them is not touched, so that
/// the end of an array goes through the same arithmetic as its middle. Lanes beyond are 0 when loaded.
template <class T>
class Part {
 public:
  HWY_INLINE explicit Part(std::int64_t count)
      : count_(static_cast<std::size_t>(count)), mask_(hn::FirstN(Tag<T>(), count_)) {}

  HWY_INLINE hn::Mask<Tag<T>> mask() const { return mask_; }

  HWY_INLINE Vector<T> load(const T* from) const {
    if constexpr (kMasked) {
      return hn::MaskedLoad(mask(), Tag<T>(), from);
    } else {
      HWY_ALIGN T whole[kVector<T>] = {};
      for (std::size_t i = 0; i < count_; ++i) whole[i] = from[i];
      return hn::Load(Tag<T>(), whole);
    }
  }

  /// As load, with `spare` in the lanes beyond.
  HWY_INLINE Vector<T> load_or(const T* from, T spare) const {
    return hn::IfThenElse(mask(), load(from), hn::Set(Tag<T>(), spare));
  }

  HWY_INLINE void store(Vector<T> value, T* to) const {
    if constexpr (kMasked) {
      hn::BlendedStore(value, mask(), Tag<T>(), to);
    } else {
      HWY_ALIGN T whole[kVector<T>];
      hn::Store(value, Tag<T>(), whole);
      for (std::size_t i = 0; i < count_; ++i) to[i] = whole[i];
    }
  }

 private:
  // AVX2 and AVX-512 have loads and stores that leave masked elements of 4 and 8 bytes alone; before them
  // Highway touches whole vectors.
  static constexpr bool kMasked = HWY_TARGET <= HWY_AVX2;
  std::size_t count_;
  hn::Mask<Tag<T>> mask_;
};

/// Calls body(i, part) for every vector of n elements: part, a Whole or at last a Part, loads and stores the
/// elements from index i on.
template <class T, class Body>
HWY_INLINE void for_vectors(std::int64_t n, const Body& body) {
  std::int64_t i = 0;
  for (; i + kVector<T> <= n; i += kVector<T>) body(i, Whole<T>());
  if (i < n) body(i, Part<T>(n - i));
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
