#pragma once
// The block cache in tests: its limit, and blocks that come and go.

#include <cstddef>
#include <vector>

#include "adjoint/memory/block_cache.h"

namespace adjoint::support {

inline constexpr std::size_t kMiB = 1024 * 1024;

/// The block cache keeps at most this much until the end of the scope, and then as much as usual.
class WithCacheLimit {
 public:
  explicit WithCacheLimit(std::size_t bytes) { set_cache_limit(bytes); }
  ~WithCacheLimit() { set_cache_limit(512 * kMiB); }
  WithCacheLimit(const WithCacheLimit&) = delete;
  WithCacheLimit& operator=(const WithCacheLimit&) = delete;
};

/// Takes `count` blocks at once and frees them.
inline void take_and_free(std::size_t count, std::size_t bytes) {
  std::vector<void*> blocks(count);
  for (void*& block : blocks) block = allocate_block(bytes);
  for (void* block : blocks) free_block(block, bytes);
}

}  // namespace adjoint::support
