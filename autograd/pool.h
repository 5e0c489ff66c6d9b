#pragma once
// Recycled memory. A training loop asks for the same sizes again and again: freed blocks are kept in lists by
// size, one set of lists per thread and one for blocks that other threads free than take them, so that a
// steady loop never reaches the system's allocator.

#include <cstddef>

namespace adjoint {

/// A block of at least `bytes` bytes at a 64-byte boundary, contents unspecified. Throws std::bad_alloc.
void* pool_allocate(std::size_t bytes);

/// Gives back a block of pool_allocate(bytes), in any thread.
void pool_free(void* block, std::size_t bytes) noexcept;

/// For standard containers whose memory comes and goes every step.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(pool_allocate(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { pool_free(block, count * sizeof(T)); }
  bool operator==(const PoolAllocator&) const { return true; }
};

/// Base of objects made and freed in every step: `new` and `delete` recycle their memory.
struct Pooled {
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { pool_free(block, bytes); }
};

}  // namespace adjoint
