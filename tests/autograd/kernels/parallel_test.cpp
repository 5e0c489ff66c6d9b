#include "autograd/kernels/threads/parallel.h"

#include <atomic>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "adjoint/tensor/check.h"
#include "autograd/kernels/threads/chunks.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::WithThreads;

constexpr std::int64_t kMuch = 1 << 20;  // work that is worth waking threads for

/// Counts the objects of this type that exist.
class Counted {
 public:
  explicit Counted(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive_; }

 private:
  std::atomic<int>& alive_;
};

TEST(Parallel, DoesEveryChunkOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    const WithThreads with(threads);
    for (const std::int64_t chunks : {0, 1, 2, 3, 64, 1000}) {
      std::vector<std::atomic<int>> times(static_cast<std::size_t>(chunks));
      kernels::parallel_for(chunks, kMuch,
                            [&](std::int64_t chunk) { ++times[static_cast<std::size_t>(chunk)]; });
      for (const auto& count : times) EXPECT_EQ(count, 1) << threads << " threads, " << chunks << " chunks";
    }
  }
}

TEST(Parallel, ChunksOfASizeCoverEveryNumberOnce) {
  const WithThreads threads(3);
  for (const std::int64_t n : {0, 1, 6, 7, 8, 1000}) {
    std::vector<std::atomic<int>> times(static_cast<std::size_t>(n));
    kernels::for_chunks_of(7, n, kMuch, [&](std::int64_t first, std::int64_t count) {
      EXPECT_EQ(first % 7, 0);
      EXPECT_EQ(count, first + 7 <= n ? 7 : n % 7);
      for (std::int64_t i = first; i < first + count; ++i) ++times[static_cast<std::size_t>(i)];
    });
    for (const auto& count : times) EXPECT_EQ(count, 1) << n;
  }
}

TEST(Parallel, ChunksOfAnArrayAreEqualAndBeginAtCacheLines) {
  std::vector<std::int64_t> begins;
  const auto begins_of = [&](std::int64_t n) {
    begins.clear();
    kernels::for_chunks(n, 0, [&](std::int64_t first, std::int64_t) { begins.push_back(first); });
    return begins;
  };
  using Begins = std::vector<std::int64_t>;
  EXPECT_EQ(begins_of(0), Begins());
  EXPECT_EQ(begins_of(16384), Begins({0}));
  EXPECT_EQ(begins_of(16385), Begins({0, 8208}));                     // 1025 lines: 513 and 512
  EXPECT_EQ(begins_of(3 * 16384), Begins({0, 12288, 24576, 36864}));  // as many as a power of two
}

TEST(Parallel, ManyJobsInARowDoNotMix) {
  const WithThreads threads(3);
  for (int job = 0; job < 20000; ++job) {
    std::atomic<int> sum = 0;
    const int chunks = 2 + job % 5;
    kernels::parallel_for(chunks, kMuch, [&](std::int64_t chunk) { sum += static_cast<int>(chunk) + job; });
    ASSERT_EQ(sum, chunks * job + chunks * (chunks - 1) / 2);
  }
}

TEST(Parallel, AChunkMayShareOutWorkItself) {
  const WithThreads threads(2);
  std::atomic<int> done = 0;
  kernels::parallel_for(
      8, kMuch, [&](std::int64_t) { kernels::parallel_for(8, kMuch, [&](std::int64_t) { ++done; }); });
  EXPECT_EQ(done, 64);
}

TEST(Parallel, TwoThreadsMayShareOutWorkAtOnce) {
  const WithThreads threads(2);
  std::atomic<int> done = 0;
  const auto work = [&] {
    for (int i = 0; i < 500; ++i) kernels::parallel_for(4, kMuch, [&](std::int64_t) { ++done; });
  };
  std::thread first(work), second(work);
  first.join();
  second.join();
  EXPECT_EQ(done, 4000);
}

TEST(Parallel, TheLowestChunksExceptionComesOutWhenAllAreDone) {
  for (const int threads : {1, 2, 3, 8}) {
    const WithThreads with(threads);
    for (int round = 0; round < 200; ++round) {
      const int first = round % 64;
      std::atomic<int> running = 0;
      const auto job = [&] {
        kernels::parallel_for(64, kMuch, [&](std::int64_t chunk) {
          const Counted now(running);
          if (chunk >= first && chunk % 3 == first % 3) throw std::runtime_error(std::to_string(chunk));
        });
      };
      expect_error<std::runtime_error>(std::to_string(first), [&] { job(); });
      ASSERT_EQ(running, 0) << "a thread is in a chunk after the end";
    }
    std::atomic<int> done = 0;
    kernels::parallel_for(64, kMuch, [&](std::int64_t) { ++done; });
    EXPECT_EQ(done, 64) << "usable as before";
  }
}

TEST(Parallel, AnExceptionOfAChunkOfAChunkComesOut) {
  const WithThreads threads(2);
  const auto job = [&] {
    kernels::parallel_for(4, kMuch, [&](std::int64_t outer) {
      kernels::parallel_for(4, kMuch, [&](std::int64_t inner) {
        if (outer + inner == 4) throw std::runtime_error(std::to_string(outer) + std::to_string(inner));
      });
    });
  };
  for (int round = 0; round < 200; ++round) expect_error<std::runtime_error>("13", [&] { job(); });
}

// Two threads meet in a job, so each of them has begun a chunk.
TEST(Parallel, AnExceptionInAnyThreadComesOut) {
  const WithThreads threads(2);
  for (const bool callers : {true, false}) {
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> there = 0;
    const auto job = [&] {
      kernels::parallel_for(2, kMuch, [&](std::int64_t) {
        ++there;
        while (there < 2) std::this_thread::yield();
        if ((std::this_thread::get_id() == caller) == callers) throw std::runtime_error("this one");
      });
    };
    expect_error<std::runtime_error>("this one", [&] { job(); });
  }
}

TEST(Parallel, LittleWorkStaysInItsThread) {
  const WithThreads threads(2);
  const std::thread::id here = std::this_thread::get_id();
  kernels::parallel_for(100, 1000, [&](std::int64_t) { EXPECT_EQ(std::this_thread::get_id(), here); });
}

TEST(Parallel, TheNumberOfThreadsIsChecked) {
  expect_error<Error>("set_num_threads: threads must be 1 to 256, got 0", [&] { set_num_threads(0); });
  expect_error<Error>("set_num_threads: threads must be 1 to 256, got 257", [&] { set_num_threads(257); });
  const WithThreads most(256);
  EXPECT_EQ(num_threads(), 256);
}

}  // namespace
}  // namespace adjoint
