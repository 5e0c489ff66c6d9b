#include "autograd/kernels/threads/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "adjoint/tensor/check.h"
#include "autograd/memory/fork.h"

// Each thread gets an equal range of the chunks, so that it works on the data that it wrote in the kernel
// before. A thread that has finished its range takes over ranges that no thread has started. After a while,
// it also takes chunks of ranges that other threads are working on; not at once, because the data would have
// to move from one cache to another. The caller waits only for threads that are in the middle of a chunk.
// OpenMP gives each thread a fixed share: when the system preempts one thread, the whole kernel waits for it.
// On a busy machine, small kernels then take hundreds of times as long.

namespace adjoint {
namespace {

// 0 until it is read or set. No local static: its guard could be locked while the process forks.
constinit std::atomic<int> thread_limit = 0;

/// Tells the processor that this thread is waiting in a loop.
void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Calls ready() until it is true, but at most times + 1 times. Returns the last result.
template <class Ready>
bool spin(int times, const Ready& ready) {
  for (int i = 0; i < times; ++i) {
    if (ready()) return true;
    pause();
  }
  return ready();
}

constexpr std::uint32_t kClosed = UINT32_MAX;

/// The chunks of one thread: the next one that no thread has taken yet, and the number of the job it belongs
/// to.
struct alignas(64) ChunkRange {
  void set(std::uint32_t job, std::uint32_t next) {
    job_and_next.store(std::uint64_t{job} << 32 | next, std::memory_order_release);
  }
  std::atomic<std::uint64_t> job_and_next = 0;  // job in the upper half
  std::atomic<std::uint32_t> end = 0;
};

/// Trivially destructible, so that threads that outlive the static objects may still read it.
class Team {
 public:
  /// Calls call(body, chunk), which must not throw, for every chunk. Returns false without a call if the team
  /// is already at work, for another thread or for a chunk of this one.
  bool run(std::uint32_t chunks, std::uint32_t threads, void (*call)(const void*, std::int64_t),
           const void* body) {
    // Tested before it is set: chunks that use threads themselves come here often, and reading is cheap.
    if (busy_.test(std::memory_order_relaxed) || busy_.test_and_set(std::memory_order_acquire)) return false;
    threads = grown_to(threads);
    const std::uint32_t job = job_.load(std::memory_order_relaxed) + 1;
    // A late thread may still read the ranges of the previous job. They are closed before anything changes.
    for (std::uint32_t i = 0; i < threads; ++i) ranges_[i].set(job, kClosed);
    call_.store(call, std::memory_order_release);
    body_.store(body, std::memory_order_release);
    left_.store(chunks, std::memory_order_release);
    ranges_used_.store(threads, std::memory_order_release);
    for (std::uint32_t i = 0; i < threads; ++i) {
      ranges_[i].end.store(chunks * (i + 1) / threads, std::memory_order_release);
      ranges_[i].set(job, chunks * i / threads);
    }
    job_.store(job);
    job_.notify_all();
    work(job, 0);
    while (left_.load(std::memory_order_acquire) != 0) pause();
    busy_.clear(std::memory_order_release);
    return true;
  }

  /// Run by each thread of the team until stop().
  void serve(std::uint32_t range) {
    for (std::uint32_t seen = 0; !stopping_;) {
      const auto new_job = [&] { return job_.load(std::memory_order_acquire) != seen; };
      if (!spin(kSpins, new_job)) job_.wait(seen);
      seen = job_.load(std::memory_order_acquire);
      if (!stopping_ && range < ranges_used_.load(std::memory_order_acquire)) work(seen, range);
    }
  }

  void stop() {
    stopping_ = true;
    job_.fetch_add(1);
    job_.notify_all();
  }

 private:
  static constexpr int kSpins = 4000;    // About 50 us: the next kernel of a training step comes earlier.
  static constexpr int kPatience = 500;  // Usually longer than a thread needs to finish its range.

  /// Starts missing threads. Returns the number of threads for the job, including the caller.
  std::uint32_t grown_to(std::uint32_t threads);

  /// Takes chunks of this job until none is left; the chunks of range come first.
  void work(std::uint32_t job, std::uint32_t range) {
    take_chunks(job, range);
    const std::uint32_t ranges = ranges_used_.load(std::memory_order_acquire);
    for (std::uint32_t i = 1; i < ranges; ++i) {
      const std::uint32_t other = (range + i) % ranges;
      spin(kPatience, [&] { return !in_the_middle(job, other); });
      take_chunks(job, other);
    }
  }

  /// Whether some chunks of a range are taken and some are not.
  bool in_the_middle(std::uint32_t job, std::uint32_t range) const {
    const std::uint64_t next = ranges_[range].job_and_next.load(std::memory_order_acquire);
    const std::uint32_t begin = range == 0 ? 0 : ranges_[range - 1].end.load(std::memory_order_acquire);
    return next >> 32 == job && static_cast<std::uint32_t>(next) > begin &&
           static_cast<std::uint32_t>(next) < ranges_[range].end.load(std::memory_order_acquire);
  }

