#pragma once
// The number of threads that ops may use. It never changes a result.

namespace adjoint {

/// The largest number of threads that kernels can use.
inline constexpr int kMostThreads = 256;

/// The number of threads that kernels may use. At the start, it is the number of threads that the machine can
/// run at the same time, at most kMostThreads.
int num_threads();

/// Sets num_threads(). Throws Error unless threads is 1 to kMostThreads.
void set_num_threads(int threads);

}  // namespace adjoint
