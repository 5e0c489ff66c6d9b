#pragma once
// The interleaved layout: [ceil(N / L)][F][L] with L = kInterleaved<T> = 16 float32 or 8 float64 (64 bytes,
// one AVX-512 register). Image n is lane n % L of block n / L, and the L images of a block go through the
// same arithmetic side by side. If N is not a multiple of L, the last block's spare lanes hold unspecified
// values, possibly NaN or infinity: reductions across lanes skip them; other kernels may compute on them
// harmlessly.
//
// Every array of values starts at a 64-byte boundary, in either layout.

#include <cstdint>

namespace adjoint::kernels {

/// Bytes of one feature of a block.
inline constexpr std::int64_t kBlockBytes = 64;

/// Images in a block.
template <class T>
inline constexpr std::int64_t kInterleaved = kBlockBytes / sizeof(T);

/// Blocks that n images take.
template <class T>
constexpr std::int64_t interleaved_blocks(std::int64_t n) {
  return (n + kInterleaved<T> - 1) / kInterleaved<T>;
}

/// Images in the last block, 1 to kInterleaved<T>; n > 0.
template <class T>
constexpr std::int64_t last_block_images(std::int64_t n) {
  return (n - 1) % kInterleaved<T> + 1;
}

}  // namespace adjoint::kernels
