#include "autograd/memory/fork.h"

#if __has_include(<pthread.h>)

#include <atomic>
#include <pthread.h>

#include "adjoint/memory/block_cache.h"
#include "autograd/graph/engine.h"
#include "autograd/kernels/threads/parallel.h"

namespace adjoint {
namespace {

// Code that holds the mutex of the leaves allocates memory, so this mutex comes first.
void before() {
  engine::leaf_mutex().lock();
  detail::lock_block_cache();
}

void in_parent() {
  detail::unlock_block_cache();
  engine::leaf_mutex().unlock();
}

void in_child() {
  kernels::detail::forget_threads();
  detail::unlock_block_cache_in_child();
  engine::leaf_mutex().unlock();
}

}  // namespace

void install_fork_handlers() {
  static constinit std::atomic_flag installed;
  if (installed.test(std::memory_order_relaxed) || installed.test_and_set()) return;
  if (pthread_atfork(before, in_parent, in_child) != 0) installed.clear();  // The next call tries again.
}

}  // namespace adjoint

#else

void adjoint::install_fork_handlers() {}

#endif
