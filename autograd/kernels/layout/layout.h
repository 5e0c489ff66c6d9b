#pragma once
// Into and out of the lanes layout (autograd/kernels/layout/lanes.h), and batches of byte images in either
// layout.

#include <cstdint>

namespace adjoint::kernels {

// T is float or double. Results are overwritten, never read first.

/// lanes[n / L, f, n % L] = rows[n, f] for rows [count, features]; spare lanes are 0.
template <class T>
void rows_to_lanes(std::int64_t count, std::int64_t features, const T* rows, T* lanes);

/// rows[n, f] = lanes[n / L, f, n % L] for rows [count, features]; spare lanes are left out.
template <class T>
void lanes_to_rows(std::int64_t count, std::int64_t features, const T* lanes, T* rows);

/// Bytes as numbers from 0 to 1: rows[n, f] = images[index[n], f] / 255, rounded once, for rows
/// [count, features]. Indices are not checked.
template <class T>
void gather_rows(const std::uint8_t* images, std::int64_t features, const std::int64_t* index,
                 std::int64_t count, T* rows);

/// The same in the lanes layout; spare lanes are 0.
template <class T>
void gather_lanes(const std::uint8_t* images, std::int64_t features, const std::int64_t* index,
                  std::int64_t count, T* lanes);

}  // namespace adjoint::kernels
