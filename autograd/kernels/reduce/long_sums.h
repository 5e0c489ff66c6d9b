#pragma once
// Long sums as trees of short ones. Each addition rounds, so the error of n additions one after the other
// grows with n. In a binary tree of short sums, it grows with the length of the short sums and with the
// logarithm of their number. The trees depend on sizes alone, so the bits are the same for any number of
// threads.

#include <algorithm>
#include <cstdint>

namespace adjoint::kernels {

/// The most terms of a short sum. Random rounding errors are then about 1e-6 of a float32 sum. If all terms
/// are equal, they all round the same way, and the error may be 1e-5.
inline constexpr std::int64_t kShortSum = 640;

/// The most products that a kernel adds as a plain sequence of short sums. Longer sums are halved.
inline constexpr std::int64_t kSumOfShortSums = 65536;

/// to[i] += from[i] for i < n.
template <class T>
void add_to(std::int64_t n, const T* from, T* to) {
  for (std::int64_t i = 0; i < n; ++i) to[i] += from[i];
}

}  // namespace adjoint::kernels
