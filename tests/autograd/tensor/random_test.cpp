#include "adjoint/tensor/random.h"

#include <array>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <vector>

#include "adjoint/tensor/check.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;

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

/// Philox4x32-10 as the paper's figure 2 has it, for any counter and key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0], b = std::uint64_t{0xCD9E8D57} * c[2];
    const auto high = [](std::uint64_t product) { return static_cast<std::uint32_t>(product >> 32); };
    c = {high(b) ^ c[1] ^ key[0], static_cast<std::uint32_t>(b), high(a) ^ c[3] ^ key[1],
         static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return c;
}

TEST(Rng, StreamsAreTheUpperWordsOfTheCounter) {
  // Random123, kat_vectors: philox4x32 10.
  EXPECT_THAT(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              testing::ElementsAre(0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u));
  Rng rng(0x299f31d0'a4093822, 0x03707344'13198a2e);
  for (std::uint32_t block = 0; block < 3; ++block) {
    for (const std::uint32_t expected : philox({block, 0, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}))
      EXPECT_EQ(rng(), expected);
  }
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
  expect_error<Error>("Rng::below: bound must be positive, got 0", [&] { rng.below(0); });
}

// 2^64 is no multiple of 3 x 2^61: without drawing again, numbers of the last third would have a probability
// of only a quarter.
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
