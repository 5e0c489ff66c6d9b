#pragma once
// Recycled memory. A training loop asks for the same sizes again and again: freed blocks are kept in lists by
// size, one set of lists per thread and one for blocks freed by a thread that did not allocate them, so that
// a steady loop never reaches the system's allocator. When the system has no more memory, the free blocks of
// all threads go back to it before an allocation fails.

#include <cstddef>

namespace adjoint {

/// A block of at least `bytes` bytes at a 64-byte boundary, contents unspecified. Throws std::bad_alloc.
void* allocate_block(std::size_t bytes);

/// Gives back a block of allocate_block(bytes), in any thread.
void free_block(void* block, std::size_t bytes) noexcept;

/// Gives all free blocks back to the system but other threads' small ones (32 KiB and less), of which a
/// thread keeps at most 16 MiB. Programs need not call it: memory that an allocation needs is given back for
/// it.
void empty_cache() noexcept;

/// Bytes of all free blocks that are kept, those of other threads included.
std::size_t cached_bytes() noexcept;

/// Sets how many bytes of free blocks all threads together keep from now on, at the start 512 MiB, and
/// empties the cache. After set_cache_limit(0) at the start of a program nothing is kept, so that tools which
/// look for memory errors see every allocation.
void set_cache_limit(std::size_t bytes) noexcept;

namespace detail {
/// Around a fork: no other thread may be changing the lists then, and the child has none of them.
void lock_block_cache();
void unlock_block_cache();
void unlock_block_cache_in_child();
}  // namespace detail

/// For standard containers whose memory comes and goes every step.
template <class T>
struct BlockAllocator {
  using value_type = T;
  BlockAllocator() = default;
  template <class U>
  BlockAllocator(const BlockAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_block(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { free_block(block, count * sizeof(T)); }
  bool operator==(const BlockAllocator&) const { return true; }
};

/// Base of objects made and freed in every step: `new` and `delete` recycle their memory.
struct Recycled {
  static void* operator new(std::size_t bytes) { return allocate_block(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { free_block(block, bytes); }
};

}  // namespace adjoint
