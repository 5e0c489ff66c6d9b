// Initializers: every bound and variance against its formula written out, and the spread within.

#include "adjoint/modules/initializers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::numbers;

/// Uniform in [-bound, bound]: inside, out to near both ends, centered, and every quarter holding its share.
void expect_uniform(const Tensor& weight, double bound) {
  const std::vector<double> values = numbers(weight);
  const auto count = static_cast<double>(values.size());
  const auto [low, high] = std::ranges::minmax(values);
  const double rounding = 1e-7 * bound, margin = 12 / count;  // e^-6 that none lies beyond, at one end
  EXPECT_GE(low, -bound - rounding);
  EXPECT_LE(high, bound + rounding);
  EXPECT_LT(low, -bound * (1 - margin));
  EXPECT_GT(high, bound * (1 - margin));
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  EXPECT_LT(std::abs(mean), 4 * bound / std::sqrt(3 * count));
  std::array<int, 4> quarters{};
  for (const double value : values)
    ++quarters[static_cast<std::size_t>(std::clamp(2 * (value / bound + 1), 0.0, 3.0))];
  for (const int quarter : quarters) EXPECT_NEAR(quarter, count / 4, 4 * std::sqrt(count * 3 / 16));
}

/// Normal: mean 0, this variance, and about 4.55 % beyond two deviations.
void expect_normal(const Tensor& weight, double variance) {
  const std::vector<double> values = numbers(weight);
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0, far = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
    far += value * value > 4 * variance ? 1 : 0;
  }
  EXPECT_LT(std::abs(sum / count), 4 * std::sqrt(variance / count));
  EXPECT_NEAR(squares / count / variance, 1, 4 * std::sqrt(2 / count));
  EXPECT_NEAR(far / count, 0.0455, 4 * std::sqrt(0.0455 * 0.9545 / count));
}

TEST(Init, FansCountTheReceptiveFieldAndTheGroups) {
  const auto expect = [](const Fans& fan, double in, double out) {
    EXPECT_EQ(fan.in, in);
    EXPECT_EQ(fan.out, out);
  };
  expect(fans({50, 96}), 96, 50);
  expect(fans({6, 4, 5, 3}), 4 * 5 * 3, 6 * 5 * 3);
  expect(fans({12, 2, 3, 1}, 4), 2 * 3, 3 * 3);
}

TEST(Init, DocumentedBounds) {
  Rng rng(1);
  const InitOptions options{.dtype = float64};
  expect_uniform(documented_uniform({4, 1, 5, 5}, options, rng), std::sqrt(4.0 / ((1 + 4) * 5 * 5)));
  expect_uniform(documented_uniform({6, 4, 5, 5}, options, rng), std::sqrt(6.0 / ((4 + 6) * 5 * 5)));
  expect_uniform(documented_uniform({50, 96}, options, rng), std::sqrt(6.0 / (96 + 50)));
  expect_uniform(documented_uniform({10, 50}, options, rng), std::sqrt(6.0 / (50 + 10)));
  expect_uniform(documented_uniform({12, 7, 3, 5}, {.groups = 2}, rng),
                 std::sqrt(12.0 / ((14 + 12) * 3 * 5)));
}

TEST(Init, UniformBounds) {
  Rng rng(2);
  const Shape dense{70, 40}, conv{20, 12, 3, 5};
  const InitOptions two{.groups = 2}, leaky{.negative_slope = 0.5};
  expect_uniform(fan_in_uniform(dense, {}, rng), 1 / std::sqrt(40.0));
  expect_uniform(fan_in_uniform(conv, two, rng), 1 / std::sqrt(12.0 * 15));
  expect_uniform(glorot_uniform(dense, {}, rng), std::sqrt(6.0 / 110));
  expect_uniform(glorot_uniform(conv, {}, rng), std::sqrt(6.0 / (32 * 15)));
  expect_uniform(glorot_uniform(conv, two, rng), std::sqrt(6.0 / ((12 + 10) * 15)));
  expect_uniform(kaiming_uniform(dense, {}, rng), std::sqrt(6.0 / 40));
  expect_uniform(kaiming_uniform(conv, leaky, rng), std::sqrt(6.0 / (1.25 * 12 * 15)));
}

TEST(Init, NormalVariances) {
  Rng rng(3);
  const Shape dense{70, 40}, conv{20, 12, 3, 5};
  expect_normal(glorot_normal(dense, {}, rng), 2.0 / 110);
  expect_normal(glorot_normal(conv, {.groups = 2}, rng), 2.0 / ((12 + 10) * 15));
  expect_normal(kaiming_normal(dense, {.dtype = float64}, rng), 2.0 / 40);
  expect_normal(kaiming_normal(conv, {.negative_slope = 0.5}, rng), 2.0 / (1.25 * 12 * 15));
}

TEST(Init, TheSeedDecides) {
  const Initializer all[] = {fan_in_uniform, documented_uniform, glorot_uniform,
                             glorot_normal,  kaiming_uniform,    kaiming_normal};
  for (const Initializer init : all) {
    Rng first(7), again(7), other(8);
    const Tensor weight = init({3, 2, 2, 2}, {.dtype = float64}, first);
    EXPECT_EQ(weight.dtype(), float64);
    EXPECT_EQ(weight.shape(), (Shape{3, 2, 2, 2}));
    EXPECT_EQ(numbers(weight), numbers(init({3, 2, 2, 2}, {.dtype = float64}, again)));
    EXPECT_NE(numbers(weight), numbers(init({3, 2, 2, 2}, {.dtype = float64}, other)));
  }
}

TEST(Init, Refuses) {
  expect_error<ShapeError>("init: a weight must have at least two axes and an element, it is [5]",
                           [] { glorot_uniform({5}); });
  expect_error<ShapeError>("init: a weight must have at least two axes and an element, it is [5,0]", [] {
    kaiming_normal({5, 0});
  });
  expect_error<ShapeError>("init: a weight must have at least two axes and an element, it is [0,1,5,5]", [] {
    documented_uniform({0, 1, 5, 5});
  });
  expect_error<Error>("init: 3 groups do not divide the 4 output channels of [4,1,5,5]", [] {
    fan_in_uniform({4, 1, 5, 5}, {.groups = 3});
  });
  expect_error<Error>("init: 0 groups do not divide the 4 output channels of [4,1,5,5]", [] {
    fan_in_uniform({4, 1, 5, 5}, {.groups = 0});
  });
  expect_error<DTypeError>("uniform: the dtype must be floating, it is int64", [] {
    fan_in_uniform({4, 1}, {.dtype = int64});
  });
}

}  // namespace
}  // namespace adjoint
