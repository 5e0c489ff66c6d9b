#include "adjoint/memory/block_cache.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

#include "autograd/memory/fork.h"

// Each thread has its own free blocks, so that a block returns to the core that last used it. Small blocks
// need no lock. Large blocks are worth a lock: any thread can return them to the system.

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
constexpr std::size_t kClasses = kLinearClasses + 4 * 36;  // then four sizes per doubling, up to 2^46.
constexpr std::size_t kLargestSmall = std::size_t{32} << 10;
constexpr std::size_t kMostSmallBytes = std::size_t{16} << 20;  // Per thread; claimed in steps of kSmallStep.
constexpr std::size_t kSmallStep = std::size_t{256} << 10;

// A thread claims a part of the limit before it keeps blocks, and returns the claim when it frees all of
// them. In a steady loop no claim changes, so the threads do not contend for these variables.
constinit std::atomic<std::size_t> limit = std::size_t{512} << 20;
constinit std::atomic<std::size_t> claimed_by_all = 0;  // Never raised above limit.

bool claim(std::size_t more) {
  std::size_t before = claimed_by_all.load(std::memory_order_relaxed);
  do {
    if (before + more > limit.load(std::memory_order_relaxed)) return false;
  } while (!claimed_by_all.compare_exchange_weak(before, before + more, std::memory_order_relaxed));
  return true;
}

void give_back_claim(std::size_t& claimed) noexcept {
  claimed_by_all.fetch_sub(std::exchange(claimed, 0), std::memory_order_relaxed);
}

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

void system_free(void* block) noexcept { ::operator delete (block, std::align_val_t{kAlignment}); }

/// Free blocks by size. Only one thread at a time may change them; any thread may read bytes.
struct FreeLists {
  FreeBlock* take(const SizeClass& size) {
    FreeBlock*& list = blocks[size.index];
    if (list == nullptr) return nullptr;
    set_bytes(all_bytes() - size.bytes);
    return std::exchange(list, list->next);
  }
  void put(FreeBlock* block, const SizeClass& size) {
    block->next = std::exchange(blocks[size.index], block);
    set_bytes(all_bytes() + size.bytes);
  }
  std::size_t all_bytes() const { return bytes.load(std::memory_order_relaxed); }
  void set_bytes(std::size_t now) { bytes.store(now, std::memory_order_relaxed); }

  std::array<FreeBlock*, kClasses> blocks;
  std::atomic<std::size_t> bytes;
};

void free_all(std::array<FreeBlock*, kClasses> blocks) noexcept {
  for (FreeBlock* list : blocks) {
    while (list != nullptr) system_free(std::exchange(list, list->next));
  }
}

/// The free blocks of a thread. The type is trivially destructible and constant-initialized. So access costs
/// only an offset from the thread register, and stays legal while other thread-local objects are destroyed.
struct Cache {
  // For this thread only.
  FreeLists small;
  std::size_t small_claimed;
  std::int64_t taken[kClasses];  // Blocks that this thread took and has not given back.
  bool closed;

  // For all threads, under the lock: large blocks, and small ones beyond kMostSmallBytes.
  std::mutex mutex;
  FreeLists large;
  std::size_t large_claimed;
  bool used;  // Whether large blocks were taken or put since the last is_idle().

  Cache* next;  // Guarded by all_caches_mutex.

  bool put_small(FreeBlock* block, const SizeClass& size) {
    if (size.bytes > kLargestSmall || small.all_bytes() + size.bytes > small_claimed) return false;
    small.put(block, size);
    return true;
  }
  bool claim_small() {
    if (small_claimed + kSmallStep > kMostSmallBytes || !claim(kSmallStep)) return false;
    small_claimed += kSmallStep;
    return true;
  }
  void free_small() noexcept {
    give_back_claim(small_claimed);
    small.set_bytes(0);
    free_all(std::exchange(small.blocks, {}));
  }

  FreeBlock* take_large(const SizeClass& size) {
    const std::lock_guard lock(mutex);
    used = true;
    return large.take(size);
  }
  /// Returns false if the limit leaves no room for the block.
  bool put_large(FreeBlock* block, const SizeClass& size) {
    const std::lock_guard lock(mutex);
    used = true;
    const std::size_t bytes = large.all_bytes() + size.bytes;
    if (bytes > large_claimed) {
      if (!claim(bytes - large_claimed)) return false;
      large_claimed = bytes;
    }
    large.put(block, size);
    return true;
  }
  /// The caller must hold the lock.
  [[nodiscard]] std::array<FreeBlock*, kClasses> give_up_large() noexcept {
    give_back_claim(large_claimed);
    large.set_bytes(0);
    return std::exchange(large.blocks, {});
  }
  void free_large() noexcept {
    std::unique_lock lock(mutex);
    const auto blocks = give_up_large();
    lock.unlock();
    free_all(blocks);
  }
  /// Whether no large block was taken or put since the last call.
  bool is_idle() {
    const std::lock_guard lock(mutex);
    return !std::exchange(used, false);
  }
};
static_assert(std::is_trivially_destructible_v<Cache>);

