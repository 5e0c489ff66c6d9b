#include "autograd/random.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <vector>

#include "autograd/check.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

// The paper's own test vector for counter 0, key 0 (Random123, kat_vectors: philox4x32 10).
TEST(Rng, GivesThePublishedNumbers) {
  Rng rng(0);
  const std::vector<std::uint32_t> first = {rng(), rng(), rng(), rng()};
  EXPECT_THAT(first, testing::ElementsAre(0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u));
}

// Box and Muller's formula on those words. It must take the logarithm of 1 - u, which is never 0: u may be.
TEST(Rng, NormalFollowsFromTheUniformNumbers) {
  const double u = static_cast<double>(0x6627e8d5e169c58d >> 11) * 0x1p-53;
  const double v = static_cast<double>(0xbc57ac4c9b00dbd8 >> 11) * 0x1p-53;
  EXPECT_EQ(Rng(0).uniform(), u);
  EXPECT_NEAR(Rng(0).normal(), std::sqrt(-2 * std::log1p(-u)) * std::cos(2 * std::acos(-1.0) * v), 1e-14);
}

TEST(Rng, EqualSeedsGiveEqualStreamsAndOthersDoNot) {
  Rng a(7), b(7), c(8);
  int differing = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t x = a();
    EXPECT_EQ(x, b());
    differing += x != c();
  }
  EXPECT_GT(differing, 95);
}

TEST(Rng, UniformFillsTheUnitInterval) {
  Rng rng(1);
  double sum = 0, sum_of_squares = 0;
  std::vector<int> bins(10);
  for (int i = 0; i < 100000; ++i) {
    const double x = rng.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    sum_of_squares += x * x;
    ++bins[static_cast<std::size_t>(x * 10)];
  }
  EXPECT_NEAR(sum / 1e5, 0.5, 0.005);
  EXPECT_NEAR(sum_of_squares / 1e5, 1.0 / 3, 0.005);
  for (const int count : bins) EXPECT_NEAR(count, 10000, 500);
}

TEST(Rng, NormalHasMeanZeroDeviationOneAndKurtosisThree) {
  Rng rng(2);
  double m1 = 0, m2 = 0, m4 = 0;
  for (int i = 0; i < 200000; ++i) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    m1 += x;
    m2 += x * x;
    m4 += x * x * x * x;
  }
  EXPECT_NEAR(m1 / 2e5, 0, 0.01);
  EXPECT_NEAR(m2 / 2e5, 1, 0.02);
  EXPECT_NEAR(m4 / 2e5, 3, 0.1);
}

TEST(Rng, BelowStaysBelow) {
  Rng rng(3);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<std::size_t>(rng.below(7))];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
  EXPECT_EQ(rng.below(1), 0);
  EXPECT_THROWS(Error, "Rng::below: bound must be positive, got 0", rng.below(0));
}

// 2^64 is no multiple of 3 x 2^61: without drawing again, the last third would come a quarter of the time.
TEST(Rng, BelowIsFairForLargeBounds) {
  Rng rng(8);
  const std::int64_t third = std::int64_t{1} << 61;
  std::vector<int> counts(3);
  for (int i = 0; i < 30000; ++i) {
    const std::int64_t number = rng.below(3 * third);
    ASSERT_GE(number, 0);
    ASSERT_LT(number, 3 * third);
    ++counts[static_cast<std::size_t>(number / third)];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(Rng, EveryOrderIsEquallyLikely) {
  Rng rng(9);
  std::map<std::vector<std::int64_t>, int> counts;
  for (int i = 0; i < 24000; ++i) {
    std::vector<std::int64_t> items = {0, 1, 2, 3};
    rng.shuffle(items);
    ++counts[items];
  }
  EXPECT_EQ(counts.size(), 24u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 200) << testing::PrintToString(order);
}

TEST(Rng, ShuffleKeepsEveryItem) {
  std::vector<std::int64_t> items(101);
  for (std::size_t i = 0; i < items.size(); ++i) items[i] = static_cast<std::int64_t>(i);
  const auto ordered = items;
  Rng(5).shuffle(items);
  EXPECT_NE(items, ordered);
  EXPECT_THAT(items, testing::UnorderedElementsAreArray(ordered));
  Rng(5).shuffle(std::span<std::int64_t>());
}

TEST(Rng, ManualSeedStartsTheDefaultGeneratorAnew) {
  manual_seed(42);
  const std::uint32_t first = default_rng()();
  default_rng()();
  manual_seed(42);
  EXPECT_EQ(default_rng()(), first);
}

}  // namespace
}  // namespace adjoint
