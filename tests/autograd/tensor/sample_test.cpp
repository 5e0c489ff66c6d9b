#include "adjoint/tensor/sample.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "tests/support/expect_close.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;
using Numbers = std::vector<double>;

TEST(Fill, IsTheSameAsOneCallANumber) {
  for (const std::size_t used : {0, 1, 3, 4}) {
    for (const std::size_t count : {0, 1, 2, 3, 5, 31, 32, 33, 1000, 100003}) {
      Rng a(5, 6), b(5, 6);
      for (std::size_t i = 0; i < used; ++i) a(), b();
      std::vector<std::uint32_t> all(count), expected;
      a.fill(all);
      for (std::size_t i = 0; i < count; ++i) expected.push_back(b());
      ASSERT_EQ(all, expected) << count << " after " << used;
      ASSERT_EQ(a(), b());
    }
  }
}

TEST(Bernoulli, ComparesEachNumberWithP) {
  Rng rng(1), same(1), again(1);
  const Tensor p = tensor({0, .25, .5, 1, .75, .1}, {2, 3}, {.dtype = float64});
  Numbers expected;
  for (const double probability : numbers(p)) expected.push_back(same() < probability * 0x1p32 ? 1 : 0);
  const Tensor y = bernoulli(p, rng);
  EXPECT_EQ(y.dtype(), float64);
  expect_close(y, expected, 0);
  Numbers halves;
  for (int i = 0; i < 1000; ++i) halves.push_back(again() < 0x1p30 ? 1 : 0);
  Rng once_more(1);
  const Tensor mask = bernoulli({10, 100}, .25, {.dtype = boolean}, once_more);
  EXPECT_EQ(mask.dtype(), boolean);
  expect_close(mask, halves, 0);
  expect_close(bernoulli({100}, 0), Numbers(100, 0), 0);
  expect_close(bernoulli({100}, 1, {.dtype = float32}), Numbers(100, 1), 0);
  expect_error<Error>("bernoulli: p must be in [0, 1], it is 1.5", [] { bernoulli({2}, 1.5); });
  expect_error<Error>("bernoulli: p must be in [0, 1], p[1] is -0.5 in row-major order", [] {
    bernoulli(tensor({0, -.5}));
  });
  expect_error<DTypeError>("bernoulli: p must be float32 or float64, it is int64",
                           [] { bernoulli(arange(2)); });
}

TEST(Randint, TakesTheRemainderOfTwoNumbers) {
  Rng rng(2), same(2);
  Numbers expected;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t high = same();
    expected.push_back(static_cast<double>((high << 32 | same()) % 7) - 3);
  }
  expect_close(randint({10, 100}, -3, 4, {.dtype = int64}, rng), expected, 0);
  const Numbers drawn = expected;
  EXPECT_EQ(*std::min_element(drawn.begin(), drawn.end()), -3);
  EXPECT_EQ(*std::max_element(drawn.begin(), drawn.end()), 3);
  expect_close(randint({5}, 9, 10), Numbers(5, 9), 0);
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min(),
                         kMost = std::numeric_limits<std::int64_t>::max();
  const Tensor wide = randint({1000}, kLeast, kMost);
  const auto all = wide.data<std::int64_t>();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](auto i) { return i < -(std::int64_t{1} << 62); }));
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](auto i) { return i > std::int64_t{1} << 62; }));
  expect_error<Error>("randint: low must be below high, they are 3 and 3", [] { randint({2}, 3, 3); });
  expect_error<DTypeError>("randint: the dtype must be that of numbers, it is boolean",
                           [] { randint({2}, 0, 2, {.dtype = boolean}); });
}

TEST(Randperm, HoldsEachNumberOnce) {
  Rng rng(3), same(3);
  std::vector<std::int64_t> expected(100);
  for (std::size_t i = 0; i < 100; ++i) expected[i] = static_cast<std::int64_t>(i);
  same.shuffle(expected);
  expect_close(randperm(100, rng), Numbers(expected.begin(), expected.end()), 0);
  EXPECT_EQ(randperm(0).shape(), (Shape{0}));
  EXPECT_THROW(randperm(-1), ShapeError);
}

