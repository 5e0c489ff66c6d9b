#pragma once
// The layout in which the images of a block lie side by side, by index arithmetic.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#include "autograd/kernels/layout/interleaved.h"

namespace adjoint::support {

/// The position of a feature of an image in this layout.
template <class T>
constexpr std::int64_t interleaved_offset(std::int64_t features, std::int64_t image, std::int64_t feature) {
  constexpr std::int64_t kInterleaved = kernels::kInterleaved<T>;
  return (image / kInterleaved * features + feature) * kInterleaved + image % kInterleaved;
}

/// Memory that starts at a 64-byte boundary, as kernels need. It ends with the last element, so that the
/// sanitizers notice every access beyond it.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T* values, std::size_t) { ::operator delete(values, std::align_val_t(64)); }
  bool operator==(const AlignedAllocator&) const { return true; }
};

/// An array [images, features] in this layout.
template <class T>
class Interleaved {
 public:
  /// All elements are `value`, spare lanes too.
  Interleaved(std::int64_t images, std::int64_t features, T value = std::numeric_limits<T>::quiet_NaN())
      : images_(images),
        features_(features),
        values_(kernels::interleaved_blocks<T>(images) * features * kernels::kInterleaved<T>, value) {}

  /// The spare lanes are NaN: no kernel may read them into a result.
  Interleaved(std::int64_t images, const std::vector<T>& row_major)
      : Interleaved(images, images == 0 ? 0 : static_cast<std::int64_t>(row_major.size()) / images) {
    for (std::int64_t n = 0; n < images_; ++n)
      for (std::int64_t f = 0; f < features_; ++f) (*this)(n, f) = row_major[n * features_ + f];
  }

  T& operator()(std::int64_t image, std::int64_t feature) {
    return values_[interleaved_offset<T>(features_, image, feature)];
  }
  T* data() { return values_.data(); }
  const T* data() const { return values_.data(); }
  bool operator==(const Interleaved&) const = default;

  std::vector<T> row_major() const {
    std::vector<T> result;
    for (std::int64_t n = 0; n < images_; ++n)
      for (std::int64_t f = 0; f < features_; ++f)
        result.push_back(values_[interleaved_offset<T>(features_, n, f)]);
    return result;
  }

 private:
  std::int64_t images_, features_;
  std::vector<T, AlignedAllocator<T>> values_;
};

}  // namespace adjoint::support
