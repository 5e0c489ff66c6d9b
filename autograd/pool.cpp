#include "autograd/pool.h"

#include <bit>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

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
// In each thread's lists, and in those that all share; beyond it blocks really are freed.
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

/// Free blocks by their size.
struct FreeLists {
  FreeBlock* take(const SizeClass& size) {
    FreeBlock*& list = blocks[size.index];
    if (list == nullptr) return nullptr;
    FreeBlock* block = std::exchange(list, list->next);
    bytes -= size.bytes;
    return block;
  }
  /// False when there are too many already.
  bool put(FreeBlock* block, const SizeClass& size) {
    if (bytes + size.bytes > kMostCachedBytes) return false;
    block->next = std::exchange(blocks[size.index], block);
    bytes += size.bytes;
    return true;
  }

  FreeBlock* blocks[kClasses];
  std::size_t bytes;
};

// Trivially destructible and constant-initialised, so that access costs one thread-register offset and stays
// legal while other thread-local objects are destroyed.
struct Cache {
  FreeLists free;
  std::int64_t taken[kClasses];  // Blocks that this thread took and has not given back.
  bool closed;
};
constinit thread_local Cache cache{};

// Where a thread leaves blocks when it frees more than it took: they would pile up with it, while the one
// that takes them, one that loads data for another, say, would go to the system for each.
constinit FreeLists shared{};
constinit std::mutex shared_mutex;

void system_free(void* block) noexcept { ::operator delete (block, std::align_val_t{kAlignment}); }

struct CacheCleaner {
  ~CacheCleaner() {
    cache.closed = true;
    for (FreeBlock*& list : cache.free.blocks) {
      while (list != nullptr) system_free(std::exchange(list, list->next));
    }
  }
};

[[gnu::noinline]] void* allocate_elsewhere(const SizeClass& wanted) {
  thread_local CacheCleaner cleaner;
  (void)cleaner;
  {
    const std::lock_guard lock(shared_mutex);
    if (FreeBlock* block = shared.take(wanted)) return block;
  }
  return ::operator new (wanted.bytes, std::align_val_t{kAlignment});
}

[[gnu::noinline]] bool share(FreeBlock* block, const SizeClass& given) {
  const std::lock_guard lock(shared_mutex);
  return shared.put(block, given);
}

}  // namespace

void* pool_allocate(std::size_t bytes) {
  const SizeClass wanted = size_class(bytes);
  if (wanted.index >= kClasses) throw std::bad_alloc();
  void* block = cache.free.take(wanted);
  if (block == nullptr) block = allocate_elsewhere(wanted);
  ++cache.taken[wanted.index];
  return block;
}

void pool_free(void* block, std::size_t bytes) noexcept {
  if (!kRecycle || cache.closed) return system_free(block);
  const SizeClass given = size_class(bytes);
  auto* free_block = static_cast<FreeBlock*>(block);
  const bool own = cache.taken[given.index] > 0;
  if (own) --cache.taken[given.index];
  if (!(own ? cache.free.put(free_block, given) : share(free_block, given))) system_free(block);
}

}  // namespace adjoint
