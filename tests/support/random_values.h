#pragma once
// Random numbers for tests. The seed stands in the test, and the numbers are the same on every platform.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "adjoint/tensor/create.h"
#include "adjoint/tensor/random.h"

namespace adjoint::support {

/// Fills values with numbers uniform in [low, high), rounded down to whole ones if T is an integer.
template <class T>
void fill_random(std::span<T> values, Rng& rng, double low, double high) {
  for (T& value : values) {
    const double number = low + (high - low) * rng.uniform();
    value = static_cast<T>(std::is_integral_v<T> ? std::floor(number) : number);
  }
}

/// Such numbers in an array.
template <class T>
std::vector<T> random_values(std::size_t count, std::uint64_t seed, double low = -1, double high = 1) {
  std::vector<T> values(count);
  Rng rng(seed);
  fill_random(std::span(values), rng, low, high);
  return values;
}

/// Whole numbers from -4 to 4: sums of their products are exact, and many of them are equal.
template <class T>
std::vector<T> random_whole_numbers(std::size_t count, std::uint64_t seed) {
  const auto values = random_values<std::int64_t>(count, seed, -4, 5);
  return std::vector<T>(values.begin(), values.end());
}

/// Elements uniform in [low, high).
inline Tensor random_tensor(const Shape& shape, Rng& rng, double low = -1, double high = 1,
                            DType dtype = float64) {
  return uniform(shape, low, high, {.dtype = dtype}, rng);
}

}  // namespace adjoint::support