  void take_chunks(std::uint32_t job, std::uint32_t range) {
    ChunkRange& from = ranges_[range];
    std::uint64_t next = from.job_and_next.load(std::memory_order_acquire);
    std::uint32_t done = 0;
    // call, body and end are read before a chunk is taken. If it belongs to this job, they cannot change
    // until the chunk is done.
    for (;;) {
      const auto call = call_.load(std::memory_order_acquire);
      const void* body = body_.load(std::memory_order_acquire);
      const std::uint32_t end = from.end.load(std::memory_order_acquire);
      if (next >> 32 != job || static_cast<std::uint32_t>(next) >= end) break;
      if (!from.job_and_next.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) continue;
      call(body, static_cast<std::uint32_t>(next));
      ++done;
      next = from.job_and_next.load(std::memory_order_acquire);
    }
    // Once, not for every chunk: the count moves from one core's cache to another's and back.
    if (done > 0) left_.fetch_sub(done, std::memory_order_acq_rel);
  }

  std::atomic_flag busy_;
  std::uint32_t started_ = 0;  // Threads besides the caller; used only by the caller that made the team busy.
  ChunkRange ranges_[kMostThreads];
  std::atomic<std::uint32_t> job_ = 0, ranges_used_ = 0;
  std::atomic<void (*)(const void*, std::int64_t)> call_ = nullptr;
  std::atomic<const void*> body_ = nullptr;
  std::atomic<bool> stopping_ = false;
  // The number of chunks that are not done. It changes while other threads read the members above.
  alignas(64) std::atomic<std::uint32_t> left_ = 0;
};

constinit Team team;

// Held while a thread starts and while the program ends.
constinit std::mutex starting;

/// The handles of the team's threads, which end with the program.
struct Threads {
  std::vector<std::thread> all;

  ~Threads() {
    const std::lock_guard lock(starting);
    team.stop();
    for (std::thread& thread : all) {
      // A chunk may call exit(), and its thread cannot wait for itself.
      if (thread.get_id() == std::this_thread::get_id()) {
        thread.detach();
      } else {
        thread.join();
      }
    }
  }
};

constinit Threads threads;

std::uint32_t Team::grown_to(std::uint32_t wanted) {
  if (started_ + 1 >= wanted) return wanted;
  const std::lock_guard lock(starting);
  try {
    install_fork_handlers();
    while (!stopping_ && started_ + 1 < wanted) {
      threads.all.emplace_back([range = started_ + 1] { team.serve(range); });
      ++started_;
    }
  } catch (const std::exception&) {
    // Memory or the system's threads have run out. Fewer threads do the job.
  }
  return started_ + 1;
}

/// The exception of the lowest chunk of those that throw.
class Failure {
 public:
  void keep(std::int64_t chunk, std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (error_ && chunk_ < chunk) return;
    error_ = std::move(error);
    chunk_ = chunk;
  }
  void rethrow() {
    if (error_) std::rethrow_exception(std::move(error_));
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
  std::int64_t chunk_ = 0;
};

}  // namespace

int num_threads() {
  const int limit = thread_limit.load(std::memory_order_relaxed);
  if (limit != 0) return limit;
  // If another thread sets the limit meanwhile, that value stays.
  int unset = 0;
  const auto cores = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads + 0u));
  return thread_limit.compare_exchange_strong(unset, cores) ? cores : unset;
}

void set_num_threads(int threads) {
  check(threads >= 1 && threads <= kMostThreads, "set_num_threads: threads must be 1 to {}, got {}",
        kMostThreads, threads);
  thread_limit = threads;
}

void kernels::detail::run_chunks(std::int64_t chunks, int threads, void (*call)(const void*, std::int64_t),
                                 const void* body) {
  const auto most = static_cast<std::uint32_t>(std::min<std::int64_t>(threads, chunks));
  struct Job {
    void (*call)(const void*, std::int64_t);
    const void* body;
    Failure& failure;
  };
  Failure failure;
  const Job job{call, body, failure};
  const auto keep_what_it_throws = [](const void* f, std::int64_t chunk) {
    const Job& of = *static_cast<const Job*>(f);
    try {
      of.call(of.body, chunk);
    } catch (...) {
      of.failure.keep(chunk, std::current_exception());
    }
  };
  if (chunks <= UINT32_MAX / kMostThreads &&
      team.run(static_cast<std::uint32_t>(chunks), most, keep_what_it_throws, &job))
    return failure.rethrow();
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) call(body, chunk);
}

void kernels::detail::forget_threads() {
  std::construct_at(&starting);
  std::construct_at(&threads);
  std::construct_at(&team);
}

}  // namespace adjoint
