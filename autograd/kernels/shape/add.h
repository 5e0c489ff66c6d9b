#pragma once
// Addition of elements that have the same place.

#include <cstdint>
#include <type_traits>

namespace adjoint::kernels {

/// total += part; int64 wraps around.
template <class T>
void add_to(T& total, T part) {
  if constexpr (std::is_integral_v<T>) {
    total = static_cast<T>(static_cast<std::uint64_t>(total) + static_cast<std::uint64_t>(part));
  } else {
    total += part;
  }
}

}  // namespace adjoint::kernels
