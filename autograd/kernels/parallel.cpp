#include "autograd/kernels/parallel.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "autograd/check.h"

// Chunks are shared out in equal ranges, one for each thread, so that a thread meets the data it wrote in the
// kernel before. A thread that is through with its own range takes over those that nobody has begun, and
// after a while what others have left of theirs; not at once, for its data would have to follow it from cache
// to cache. The caller waits for nobody but those in the middle of a chunk. With a fixed share for each
// thread, as OpenMP has it, every kernel would wait for a thread that the system has given another program's
// time to, and small kernels would run hundreds of times slower on a busy machine.

namespace adjoint {
namespace {

std::atomic<int>& thread_limit() {
  static std::atomic<int> limit = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return limit;
}

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

/// Calls ready() until it is true, at most so many times.
template <class Ready>
bool spin(int times, const Ready& ready) {
  for (int i = 0; i < times; ++i) {
    if (ready()) return true;
    pause();
  }
  return ready();
}

constexpr std::uint32_t kClosed = UINT32_MAX;

/// The next chunk of a range that nobody has taken yet, with the number of the job it belongs to.
struct alignas(64) Range {
  void set(std::uint32_t job, std::uint32_t next) {
    job_and_next.store(std::uint64_t{job} << 32 | next, std::memory_order_release);
  }
  std::atomic<std::uint64_t> job_and_next = 0;  // job in the upper half
  std::atomic<std::uint32_t> end = 0;
};

class Team {
 public:
  static Team& instance() {
    static Team team;
    return team;
  }

  ~Team() {
    stopping_ = true;
    job_.fetch_add(1);
    job_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  /// False when the team is at work already, for another thread or for a chunk of this one.
  bool run(std::uint32_t chunks, std::uint32_t threads, void (*call)(const void*, std::int64_t),
           const void* body) {
    // Looked at first: chunks that would share out their own work come here often, and all read it.
    if (busy_.test(std::memory_order_relaxed) || busy_.test_and_set(std::memory_order_acquire)) return false;
    threads = grown_to(threads);
    const std::uint32_t job = job_.load(std::memory_order_relaxed) + 1;
    // A late thread may still look at the ranges of the job before: they are closed before anything changes.
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

 private:
  static constexpr int kSpins = 4000;    // Some 50 us: the next kernel of a training step comes before.
  static constexpr int kPatience = 500;  // Longer than a thread at work usually needs for what it has left.

  /// Starts threads that are missing; returns how many there are for the job, the caller included.
  std::uint32_t grown_to(std::uint32_t threads) {
    try {
      while (threads_.size() + 1 < threads) {
        threads_.emplace_back(
            [this, range = static_cast<std::uint32_t>(threads_.size() + 1)] { serve(range); });
      }
    } catch (const std::system_error&) {
      threads = static_cast<std::uint32_t>(threads_.size() + 1);  // The system gives no more.
    }
    return threads;
  }

  void serve(std::uint32_t range) {
    for (std::uint32_t seen = 0; !stopping_;) {
      const auto new_job = [&] { return job_.load(std::memory_order_acquire) != seen; };
      if (!spin(kSpins, new_job)) job_.wait(seen);
      seen = job_.load(std::memory_order_acquire);
      if (!stopping_ && range < ranges_used_.load(std::memory_order_acquire)) work(seen, range);
    }
  }

  /// Takes chunks of this job until none is left, those of range first.
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
    Range& from = ranges_[range];
    std::uint64_t next = from.job_and_next.load(std::memory_order_acquire);
    std::uint32_t done = 0;
    // The job's call, body and end are read before a chunk of it is taken, and stay what they are until it is
    // done.
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
    // Once, not for every chunk: the count goes from one core's cache to the other's and back.
    if (done > 0) left_.fetch_sub(done, std::memory_order_acq_rel);
  }

  std::atomic_flag busy_;
  std::vector<std::thread> threads_;
  std::unique_ptr<Range[]> ranges_{new Range[kMostThreads]};
  std::atomic<std::uint32_t> job_ = 0, ranges_used_ = 0;
  std::atomic<void (*)(const void*, std::int64_t)> call_ = nullptr;
  std::atomic<const void*> body_ = nullptr;
  std::atomic<bool> stopping_ = false;
  alignas(64) std::atomic<std::uint32_t> left_ =
      0;  // Chunks that are not done; changes while others are read.
};

}  // namespace

int num_threads() { return thread_limit().load(std::memory_order_relaxed); }

void set_num_threads(int threads) {
  check(threads >= 1 && threads <= kMostThreads, "set_num_threads: threads must be 1 to {}, got {}",
        kMostThreads, threads);
  thread_limit() = threads;
}

void kernels::detail::run_chunks(std::int64_t chunks, int threads, void (*call)(const void*, std::int64_t),
                                 const void* body) {
  const auto team = static_cast<std::uint32_t>(std::min<std::int64_t>(threads, chunks));
  if (chunks <= UINT32_MAX / kMostThreads &&
      Team::instance().run(static_cast<std::uint32_t>(chunks), team, call, body))
    return;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) call(body, chunk);
}

}  // namespace adjoint