constinit thread_local Cache cache{};

// Holds the blocks that a thread frees beyond those that it took. In the cache of this thread they would pile
// up. The thread that takes such blocks, for example one that loads data, would have to get each one from the
// system.
constinit Cache shared{};

constinit std::mutex all_caches_mutex;  // Locked before the mutex of a cache.
constinit Cache* all_caches = &shared;

struct CacheCleaner {
  CacheCleaner() {
    install_fork_handlers();
    const std::lock_guard lock(all_caches_mutex);
    cache.next = std::exchange(all_caches, &cache);
  }
  ~CacheCleaner() {
    cache.closed = true;
    {
      const std::lock_guard lock(all_caches_mutex);
      Cache** place = &all_caches;
      while (*place != &cache) place = &(*place)->next;
      *place = cache.next;
    }
    cache.free_small();
    cache.free_large();
  }
};

void free_idle_caches() noexcept {
  const std::lock_guard lock(all_caches_mutex);
  for (Cache* each = all_caches; each != nullptr; each = each->next) {
    if (each->is_idle()) each->free_large();
  }
}

[[gnu::noinline]] void* allocate_elsewhere(const SizeClass& wanted) {
  thread_local CacheCleaner cleaner;
  (void)cleaner;
  if (FreeBlock* block = cache.take_large(wanted)) return block;
  if (FreeBlock* block = shared.take_large(wanted)) return block;
  constexpr std::align_val_t kAligned{kAlignment};
  if (void* block = ::operator new(wanted.bytes, kAligned, std::nothrow)) return block;
  empty_cache();
  return ::operator new(wanted.bytes, kAligned);
}

[[gnu::noinline]] void free_elsewhere(bool own, FreeBlock* block, const SizeClass& given) noexcept {
  if (given.bytes > limit.load(std::memory_order_relaxed)) return system_free(block);
  if (own && given.bytes <= kLargestSmall && cache.claim_small()) return cache.small.put(block, given);
  Cache& owner = own ? cache : shared;
  if (owner.put_large(block, given)) return;
  free_idle_caches();
  if (!owner.put_large(block, given)) system_free(block);
}

}  // namespace

void* allocate_block(std::size_t bytes) {
  const SizeClass wanted = size_class(bytes);
  if (wanted.index >= kClasses) throw std::bad_alloc();
  void* block = cache.small.take(wanted);
  if (block == nullptr) block = allocate_elsewhere(wanted);
  ++cache.taken[wanted.index];
  return block;
}

void free_block(void* block, std::size_t bytes) noexcept {
  if (!kRecycle || cache.closed) return system_free(block);
  const SizeClass given = size_class(bytes);
  auto* free_block = static_cast<FreeBlock*>(block);
  const bool own = cache.taken[given.index] > 0;
  if (own) --cache.taken[given.index];
  if (own && cache.put_small(free_block, given)) return;
  free_elsewhere(own, free_block, given);
}

void empty_cache() noexcept {
  cache.free_small();
  const std::lock_guard lock(all_caches_mutex);
  for (Cache* each = all_caches; each != nullptr; each = each->next) each->free_large();
}

std::size_t cached_bytes() noexcept {
  std::size_t bytes = 0;
  const std::lock_guard lock(all_caches_mutex);
  for (const Cache* each = all_caches; each != nullptr; each = each->next)
    bytes += each->small.all_bytes() + each->large.all_bytes();
  return bytes;
}

void set_cache_limit(std::size_t bytes) noexcept {
  limit = bytes;
  empty_cache();
}

void detail::lock_block_cache() {
  all_caches_mutex.lock();
  for (Cache* each = all_caches; each != nullptr; each = each->next) each->mutex.lock();
}

void detail::unlock_block_cache() {
  for (Cache* each = all_caches; each != nullptr; each = each->next) each->mutex.unlock();
  all_caches_mutex.unlock();
}

void detail::unlock_block_cache_in_child() {
  for (Cache** place = &all_caches; *place != nullptr;) {
    Cache* each = *place;
    if (each == &cache || each == &shared) {
      place = &each->next;
    } else {
      *place = each->next;
      free_all(each->give_up_large());
      give_back_claim(each->small_claimed);
    }
  }
  unlock_block_cache();
}

}  // namespace adjoint
