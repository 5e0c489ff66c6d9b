// Vectors of numbers and how kernels walk over an array in them. Included once per instruction set (see
// hwy/foreach_target.h), hence no #pragma once.
#if defined(ADJOINT_KERNELS_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_VECTORS_INL_H
#undef ADJOINT_KERNELS_VECTORS_INL_H
#else
#define ADJOINT_KERNELS_VECTORS_INL_H
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

/// Elements of a vector. It divides kInterleaved<T>.
template <class T>
inline constexpr std::int64_t kVectorSize = static_cast<std::int64_t>(hn::MaxLanes(Tag<T>()));

/// Whether masked loads and stores never touch the elements that they leave out, so that the end of an array
/// can be worked on in place. On AVX2 Highway promises this only for elements of 4 and 8 bytes.
inline constexpr bool kMaskedLoadsAreSafe = HWY_TARGET <= HWY_AVX2 || !HWY_MEM_OPS_MIGHT_FAULT;

template <class T>
HWY_NOINLINE void copy_few(const T* from, std::int64_t count, T* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}

/// Loads and stores all elements of a vector.
template <class T>
struct AllLanes {
  HWY_INLINE Vector<T> load(const T* from) const { return hn::LoadU(Tag<T>(), from); }
  HWY_INLINE Vector<T> load_or(const T* from, T) const { return load(from); }
  HWY_INLINE void store(Vector<T> value, T* to) const { hn::StoreU(value, Tag<T>(), to); }
};

/// Loads and stores the first `count` elements of a vector, from 0 to kVectorSize<T>. It does not touch the
/// memory after them, so that the end of an array goes through the same arithmetic as its middle.
template <class T>
class FirstLanes {
 public:
  HWY_INLINE explicit FirstLanes(std::int64_t count)
      : count_(count), mask_(hn::FirstN(Tag<T>(), static_cast<std::size_t>(count))) {}

  HWY_INLINE hn::Mask<Tag<T>> mask() const { return mask_; }

  /// The other lanes are 0.
  HWY_INLINE Vector<T> load(const T* from) const {
    if constexpr (kMaskedLoadsAreSafe) {
      return hn::MaskedLoad(mask_, Tag<T>(), from);
    } else {
      if (count_ == kVectorSize<T>) return hn::LoadU(Tag<T>(), from);
      HWY_ALIGN T values[kVectorSize<T>] = {};
      copy_few(from, count_, values);
      return hn::Load(Tag<T>(), values);
    }
  }

  /// The other lanes are `other`.
  HWY_INLINE Vector<T> load_or(const T* from, T other) const {
    return hn::IfThenElse(mask_, load(from), hn::Set(Tag<T>(), other));
  }

  HWY_INLINE void store(Vector<T> value, T* to) const {
    // AVX2's masked stores are slow on AMD processors, so a vector that is full does without.
    if (HWY_MEM_OPS_MIGHT_FAULT && count_ == kVectorSize<T>) return hn::StoreU(value, Tag<T>(), to);
    if constexpr (kMaskedLoadsAreSafe) {
      hn::BlendedStore(value, mask_, Tag<T>(), to);
    } else {
      HWY_ALIGN T values[kVectorSize<T>];
      hn::Store(value, Tag<T>(), values);
      copy_few(values, count_, to);
    }
  }

 private:
  std::int64_t count_;
  hn::Mask<Tag<T>> mask_;
};

/// The first `count` elements at `from`, the other lanes 0; reads nothing after them.
template <class T>
HWY_INLINE Vector<T> load_first(Tag<T>, const T* from, std::int64_t count) {
  return FirstLanes<T>(count).load(from);
}

/// Stores the first `count` elements of a vector; writes nothing after them.
template <class T>
HWY_INLINE void store_first(Vector<T> value, Tag<T>, T* to, std::int64_t count) {
  FirstLanes<T>(count).store(value, to);
}

/// Calls body(i, lanes) for vectors that make up n elements. lanes loads and stores the elements from index i
/// on: AllLanes, or FirstLanes for the last ones if they do not fill a vector.
template <class T, class Body>
HWY_INLINE void for_vectors(std::int64_t n, const Body& body) {
  std::int64_t i = 0;
  for (; i + kVectorSize<T> <= n; i += kVectorSize<T>) body(i, AllLanes<T>());
  if (i < n) body(i, FirstLanes<T>(n - i));
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
