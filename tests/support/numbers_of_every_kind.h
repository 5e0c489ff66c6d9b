#pragma once
// Numbers of every kind, and how to tell whether two of them are the same.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "adjoint/tensor/random.h"

namespace adjoint::support {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// True if both are equal in every bit, or both are NaN.
template <class T>
bool same(T a, T b) {
  return std::bit_cast<Bits<T>>(a) == std::bit_cast<Bits<T>>(b) || (std::isnan(a) && std::isnan(b));
}

/// Ordinary, tiny, huge and special values, n of them.
template <class T>
std::vector<T> numbers_of_every_kind(std::int64_t n, unsigned seed) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> special = {0,
                                  T(-0.0),
                                  1,
                                  -1,
                                  1000,
                                  -1000,
                                  T(1e-3),
                                  T(-1e-3),
                                  Limits::infinity(),
                                  -Limits::infinity(),
                                  Limits::quiet_NaN(),
                                  Limits::max(),
                                  Limits::lowest(),
                                  Limits::min(),
                                  Limits::denorm_min(),
                                  T(88.72),
                                  T(-87.4),
                                  T(709.7),
                                  T(-708.3),
                                  T(1e-10),
                                  T(1.0001)};
  Rng rng(seed);
  std::vector<T> result(static_cast<std::size_t>(n));
  for (T& value : result) {
    const auto kind = rng.below(4);
    value = kind == 0   ? special[rng.below(std::ssize(special))]
            : kind == 1 ? static_cast<T>(std::copysign(std::exp(60 * rng.uniform() - 30), rng.normal()))
                        : static_cast<T>(3 * rng.normal());
  }
  return result;
}

}  // namespace adjoint::support
