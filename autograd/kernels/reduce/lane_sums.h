#pragma once
// Sums across the lanes of blocks, that is, over the images of an interleaved batch.

#include <cstdint>

namespace adjoint::kernels {

// T is float or double.

/// sums[i] = sum_l values[i,l] for values [count, kInterleaved<T>].
template <class T>
void add_up_lanes(std::int64_t count, const T* values, T* sums);

/// values[i,l] = 0 for l >= used: removes the last block's spare lanes from sums that each lane keeps for
/// itself.
template <class T>
void clear_spare_lanes(std::int64_t count, std::int64_t used, T* values);

}  // namespace adjoint::kernels
