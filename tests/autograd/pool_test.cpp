#include "autograd/pool.h"

#include <barrier>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <set>
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

// Otherwise a thread that loads data would ask the system for each batch anew, while free blocks pile up in
// the thread that trains.
TEST(Pool, BlocksOfOneThreadFreedInAnotherComeBack) {
  constexpr std::size_t kBytes = 123456;
  void* first = pool_allocate(kBytes);
  pool_free(first, kBytes);
  void* second = pool_allocate(kBytes);
  pool_free(second, kBytes);
  if (second != first) GTEST_SKIP() << "under the address sanitizer no block is used again";
  std::set<void*> blocks;
  std::barrier handed_over(2), taken_over(2);
  void* block = nullptr;
  constexpr int kRounds = 50;
  std::thread loader([&] {
    for (int i = 0; i < kRounds; ++i) {
      block = pool_allocate(kBytes);
      handed_over.arrive_and_wait();
      taken_over.arrive_and_wait();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    handed_over.arrive_and_wait();
    blocks.insert(block);
    pool_free(block, kBytes);
    taken_over.arrive_and_wait();
  }
  loader.join();
  EXPECT_EQ(blocks.size(), 1u);
}

TEST(Pool, AbsurdSizesThrow) {
  EXPECT_THROW(pool_allocate(SIZE_MAX / 2), std::bad_alloc);
  EXPECT_THROW(pool_allocate(SIZE_MAX), std::bad_alloc);
}

}  // namespace
}  // namespace adjoint
