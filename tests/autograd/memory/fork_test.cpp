#include "autograd/memory/fork.h"

#include <atomic>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include "adjoint/memory/block_cache.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/threads/parallel.h"
#include "tests/support/block_cache.h"
#include "tests/support/child_process.h"
#include "tests/support/sanitized.h"
#include "tests/support/threads.h"

namespace adjoint {
namespace {

using support::kMiB;
using support::take_and_free;

constexpr std::int64_t kMuch = 1 << 20;  // work that is worth waking threads for

// The thread sanitizer allows no threads in a child. The address sanitizer does not hold its allocator's
// locks during a fork. It reports the handles of the parent's threads, which a child forgets, as a leak.
using support::kIsSanitized;

/// Destroyed after the library's static objects, since it is made before them.
struct AtTheVeryEnd {
  std::function<void()> call;
  ~AtTheVeryEnd() {
    if (call) call();
  }
};
[[gnu::init_priority(101)]] AtTheVeryEnd at_the_very_end;

/// L = sum(a b) with a [n,n] of twos and b [n,n] of ones, through kernels that share out their work: dL/da is
/// n everywhere, dL/db 2 n.
bool computes_right() {
  constexpr std::int64_t kSize = 150;
  const Tensor a = full({kSize, kSize}, 2, {.requires_grad = true}),
               b = ones({kSize, kSize}, {.requires_grad = true});
  const Tensor loss = sum(matmul(a, b));
  loss.backward();
  bool all = loss.item() == 2.0 * kSize * kSize * kSize;
  const Tensor da = a.grad(), db = b.grad();
  for (const float value : da.data<float>()) all &= value == kSize;
  for (const float value : db.data<float>()) all &= value == 2 * kSize;
  return all;
}

/// Runs a job whose chunks wait for each other, one for each of `threads` threads; returns how many threads
/// did chunks.
int threads_of_a_job(int threads) {
  std::atomic<int> there = 0;
  kernels::parallel_for(threads, kMuch, [&](std::int64_t) {
    ++there;
    while (there < threads) std::this_thread::yield();
  });
  return there;
}

class Fork : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (kIsSanitized) GTEST_SKIP() << "sanitizers do not support what a child does here";
    ASSERT_TRUE(computes_right());
    ASSERT_EQ(threads_of_a_job(GetParam()), GetParam());
  }

 private:
  const support::WithThreads threads_{GetParam()};
};

TEST_P(Fork, AChildExits) {
  EXPECT_EQ(in_child([] { return kChildRight; }), kRight);
  EXPECT_EQ(in_child([]() -> int { _exit(kChildRight); }), kRight);
}

TEST_P(Fork, AChildComputesWithThreadsOfItsOwn) {
  const int threads = GetParam();
  EXPECT_EQ(
      in_child([&] { return threads_of_a_job(threads) == threads && computes_right() ? kChildRight : 1; }),
      kRight);
  EXPECT_TRUE(computes_right()) << "in the parent";
}

TEST_P(Fork, AChildForksToo) {
  EXPECT_EQ(in_child([] {
              if (!computes_right()) return 1;
              return in_child([] { return computes_right() ? kChildRight : 1; }) == kRight ? kChildRight : 2;
            }),
            kRight);
}

// Threads that compute, allocate and free memory and change gradients: at any moment, some of them hold
// locks.
TEST_P(Fork, WhileOtherThreadsAreAtWork) {
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> others;
  others.emplace_back([&] {
    while (!stop) wrong += !computes_right();
  });
  others.emplace_back([&] {
    while (!stop) {
      free_block(allocate_block(kMiB), kMiB);
      empty_cache();
    }
  });
  const Tensor shared = scalar(1, {.dtype = float64, .requires_grad = true});
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&] {
      while (!stop) (shared * 2.0).backward();
    });
  }
  // A thread whose first block comes while the process forks joins the list of all caches.
  others.emplace_back([&] {
    while (!stop) std::thread([] { free_block(allocate_block(kMiB), kMiB); }).join();
  });
  for (int round = 0; round < 20; ++round) {
    const std::string result = in_child([&] {
      const double before = shared.grad().defined() ? shared.grad().item() : 0;
      (shared * 2.0).backward();
      if (shared.grad().item() != before + 2) return 1;
      void* block = allocate_block(kMiB);
      std::memset(block, 1, kMiB);
      free_block(block, kMiB);
      empty_cache();
      return computes_right() ? kChildRight : 2;
    });
    EXPECT_EQ(result, kRight) << "round " << round;
    if (result != kRight) break;
  }
  stop = true;
  for (std::thread& other : others) other.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(Fork, WhileThreadsStart) {
  EXPECT_EQ(in_child([] {
              std::atomic<bool> started = false;
              std::thread starter([&] {
                set_num_threads(200);
                threads_of_a_job(200);
                started = true;
              });
              std::string result = kRight;
              while (!started && result == kRight) {
                result = in_child([] {
                  set_num_threads(2);
                  return threads_of_a_job(2) == 2 ? kChildRight : 1;
                });
              }
              starter.join();
              return result == kRight ? kChildRight : 2;
            }),
            kRight);
}

