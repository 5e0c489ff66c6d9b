#pragma once
// The two layouts in which kernels take and give values.
//
// Rows:  the plain row-major array [N, F], F being the product of all axes but the first.
// Lanes: [ceil(N / L)][F][L] with L = kLanes<T> = 16 float32 or 8 float64 (64 bytes, one AVX-512 register):
// image n
//        is lane n % L of block n / L, and the L images of a block ride side by side through the same
//        arithmetic. When N is no multiple of L, the last block's spare lanes hold unspecified values (NaN
//        and infinity included): whoever adds up across lanes leaves them out, everyone else computes on them
//        and does not care.
//
// Every array of values starts at a 64-byte boundary, in either layout.

#include <cstdint>

namespace adjoint::kernels {

/// Bytes of one feature of a block.
inline constexpr std::int64_t kBlockBytes = 64;

/// Images in a block of the lanes layout.
template <class T>
inline constexpr std::int64_t kLanes = kBlockBytes / sizeof(T);

/// Blocks that n images take in the lanes layout.
template <class T>
constexpr std::int64_t lane_blocks(std::int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T>;
}

/// Whether a convolution of n images to `maps` maps (of one group) runs in lanes. Work on spare lanes is
/// wasted, so images must nearly fill their blocks. They must fill them better when there are many maps,
/// since the rows kernels keep their registers full then, too. Strides suit the rows kernels less.
template <class T>
constexpr bool lanes_pay(std::int64_t n, std::int64_t maps, bool strided = false) {
  const std::int64_t sixteenths = maps <= 8 ? 11 : strided ? 13 : 15;
  return n > 0 && 16 * n >= sixteenths * kLanes<T> * lane_blocks<T>(n);
}

/// Images in the last block, 1 to kLanes<T>; n > 0.
template <class T>
constexpr std::int64_t last_block_images(std::int64_t n) {
  return (n - 1) % kLanes<T> + 1;
}

}  // namespace adjoint::kernels
