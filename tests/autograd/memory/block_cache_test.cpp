#include "adjoint/memory/block_cache.h"

#include <barrier>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/block_cache.h"

namespace adjoint {
namespace {

using support::kMiB;
using support::take_and_free;
using support::WithCacheLimit;

TEST(BlockCache, BlocksAreAlignedWritableAndApart) {
  std::vector<std::pair<char*, std::size_t>> blocks;
  for (std::size_t bytes = 0; bytes < 5000; bytes += 37) {
    auto* block = static_cast<char*>(allocate_block(bytes));
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u) << bytes;
    std::memset(block, static_cast<int>(blocks.size()), bytes);
    blocks.emplace_back(block, bytes);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t k = 0; k < blocks[i].second; ++k) ASSERT_EQ(blocks[i].first[k], static_cast<char>(i));
    free_block(blocks[i].first, blocks[i].second);
  }
}

TEST(BlockCache, HandlesSizesAroundEveryClassBoundary) {
  for (std::size_t power = 6; power < 24; ++power) {
    for (std::size_t quarter = 4; quarter < 8; ++quarter) {
      for (int off = -1; off <= 1; ++off) {
        const std::size_t bytes = (quarter << (power - 2)) + static_cast<std::size_t>(off);
        auto* block = static_cast<char*>(allocate_block(bytes));
        block[0] = 1;
        block[bytes - 1] = 1;
        free_block(block, bytes);
      }
    }
  }
}

TEST(BlockCache, ABlockMayBeFreedInAnotherThread) {
  void* block = allocate_block(1000);
  std::thread([&] { free_block(block, 1000); }).join();
  void* again = allocate_block(1000);
  std::memset(again, 1, 1000);
  free_block(again, 1000);
}

