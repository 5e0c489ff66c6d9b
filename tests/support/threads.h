#pragma once
// The number of threads that kernels use in a test.

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

#include "adjoint/threads.h"

namespace adjoint::support {

/// Kernels use this many threads until the end of the scope, and then as many as before.
class WithThreads {
 public:
  explicit WithThreads(int threads) { set_num_threads(threads); }
  ~WithThreads() { set_num_threads(before_); }
  WithThreads(const WithThreads&) = delete;
  WithThreads& operator=(const WithThreads&) = delete;

 private:
  const int before_ = num_threads();
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}
template <class T>
bool same_bits(const std::vector<std::vector<T>>& a, const std::vector<std::vector<T>>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return same_bits(x, y); });
}

/// compute() returns an array, or several of them in a vector: the same to the last bit with 1, 2, 3 and 8
/// threads.
template <class Compute>
void expect_same_bits_for_any_number_of_threads(const Compute& compute) {
  const auto compute_with = [&](int number) {
    const WithThreads threads(number);
    return compute();
  };
  const auto expected = compute_with(1);
  for (const int threads : {2, 3, 8})
    EXPECT_TRUE(same_bits(compute_with(threads), expected)) << threads << " threads";
}

}  // namespace adjoint::support
