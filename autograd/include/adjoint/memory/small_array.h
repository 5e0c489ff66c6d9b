#pragma once
// An array whose length is fixed at construction. Up to N elements are stored inside the object, longer
// arrays in recycled memory.

#include <cstddef>
#include <memory>

#include "adjoint/memory/block_cache.h"

namespace adjoint {

template <class T, std::size_t N>
class SmallArray {
 public:
  SmallArray() = default;
  explicit SmallArray(std::size_t size) : size_(size) {
    if (size > N) {
      outside_ = BlockAllocator<T>().allocate(size);
      std::uninitialized_value_construct_n(outside_, size);
    }
  }
  SmallArray(SmallArray&& other) noexcept : size_(other.size_), outside_(other.outside_) {
    for (std::size_t i = 0; i < N; ++i) inside_[i] = std::move(other.inside_[i]);
    other.size_ = 0;
    other.outside_ = nullptr;
  }
  SmallArray(const SmallArray&) = delete;
  SmallArray& operator=(const SmallArray&) = delete;
  SmallArray& operator=(SmallArray&&) = delete;
  ~SmallArray() {
    if (outside_ == nullptr) return;
    std::destroy_n(outside_, size_);
    BlockAllocator<T>().deallocate(outside_, size_);
  }

  std::size_t size() const { return size_; }
  T* begin() { return outside_ != nullptr ? outside_ : inside_; }
  T* end() { return begin() + size_; }
  const T* begin() const { return outside_ != nullptr ? outside_ : inside_; }
  const T* end() const { return begin() + size_; }
  T& operator[](std::size_t i) & { return begin()[i]; }
  const T& operator[](std::size_t i) const& { return begin()[i]; }
  T operator[](std::size_t i) && { return std::move(begin()[i]); }

 private:
  std::size_t size_ = 0;
  T* outside_ = nullptr;
  T inside_[N] = {};
};

}  // namespace adjoint
