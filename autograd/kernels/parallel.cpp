#include "autograd/kernels/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>

#include "autograd/check.h"

namespace adjoint {
namespace {

// Own variable, not omp_set_num_threads(): that one is per calling thread.
std::atomic<int>& thread_limit() {
  static std::atomic<int> limit = omp_get_max_threads();
  return limit;
}

}  // namespace

int num_threads() { return thread_limit().load(std::memory_order_relaxed); }

void set_num_threads(int threads) {
  check(threads >= 1, "set_num_threads: threads must be at least 1, got {}", threads);
  thread_limit() = threads;
}

void kernels::detail::run_chunks(std::int64_t chunks, int threads, void (*call)(const void*, std::int64_t),
                                 const void* body) {
  const int team = static_cast<int>(std::min<std::int64_t>(threads, chunks));
#pragma omp parallel for schedule(static) num_threads(team)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) call(body, chunk);
}

}  // namespace adjoint
