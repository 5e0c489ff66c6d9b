#pragma once
// Conversions between the layouts (see interleaved.h), and from images of bytes to either layout.

#include <cstdint>

#include "adjoint/tensor/layout.h"

namespace adjoint::kernels {

// T is float or double. Results are overwritten, never read first. L is kInterleaved<T>.

/// blocks[n / L, f, n % L] = images[n, f] for images [count, features]; spare lanes are 0.
template <class T>
void interleave(std::int64_t count, std::int64_t features, const T* images, T* blocks);

/// images[n, f] = blocks[n / L, f, n % L] for images [count, features]; spare lanes are left out.
template <class T>
void deinterleave(std::int64_t count, std::int64_t features, const T* blocks, T* images);

/// Bytes as numbers from 0 to 1, in the given layout: to[n, f] = images[index[n], f] / 255, rounded once, for
/// to [count, features]; spare lanes are 0. Indices are not checked.
template <class T>
void gather_images(Layout layout, const std::uint8_t* images, std::int64_t features,
                   const std::int64_t* index, std::int64_t count, T* to);

}  // namespace adjoint::kernels
