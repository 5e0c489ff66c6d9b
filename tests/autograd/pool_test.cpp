#include "autograd/pool.h"

#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace adjoint {
namespace {

TEST(Pool, BlocksAreAlignedWritableAndApart) {
  std::vector<std::pair<char*, std::size_t>> blocks;
  for (std::size_t bytes = 0; bytes < 5000; bytes += 37) {
    auto* block = static_cast<char*>(pool_allocate(bytes));
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u) << bytes;
    std::memset(block, static_cast<int>(blocks.size()), bytes);
    blocks.emplace_back(block, bytes);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t k = 0; k < blocks[i].second; ++k) ASSERT_EQ(blocks[i].first[k], static_cast<char>(i));
    pool_free(blocks[i].first, blocks[i].second);
  }
}

TEST(Pool, HandlesSizesAroundEveryClassBoundary) {
  for (std::size_t power = 6; power < 24; ++power) {
    for (std::size_t quarter = 4; quarter < 8; ++quarter) {
      for (int off = -1; off <= 1; ++off) {
        const std::size_t bytes = (quarter << (power - 2)) + static_cast<std::size_t>(off);
        auto* block = static_cast<char*>(pool_allocate(bytes));
        block[0] = 1;
        block[bytes - 1] = 1;
        pool_free(block, bytes);
      }
    }
  }
}

TEST(Pool, ABlockMayBeFreedInAnotherThread) {
  void* block = pool_allocate(1000);
  std::thread([&] { pool_free(block, 1000); }).join();
  void* again = pool_allocate(1000);
  std::memset(again, 1, 1000);
  pool_free(again, 1000);
}

TEST(Pool, AbsurdSizesThrow) {
  EXPECT_THROW(pool_allocate(SIZE_MAX / 2), std::bad_alloc);
  EXPECT_THROW(pool_allocate(SIZE_MAX), std::bad_alloc);
}

}  // namespace
}  // namespace adjoint
