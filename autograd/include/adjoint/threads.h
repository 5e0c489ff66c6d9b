#pragma once
// The number of threads that ops may use. It never changes a result.

namespace adjoint {

/// The most threads that kernels can use.
inline constexpr int kMostThreads = 256;

/// Threads that kernels may use. At the start: the number that the machine runs at once.
int num_threads();

/// Sets num_threads(). Throws Error unless threads is 1 to kMostThreads.
void set_num_threads(int threads);

}  // namespace adjoint