TEST_P(Fork, AChildHasNothingOfOtherThreadsInItsCache) {
  std::atomic<bool> freed = false, stop = false;
  std::thread other([&] {
    void* block = allocate_block(100 * kMiB);
    free_block(block, 100 * kMiB);
    freed = true;
    while (!stop) std::this_thread::yield();
  });
  while (!freed) std::this_thread::yield();
  EXPECT_EQ(in_child([] { return cached_bytes() < 50 * kMiB ? kChildRight : 1; }), kRight);
  stop = true;
  other.join();
}

TEST_P(Fork, AChildMayKeepAsMuchAsTheLimitAllows) {
  free_block(allocate_block(kMiB), kMiB);
  if (cached_bytes() == 0) GTEST_SKIP() << "under the address sanitizer nothing is kept";
  constexpr std::size_t kLimit = 64 * kMiB, kSmall = std::size_t{16} << 10;
  const support::WithCacheLimit limit(kLimit);
  std::atomic<bool> freed = false, stop = false;
  std::thread other([&] {
    take_and_free(500, kSmall);
    freed = true;
    while (!stop) std::this_thread::yield();
  });
  while (!freed) std::this_thread::yield();
  EXPECT_EQ(in_child([&] {
              empty_cache();
              take_and_free(kLimit / kMiB, kMiB);
              return cached_bytes() == kLimit ? kChildRight : 1;
            }),
            kRight)
      << "what the other thread claims is lost to the child";
  stop = true;
  other.join();
}

TEST_P(Fork, KernelsWorkAfterStaticObjectsAreGone) {
  EXPECT_EQ(in_child([] {
              if (!computes_right()) return 1;
              at_the_very_end.call = [] {
                set_num_threads(100);  // Too late to start any.
                _exit(computes_right() ? kChildRight : 2);
              };
              return 3;
            }),
            kRight);
}

TEST_P(Fork, AnyThreadOfAJobMayExit) {
  for (const bool callers : {true, false}) {
    EXPECT_EQ(in_child([&] {
                const std::thread::id caller = std::this_thread::get_id();
                std::atomic<int> there = 0;
                kernels::parallel_for(2, kMuch, [&](std::int64_t) {
                  ++there;
                  while (there < 2) std::this_thread::yield();
                  const bool is_caller = std::this_thread::get_id() == caller;
                  if (is_caller == callers) std::exit(kChildRight);
                  if (is_caller) sleep(60);
                });
                return 1;
              }),
              kRight);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Fork, testing::Values(2, 4, 8));

/// The address space that the process uses.
std::size_t address_space() {
  std::size_t pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%zu", &pages) != 1) return 0;
  std::fclose(file);
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// Limits the address space of the process to what it uses plus this much.
void limit_address_space(std::size_t more) {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = address_space() + more;
  setrlimit(RLIMIT_AS, &limit);
}

TEST(OutOfMemory, WhatOtherThreadsKeepIsGivenBackFirst) {
  if (kIsSanitized) GTEST_SKIP() << "the sanitizer reserves terabytes";
  EXPECT_EQ(in_child([] {
              // Fixed, so that blocks of 4 MB go back to the system whatever other tests have freed.
              mallopt(M_MMAP_THRESHOLD, 128 * 1024);
              std::atomic<int> freed = 0;
              std::atomic<bool> stop = false;
              std::vector<std::thread> threads(12);
              for (std::thread& thread : threads) {
                thread = std::thread([&] {
                  Tensor tensors[10];
                  for (Tensor& tensor : tensors) tensor = ones({1000, 1000});
                  for (Tensor& tensor : tensors) tensor = {};
                  ++freed;
                  while (!stop) std::this_thread::yield();
                });
              }
              while (freed < 12) std::this_thread::yield();
              limit_address_space(20 * kMiB);
              const Tensor large = ones({100, 1000, 1000});  // 400 MB
              const bool is_right = large.data<float>().back() == 1;
              stop = true;
              for (std::thread& thread : threads) thread.join();
              return is_right ? kChildRight : 1;
            }),
            kRight);
}

TEST(OutOfMemory, FewerThreadsDoTheWork) {
  if (kIsSanitized) GTEST_SKIP() << "the sanitizer reserves terabytes";
  EXPECT_EQ(in_child([] {
              set_num_threads(8);
              const Tensor first = ones({1});  // The first allocation of a thread is more than its size.
              limit_address_space(kMiB);       // Too little for a stack.
              int times[64] = {};
              for (int round = 0; round < 10; ++round)
                kernels::parallel_for(64, kMuch, [&](std::int64_t chunk) { ++times[chunk]; });
              for (const int count : times) {
                if (count != 10) return 1;
              }
              limit_address_space(std::size_t{8} << 30);
              return threads_of_a_job(8) == 8 ? kChildRight : 2;
            }),
            kRight);
}

}  // namespace
}  // namespace adjoint
