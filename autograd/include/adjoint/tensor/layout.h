#pragma once
// The two layouts in which kernels take and give values. They never show outside of ops and kernels.

#include <cstdint>

namespace adjoint {

enum class Layout : std::uint8_t {
  row_major,    ///< The plain array [N, F], where F is the product of all axes but the first.
  interleaved,  ///< 16 images (8 of float64) side by side: see autograd/kernels/layout/interleaved.h.
};

}  // namespace adjoint