// Otherwise a thread that loads data would ask the system for each batch anew, while free blocks pile up in
// the thread that trains.
TEST(BlockCache, BlocksOfOneThreadFreedInAnotherComeBack) {
  constexpr std::size_t kBytes = 123456;
  void* first = allocate_block(kBytes);
  free_block(first, kBytes);
  void* second = allocate_block(kBytes);
  free_block(second, kBytes);
  if (second != first) GTEST_SKIP() << "under the address sanitizer no block is used again";
  std::set<void*> blocks;
  std::barrier handed_over(2), taken_over(2);
  void* block = nullptr;
  constexpr int kRounds = 50;
  std::thread loader([&] {
    for (int i = 0; i < kRounds; ++i) {
      block = allocate_block(kBytes);
      handed_over.arrive_and_wait();
      taken_over.arrive_and_wait();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    handed_over.arrive_and_wait();
    blocks.insert(block);
    free_block(block, kBytes);
    taken_over.arrive_and_wait();
  }
  loader.join();
  EXPECT_EQ(blocks.size(), 1u);
}

TEST(BlockCache, AbsurdSizesThrow) {
  EXPECT_THROW(allocate_block(SIZE_MAX / 2), std::bad_alloc);
  EXPECT_THROW(allocate_block(SIZE_MAX), std::bad_alloc);
}

constexpr std::size_t kKiB = 1024;

class BlockCacheLimits : public testing::Test {
 protected:
  void SetUp() override {
    take_and_free(1, kMiB);
    if (cached_bytes() == 0) GTEST_SKIP() << "under the address sanitizer nothing is kept";
    empty_cache();
    ASSERT_EQ(cached_bytes(), 0u);
  }

  /// Calls work(i) in `count` threads, and then then() while all of them are alive.
  template <class Work, class Then>
  static void in_threads(std::size_t count, const Work& work, const Then& then) {
    std::barrier worked(static_cast<std::ptrdiff_t>(count) + 1), done(static_cast<std::ptrdiff_t>(count) + 1);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        work(i);
        worked.arrive_and_wait();
        done.arrive_and_wait();
      });
    }
    worked.arrive_and_wait();
    then();
    done.arrive_and_wait();
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_F(BlockCacheLimits, AThreadKeepsUpToTheLimit) {
  take_and_free(511, kMiB);
  EXPECT_EQ(cached_bytes(), 511 * kMiB);
  take_and_free(600, kMiB);
  EXPECT_EQ(cached_bytes(), 512 * kMiB);
  take_and_free(1, 600 * kMiB);
  EXPECT_EQ(cached_bytes(), 512 * kMiB);
}

TEST_F(BlockCacheLimits, SmallBlocksCountToo) {
  const WithCacheLimit limit(3 * kMiB);
  for (const std::size_t bytes : {std::size_t{64}, kKiB, 32 * kKiB}) {
    take_and_free(10 * kMiB / bytes, bytes);
    EXPECT_EQ(cached_bytes(), 3 * kMiB) << bytes;
    empty_cache();
    EXPECT_EQ(cached_bytes(), 0u);
  }
  const WithCacheLimit more(30 * kMiB);
  take_and_free(10 * kMiB / 64, 64);
  take_and_free(30, kMiB);
  EXPECT_EQ(cached_bytes(), 30 * kMiB);
  take_and_free(40 * kMiB / (32 * kKiB), 32 * kKiB);
  EXPECT_EQ(cached_bytes(), 30 * kMiB);
}

TEST_F(BlockCacheLimits, AThreadsSmallBlocksBeyond16MebibytesCanBeTakenFromIt) {
  in_threads(
      1, [](std::size_t) { take_and_free(40 * kMiB / (32 * kKiB), 32 * kKiB); },
      [&] {
        EXPECT_EQ(cached_bytes(), 40 * kMiB);
        empty_cache();
        EXPECT_EQ(cached_bytes(), 16 * kMiB);
      });
  EXPECT_EQ(cached_bytes(), 0u);
}

TEST_F(BlockCacheLimits, AllThreadsTogetherKeepNoMore) {
  in_threads(
      5, [](std::size_t) { take_and_free(100, kMiB); }, [&] { EXPECT_EQ(cached_bytes(), 500 * kMiB); });
  EXPECT_EQ(cached_bytes(), 0u) << "threads that end keep nothing";
  in_threads(
      12,
      [](std::size_t) {
        take_and_free(100, kMiB);
        take_and_free(3 * kMiB / 64, 64);
      },
      [&] { EXPECT_LE(cached_bytes(), 512 * kMiB); });
  EXPECT_EQ(cached_bytes(), 0u);
  take_and_free(600, kMiB);
  EXPECT_EQ(cached_bytes(), 512 * kMiB) << "threads that have ended count";
}

TEST_F(BlockCacheLimits, EmptyCacheTakesFromAllThreads) {
  in_threads(
      3,
      [](std::size_t) {
        take_and_free(10, kMiB);
        take_and_free(5, 64);
      },
      [&] {
        take_and_free(10, kMiB);
        EXPECT_EQ(cached_bytes(), 40 * kMiB + 3 * 5 * 64);
        empty_cache();
        EXPECT_EQ(cached_bytes(), 3u * 5 * 64) << "other threads' small blocks stay";
      });
  EXPECT_EQ(cached_bytes(), 0u);
}

TEST_F(BlockCacheLimits, BlocksThatOthersFreeCountToo) {
  const WithCacheLimit limit(8 * kMiB);
  std::vector<void*> blocks(20);
  for (void*& block : blocks) block = allocate_block(kMiB);
  std::thread([&] {
    for (void* block : blocks) free_block(block, kMiB);
  }).join();
  EXPECT_EQ(cached_bytes(), 8 * kMiB);
  empty_cache();
  EXPECT_EQ(cached_bytes(), 0u);
}

TEST_F(BlockCacheLimits, NothingIsKeptWithoutALimit) {
  take_and_free(10, kMiB);
  take_and_free(10, 64);
  const WithCacheLimit limit(0);
  EXPECT_EQ(cached_bytes(), 0u);
  take_and_free(10, kMiB);
  take_and_free(10, 64);
  EXPECT_EQ(cached_bytes(), 0u);
}

// Otherwise threads that once had the memory would send those at work to the system for each block.
TEST_F(BlockCacheLimits, IdleThreadsMakeRoomForThoseAtWork) {
  const WithCacheLimit limit(64 * kMiB);
  in_threads(
      1, [](std::size_t) { take_and_free(64, kMiB); },
      [&] {
        EXPECT_EQ(cached_bytes(), 64 * kMiB);
        for (int i = 0; i < 3; ++i) take_and_free(1, kMiB);
        EXPECT_EQ(cached_bytes(), kMiB);
      });
}

TEST_F(BlockCacheLimits, ABlockAboveTheLimitTakesNothingFromOthers) {
  const WithCacheLimit limit(8 * kMiB);
  in_threads(
      1, [](std::size_t) { take_and_free(4, kMiB); },
      [&] {
        for (int i = 0; i < 3; ++i) take_and_free(1, 9 * kMiB);
        EXPECT_EQ(cached_bytes(), 4 * kMiB);
      });
}

TEST_F(BlockCacheLimits, BlocksComeBackToTheThreadThatFreedThem) {
  for (const std::size_t bytes : {64 * kKiB, kMiB, 100 * kMiB}) {
    void* mine = allocate_block(bytes);
    std::barrier freed(2);
    void* theirs = nullptr;
    std::thread other([&] {
      theirs = allocate_block(bytes);
      free_block(theirs, bytes);
      freed.arrive_and_wait();
      void* again = allocate_block(bytes);
      EXPECT_EQ(again, theirs);
      free_block(again, bytes);
    });
    free_block(mine, bytes);
    freed.arrive_and_wait();
    void* again = allocate_block(bytes);
    EXPECT_EQ(again, mine);
    free_block(again, bytes);
    other.join();
  }
}

TEST_F(BlockCacheLimits, ThreadsMayTakeAndEmptyAtOnce) {
  const WithCacheLimit limit(4 * kMiB);
  in_threads(
      4,
      [](std::size_t i) {
        for (std::size_t round = 0; round < 2000; ++round) {
          const std::size_t bytes = (round % 7 + 1) * 40 * kKiB;
          auto* block = static_cast<std::size_t*>(allocate_block(bytes));
          *block = i;
          if (round % 50 == i) empty_cache();
          ASSERT_EQ(*block, i);
          free_block(block, bytes);
        }
      },
      [&] { EXPECT_LE(cached_bytes(), 4 * kMiB); });
  empty_cache();
  EXPECT_EQ(cached_bytes(), 0u);
}

}  // namespace
}  // namespace adjoint
