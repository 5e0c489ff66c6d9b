#pragma once
// Sums across the lanes of a block, and so over a batch in the lanes layout.

#include <cstdint>

namespace adjoint::kernels {

// T is float or double.

/// sums[i] = sum_l values[i,l] for values [count, kLanes<T>].
template <class T>
void add_up_lanes(std::int64_t count, const T* values, T* sums);

/// values[i,l] = 0 for l >= used: takes the last block's spare lanes out of sums kept per lane.
template <class T>
void clear_spare_lanes(std::int64_t count, std::int64_t used, T* values);

/// db[c] = sum_{n,p} dy[n,c,p] for dy [N,channels,area] in the lanes layout, spare lanes left out; zeros when
/// the batch is empty.
template <class T>
void sum_over_batch_and_space_lanes(std::int64_t batch, std::int64_t channels, std::int64_t area, const T* dy,
                                    T* db);

}  // namespace adjoint::kernels
