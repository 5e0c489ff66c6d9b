#include "autograd/kernels/reduce/reduce.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <rapidcheck/gtest.h>
#include <vector>

#include "tests/support/instruction_sets.h"
#include "tests/support/interleaved.h"
#include "tests/support/naive/broadcast.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;

template <class T>
void check_reductions(const Shape& x_shape, const Shape& y_shape) {
  const auto x = random_values<T>(x_shape.numel(), 1);
  std::vector<long double> sum(y_shape.numel(), 0), magnitude(y_shape.numel(), 0);
  std::vector<T> max(y_shape.numel(), -std::numeric_limits<T>::infinity());
  for (std::int64_t i = 0; i < x_shape.numel(); ++i) {
    const auto at = source_of(i, x_shape, y_shape);
    sum[at] += x[i];
    magnitude[at] += std::abs(x[i]);
    max[at] = std::max(max[at], x[i]);
  }
  std::vector<T> y(y_shape.numel(), T(777)), m = y;
  sum_to(x_shape, x.data(), y_shape, y.data());
  max_to(x_shape, x.data(), y_shape, m.data());
  for (std::int64_t i = 0; i < y_shape.numel(); ++i) {
    ASSERT_LE(std::abs(y[i] - sum[i]), magnitude[i] * 20 * std::numeric_limits<T>::epsilon()) << i;
    ASSERT_EQ(m[i], max[i]) << i;
  }
}

RC_GTEST_PROP(Reduce, AgreesWithIndexArithmetic, ()) {
  const Shape whole = random_shape(5), part = random_part(whole);
  RC_LOG() << to_string(whole) << " to " << to_string(part);
  for_each_instruction_set([&] {
    check_reductions<float>(whole, part);
    check_reductions<double>(whole, part);
  });
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Reduce, LongAxes) {
  for_each_instruction_set([&] {
    check_reductions<float>({20'001}, {});
    check_reductions<float>({5, 9'000}, {5, 1});
    check_reductions<float>({9'000, 5}, {1, 5});
    check_reductions<float>({3, 300, 70}, {3, 1, 70});
    check_reductions<double>({2, 5'000}, {2, 1});
    check_reductions<double>({2, 257, 3, 129}, {1, 257, 1, 129});
  });
}

TEST(Reduce, TenMillionOnes) {
  const std::vector<float> x(10'000'000, 1.0F);
  EXPECT_EQ(sum_all(10'000'000, x.data()), 1e7F);
  float y[2];
  sum_to({5'000'000, 2}, x.data(), {2}, y);
  EXPECT_EQ(y[0], 5e6F);
  EXPECT_EQ(y[1], 5e6F);
}

TEST(Reduce, NothingToAdd) {
  EXPECT_EQ(sum_all<float>(0, nullptr), 0);
  float y[2] = {5, 5};
  sum_to<float>({0, 2}, nullptr, {1, 2}, y);
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 0);
  max_to<float>({2, 0}, nullptr, {2, 1}, y);
  EXPECT_EQ(y[1], -std::numeric_limits<float>::infinity());
}

TEST(Reduce, MaximumTellsOfNaN) {
  for_each_instruction_set([&] {
    for (std::int64_t at = 0; at < 70; ++at) {
      std::vector<float> x(70, 1.0F);
      x[at] = std::nanf("");
      float y[7];
      max_to({70}, x.data(), {}, y);
      EXPECT_TRUE(std::isnan(y[0])) << at;
      max_to({10, 7}, x.data(), {7}, y);
      for (std::int64_t i = 0; i < 7; ++i) EXPECT_EQ(std::isnan(y[i]), i == at % 7) << at;
    }
  });
}

template <class T>
class ReduceInterleaved : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ReduceInterleaved, Types);

TYPED_TEST(ReduceInterleaved, SpareLanesAreLeftOut) {
  using T = TypeParam;
  constexpr std::int64_t L = kInterleaved<T>;
  for_each_instruction_set([&] {
    for (const std::int64_t batch :
         {std::int64_t{0}, std::int64_t{1}, std::int64_t{2}, L - 1, L, L + 1, 3 * L - 2, 300 * L + 3}) {
      for (const std::int64_t plane : {1, 2, 5, 300, 2500}) {
        const std::int64_t channels = 3;
        if (batch * plane > 10'000) continue;
        std::vector<long double> expected(channels, 0);
        const auto values = random_values<T>(batch * channels * plane, 2);
        for (std::size_t i = 0; i < values.size(); ++i) expected[i / plane % channels] += values[i];
        const Interleaved<T> x(batch, values);
        std::vector<T> y(channels, T(777));
        sum_interleaved_per_channel(batch, channels, plane, x.data(), y.data());
        for (std::int64_t c = 0; c < channels; ++c) {
          ASSERT_NEAR(y[c], expected[c],
                      100 * std::sqrt(batch * plane + 1.0) * std::numeric_limits<T>::epsilon())
              << batch << " " << plane;
        }
      }
    }
  });
}

TYPED_TEST(ReduceInterleaved, SameBitsForAnyThreadCount) {
  using T = TypeParam;
  const auto x = random_values<T>(240'000, 3);
  expect_same_bits_for_any_number_of_threads([&] {
    std::vector<T> y(1 + 1 + 3 + 40'000 + 5);
    y[0] = sum_all(240'000, x.data());
    max_to({240'000}, x.data(), {}, &y[1]);
    sum_to({80'000, 3}, x.data(), {3}, &y[2]);
    sum_to({6, 40'000}, x.data(), {40'000}, &y[5]);
    sum_interleaved_per_channel(kInterleaved<T> * 3 - 1, std::int64_t{5}, std::int64_t{900}, x.data(),
                                &y[40'005]);
    return y;
  });
}

}  // namespace
}  // namespace adjoint::kernels
