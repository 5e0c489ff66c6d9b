#pragma once
// Sharing work among threads so that the results do not depend on the number of threads. A caller cuts its
// work into chunks by size alone. If chunks compute partial sums, it keeps one for each chunk and adds them
// in order.

#include <cstdint>

#include "adjoint/threads.h"

namespace adjoint::kernels {

/// Below this much work, in multiply-adds, waking a second thread costs more than it saves.
inline constexpr std::int64_t kWorkWorthAThread = 98304;
/// Reading and writing an element takes about as long as this number of multiply-adds.
inline constexpr std::int64_t kElementWork = 8;

namespace detail {
void run_chunks(std::int64_t chunks, int threads, void (*call)(const void* body, std::int64_t chunk),
                const void* body);

/// Resets the team of threads. The child of a fork calls this, because it has none of the threads.
void forget_threads();
}  // namespace detail

/// Calls body(chunk) once for every chunk in [0, chunks), on several threads if work, the number of
/// multiply-adds of all chunks, is large enough. If chunks throw, the call waits for all threads and rethrows
/// the exception of the lowest of these chunks. The other chunks may or may not have been done. If memory or
/// the system's threads run out, fewer threads do the work.
///
/// body may not fork, unless the child calls another program or _exit: the child does not have the threads
/// that do the other chunks.
template <class Body>
void parallel_for(std::int64_t chunks, std::int64_t work, const Body& body) {
  if (chunks <= 1 || work < 2 * kWorkWorthAThread || num_threads() == 1) {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(chunk);
    return;
  }
  detail::run_chunks(
      chunks, num_threads(), [](const void* f, std::int64_t chunk) { (*static_cast<const Body*>(f))(chunk); },
      &body);
}

}  // namespace adjoint::kernels