TEST(Exponential, InvertsItsDistribution) {
  for (const DType dtype : {float32, float64}) {
    Rng rng(4), same(4);
    Numbers expected;
    for (int i = 0; i < 500; ++i) expected.push_back(-std::log1p(-same.uniform()) / 2.5);
    expect_close(exponential({5, 100}, 2.5, {.dtype = dtype}, rng), expected, tolerance_of(dtype));
  }
  expect_error<Error>("exponential: rate must be positive and finite, it is 0", [] { exponential({2}, 0); });
  expect_error<DTypeError>("exponential: the dtype must be floating, it is int64",
                           [] { exponential({2}, 1, {.dtype = int64}); });
}

TEST(Multinomial, DrawsInProportion) {
  const Tensor weights = tensor({1, 0, 3, 4, 0, 5, 5, 0}, {2, 4}, {.dtype = float64});
  Rng rng(5), same(5);
  const std::int64_t samples = 20000;
  const Tensor y = multinomial(weights, samples, {.replacement = true}, rng);
  EXPECT_EQ(y.shape(), (Shape{2, samples}));
  const auto drawn = y.data<std::int64_t>();
  std::int64_t counts[2][4] = {};
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const double u = same.uniform();
    const std::int64_t expected = i < 20000 ? (u < .125 ? 0 : u < .5 ? 2 : 3) : (u < .5 ? 1 : 2);
    ASSERT_EQ(drawn[i], expected);
    ++counts[i / 20000][drawn[i]];
  }
  EXPECT_NEAR(static_cast<double>(counts[0][0]), 2500, 5 * std::sqrt(2500 * .875));
  EXPECT_EQ(counts[0][1] + counts[1][0] + counts[1][3], 0);
}

TEST(Multinomial, DrawsEachClassOnceWithoutReplacement) {
  const Tensor weights = tensor({1, 0, 3, 6});
  Rng rng(6);
  double first[4] = {};
  for (int i = 0; i < 5000; ++i) {
    const Tensor y = multinomial(weights, 3, {}, rng);
    const auto drawn = y.data<std::int64_t>();
    std::vector<std::int64_t> sorted(drawn.begin(), drawn.end());
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(sorted, (std::vector<std::int64_t>{0, 2, 3}));
    ++first[drawn[0]];
  }
  EXPECT_NEAR(first[0], 500, 5 * std::sqrt(450));
  EXPECT_NEAR(first[2], 1500, 5 * std::sqrt(1050));
}

TEST(Multinomial, RefusesWhatDoesNotFit) {
  expect_error<Error>("multinomial: weights must be finite and not negative, class 1 of row 0 has -1", [] {
    multinomial(tensor({1, -1}), 1);
  });
  expect_error<Error>("multinomial: the weights of a row must have a positive and finite sum, row 1 has 0",
                      [] {
                        multinomial(tensor({1, 1, 0, 0}, {2, 2}), 1);
                      });
  expect_error<Error>("multinomial: without replacement, row 0 with 1 positive weights cannot give 2 samples",
                      [] {
                        multinomial(tensor({1, 0}), 2);
                      });
  expect_error<ShapeError>("multinomial: samples must not be negative, it is -1",
                           [] { multinomial(tensor({1}), -1); });
  expect_error<ShapeError>("multinomial: weights must be [K] or [N,K], it is []",
                           [] { multinomial(scalar(1), 1); });
  expect_error<DTypeError>("multinomial: weights must be float32 or float64, it is int64",
                           [] { multinomial(arange(2), 1); });
  EXPECT_EQ(multinomial(zeros({0, 3}), 2).shape(), (Shape{0, 2}));
  EXPECT_EQ(multinomial(zeros({2, 3}), 0).shape(), (Shape{2, 0}));
}

TEST(Sample, SameBitsForAnyNumberOfThreads) {
  expect_same_bits_for_any_number_of_threads([] {
    Rng rng(8);
    rng();
    std::vector<std::vector<double>> results;
    results.push_back(numbers(bernoulli({200003}, .3, {.dtype = float32}, rng)));
    results.push_back(numbers(randint({100003}, 0, 1000, {.dtype = int64}, rng)));
    results.push_back(numbers(exponential({100003}, 1, {.dtype = float64}, rng)));
    return results;
  });
}

}  // namespace
}  // namespace adjoint
