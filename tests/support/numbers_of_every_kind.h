#pragma once
// Numbers of every kind, and what it means for two of them to be the same.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

namespace adjoint::support {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Equal in every bit, or both NaN.
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
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 3);
  std::uniform_real_distribution<double> exponent(-30, 30);
  std::vector<T> result(static_cast<std::size_t>(n));
  for (T& value : result) {
    const auto kind = random() % 4;
    value = kind == 0   ? special[random() % special.size()]
            : kind == 1 ? static_cast<T>(std::copysign(std::exp(exponent(random)), normal(random)))
                        : static_cast<T>(normal(random));
  }
  return result;
}

}  // namespace adjoint::support
