#pragma once
// Recycled memory. A training loop allocates the same sizes again and again. Freed blocks are kept in lists
// by size, so a steady loop never reaches the system's allocator. Each thread has its own lists. One more set
// of lists is shared: it holds blocks freed by a thread that did not allocate them. When the system has no
// more memory, an allocation calls empty_cache() and tries again before it fails.

#include <cstddef>

namespace adjoint {

/// A block of at least `bytes` bytes at a 64-byte boundary, contents unspecified. Throws std::bad_alloc.
void* allocate_block(std::size_t bytes);

/// Frees a block from allocate_block(bytes). It may be called in any thread.
void free_block(void* block, std::size_t bytes) noexcept;

/// Returns all free blocks to the system, except other threads' small ones (32 KiB and less). Each thread
/// keeps at most 16 MiB of these. Programs need not call this function: an allocation calls it when the
/// system has no more memory.
void empty_cache() noexcept;

/// The bytes of all free blocks that are kept, including those of other threads.
std::size_t cached_bytes() noexcept;

/// Sets the limit on the bytes of free blocks that all threads together keep, and empties the cache. At the
/// start, the limit is 512 MiB. After set_cache_limit(0) at the start of a program, no block is kept. Tools
/// that look for memory errors then see every allocation.
void set_cache_limit(std::size_t bytes) noexcept;

namespace detail {
/// Called before and after a fork: no other thread may change the lists during a fork, and the child has no
/// other threads.
void lock_block_cache();
void unlock_block_cache();
void unlock_block_cache_in_child();
}  // namespace detail

/// Allocator for standard containers that allocate and free memory in every step.
template <class T>
struct BlockAllocator {
  using value_type = T;
  BlockAllocator() = default;
  template <class U>
  BlockAllocator(const BlockAllocator<U>&) {}
  // NOLINTBEGIN(bugprone-sizeof-expression): T may be a pointer
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_block(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { free_block(block, count * sizeof(T)); }
  // NOLINTEND(bugprone-sizeof-expression)
  bool operator==(const BlockAllocator&) const { return true; }
};

/// Base of objects made and freed in every step: `new` and `delete` recycle their memory.
struct Recycled {
  static void* operator new(std::size_t bytes) { return allocate_block(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { free_block(block, bytes); }
};

}  // namespace adjoint
