#include "autograd/pool.h"

#include <bit>
#include <cstdint>
#include <new>

namespace adjoint {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kRecycle = false;  // Let the sanitizer see every use after free.
#elif defined(__has_feature)
constexpr bool kRecycle = !__has_feature(address_sanitizer);
#else
constexpr bool kRecycle = true;
#endif

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLinearClasses = 16;                 // 64, 128, ... 1024 bytes,
constexpr std::size_t kClasses = kLinearClasses + 4 * 36;  // then four sizes to every doubling, up to 2^46.
// Per thread; beyond it blocks really are freed.
constexpr std::size_t kMostCachedBytes = std::size_t{512} << 20;

struct SizeClass {
  std::size_t index, bytes;
};

SizeClass size_class(std::size_t bytes) {
  if (bytes <= kLinearClasses * kAlignment) {
    const std::size_t index = bytes == 0 ? 0 : (bytes - 1) / kAlignment;
    return {index, (index + 1) * kAlignment};
  }
  const auto doubling =
      static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^doubling < bytes <= 2^(doubling+1)
  const std::size_t quarter = std::size_t{1} << (doubling - 2);
  const std::size_t steps = (bytes - 1) / quarter - 3;  // 1..4 quarters above 2^doubling
  return {kLinearClasses + (doubling - 10) * 4 + steps - 1, (steps + 4) * quarter};
}

struct FreeBlock {
  FreeBlock* next;
};

// Trivially destructible and constant-initialised, so that access costs one thread-register offset and stays
// legal while other thread-local objects are destroyed.
struct Cache {
  FreeBlock* blocks[kClasses];
  std::size_t bytes;
  bool closed;
};
constinit thread_local Cache cache{};

void system_free(void* block) noexcept { ::operator delete (block, std::align_val_t{kAlignment}); }

struct CacheCleaner {
  ~CacheCleaner() {
    cache.closed = true;
    for (FreeBlock*& list : cache.blocks) {
      while (list != nullptr) {
        FreeBlock* block = list;
        list = block->next;
        system_free(block);
      }
    }
  }
};

[[gnu::noinline]] void* system_allocate(std::size_t bytes) {
  thread_local CacheCleaner cleaner;
  (void)cleaner;
  return ::operator new (bytes, std::align_val_t{kAlignment});
}

}  // namespace

void* pool_allocate(std::size_t bytes) {
  const SizeClass wanted = size_class(bytes);
  if (wanted.index >= kClasses) throw std::bad_alloc();
  if (FreeBlock* block = cache.blocks[wanted.index]) {
    cache.blocks[wanted.index] = block->next;
    cache.bytes -= wanted.bytes;
    return block;
  }
  return system_allocate(wanted.bytes);
}

void pool_free(void* block, std::size_t bytes) noexcept {
  const SizeClass given = size_class(bytes);
  if (!kRecycle || cache.closed || cache.bytes + given.bytes > kMostCachedBytes) return system_free(block);
  auto* free_block = static_cast<FreeBlock*>(block);
  free_block->next = cache.blocks[given.index];
  cache.blocks[given.index] = free_block;
  cache.bytes += given.bytes;
}

}  // namespace adjoint
