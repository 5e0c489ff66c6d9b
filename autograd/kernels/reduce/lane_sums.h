#pragma once
// Sums across the lanes of a block, and so over a batch in the lanes layout.

#include <cstdint>

namespace adjoint::kernels {

// T is float or double.

/// sums[i] = sum_l values[i,l] for values [count, kInterleaved<T>].
template <class T>
void add_up_lanes(std::int64_t count, const T* values, T* sums);

/// values[i,l] = 0 for l >= used: takes the last block's spare lanes out of sums kept per lane.
template <class T>
void clear_spare_lanes(std::int64_t count, std::int64_t used, T* values);

}  // namespace adjoint::kernels
