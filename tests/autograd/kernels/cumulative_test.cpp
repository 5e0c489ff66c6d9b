#include "autograd/kernels/reduce/cumulative.h"

#include <gtest/gtest.h>
#include <vector>

#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;

/// Whole numbers, whose sums are exact, against a loop from each element back to the start of its line.
template <class T>
void check_cumsum(std::int64_t outer, std::int64_t axis, std::int64_t inner) {
  const auto x = random_whole_numbers<T>(outer * axis * inner, 1);
  for (const bool reverse : {false, true}) {
    std::vector<T> y(x.size()), in_place = x;
    cumsum(outer, axis, inner, x.data(), reverse, y.data());
    cumsum(outer, axis, inner, in_place.data(), reverse, in_place.data());
    for (std::int64_t o = 0; o < outer; ++o) {
      for (std::int64_t k = 0; k < axis; ++k) {
        for (std::int64_t i = 0; i < inner; ++i) {
          T expected = 0;
          for (std::int64_t l = reverse ? k : 0; l < (reverse ? axis : k + 1); ++l)
            expected += x[(o * axis + l) * inner + i];
          ASSERT_EQ(y[(o * axis + k) * inner + i], expected) << o << "," << k << "," << i;
        }
      }
    }
    ASSERT_EQ(in_place, y);
  }
}

TEST(Cumsum, AgreesWithPlainLoops) {
  for (const std::int64_t outer : {0, 1, 3}) {
    for (const std::int64_t axis : {0, 1, 2, 17}) {
      for (const std::int64_t inner : {0, 1, 5, 64, 130}) {
        check_cumsum<float>(outer, axis, inner);
        check_cumsum<double>(outer, axis, inner);
        check_cumsum<std::int64_t>(outer, axis, inner);
      }
    }
  }
}

TEST(Cumsum, WholeNumbersWrapAround) {
  const std::int64_t x[] = {INT64_MAX, 1, INT64_MIN};
  std::int64_t y[3];
  cumsum(1, 3, 1, x, false, y);
  EXPECT_EQ(y[1], INT64_MIN);
  EXPECT_EQ(y[2], 0);
}

TEST(Cumsum, LongFloat32SumsAreRoundedOnce) {
  const std::vector<float> x(20'000'000, 1);
  std::vector<float> y(x.size());
  cumsum<float>(1, static_cast<std::int64_t>(x.size()), 1, x.data(), false, y.data());
  EXPECT_EQ(y.back(), 20'000'000);  // above 2^24, where adding 1 to a float changes nothing
}

TEST(Cumsum, SameBitsForAnyNumberOfThreads) {
  const auto x = random_values<float>(7 * 300 * 200, 2);
  expect_same_bits_for_any_number_of_threads([&] {
    std::vector<float> y(x.size());
    cumsum(7, 300, 200, x.data(), false, y.data());
    return y;
  });
}

}  // namespace
}  // namespace adjoint::kernels
