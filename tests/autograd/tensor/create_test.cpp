#include "adjoint/tensor/create.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::numbers;

using testing::Each;
using testing::ElementsAre;

TEST(Create, ConstantsOfEveryDtype) {
  EXPECT_THAT(numbers(zeros({2, 3})), Each(0.0f));
  EXPECT_EQ(zeros({2, 3}).shape(), (Shape{2, 3}));
  EXPECT_THAT(numbers(ones({4}, {.dtype = float64})), Each(1.0));
  EXPECT_THAT(numbers(full({2}, -7, {.dtype = int64})), ElementsAre(-7, -7));
  EXPECT_EQ(scalar(2.5, {.dtype = float64}).item(), 2.5);
  EXPECT_EQ(scalar(2.5).rank(), 0);
}

TEST(Create, Arange) {
  EXPECT_THAT(numbers(arange(4)), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(numbers(arange(3, {.dtype = float32})), ElementsAre(0, 1, 2));
  EXPECT_EQ(arange(0).numel(), 0);
  EXPECT_THROW(arange(-1), ShapeError);
}

TEST(Create, FromDataCopies) {
  std::vector<double> data = {1, 2, 3, 4, 5, 6};
  const Tensor x = from_data<double>(data, {3, 2});
  data[0] = 9;
  EXPECT_THAT(numbers(x), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(numbers(tensor({1, 2, 3})), ElementsAre(1, 2, 3));
  EXPECT_EQ(tensor({1, 2, 3, 4}, {2, 2}).shape(), (Shape{2, 2}));
}

TEST(Create, EmptyTensorsWork) {
  EXPECT_EQ(numbers(zeros({0, 5})).size(), 0u);
  EXPECT_EQ(from_data<float>({}, {0}).numel(), 0);
}

TEST(Create, UniformStaysInItsBoundsAndFollowsTheSeed) {
  Rng a(3), b(3);
  const Tensor x = uniform({1000}, -2, 5, {}, a);
  EXPECT_THAT(numbers(x), Each(testing::AllOf(testing::Ge(-2.0f), testing::Le(5.0f))));
  EXPECT_THAT(numbers(uniform({1000}, -2, 5, {}, b)), testing::ElementsAreArray(x.data<float>()));
}

// The expected numbers follow from the generator's published first words, see random_test.cpp.
TEST(Create, UniformTakesOneNumberAnElement) {
  Rng rng(0);
  const Tensor x = uniform({2}, -2, 6, {.dtype = float64}, rng);
  const double u0 = static_cast<double>(0x6627e8d5e169c58d >> 11) * 0x1p-53;
  const double u1 = static_cast<double>(0xbc57ac4c9b00dbd8 >> 11) * 0x1p-53;
  EXPECT_THAT(x.data<double>(), ElementsAre(-2 + 8 * u0, -2 + 8 * u1));
}

TEST(Create, UniformNeverReachesItsUpperBound) {
  // Seeds whose first number is at least 1 - 2^-26, found by search: in float32 it rounds to 1.
  for (const std::uint64_t seed : {54414807, 67750675}) {
    Rng unit(seed), wide(seed), negative(seed), exact(seed);
    EXPECT_EQ(uniform({1}, 0, 1, {}, unit).item(), 0x1.fffffep-1);
    EXPECT_EQ(uniform({1}, -8, 1024, {}, wide).item(), 0x1.fffffep+9);
    EXPECT_THAT(uniform({1}, -1, 0, {}, negative).item(),
                testing::AllOf(testing::Ge(-0x1p-26), testing::Lt(0)));
    EXPECT_GE(uniform({1}, 0, 1, {.dtype = float64}, exact).item(), 1 - 0x1p-26);
  }
  Rng rng(5);
  const double above_one = std::nextafter(1.0, 2.0);
  EXPECT_THAT(numbers(uniform({100}, 1, above_one, {.dtype = float64}, rng)), Each(1.0));
  EXPECT_THAT(numbers(uniform({100}, 1, std::nextafter(1.0f, 2.0f), {}, rng)), Each(1.0f));
  const double largest = std::numeric_limits<double>::max();
  EXPECT_THAT(numbers(uniform({100}, 0, largest, {.dtype = float64}, rng)),
              Each(testing::AllOf(testing::Ge(0.0), testing::Lt(largest))));
}

TEST(Create, UniformNeverFallsBelowItsLowerBound) {
  Rng rng(6);
  ASSERT_LT(0.7f, 0.7);  // so low itself is not a float32
  const Tensor x = uniform({1000}, 0.7, 0.70000009, {}, rng);
  EXPECT_THAT(x.data<float>(), Each(std::nextafter(0.7f, 1.0f)));  // the only one in between
}

TEST(Create, UniformOfEqualBoundsIsThatNumber) {
  Rng rng(7), other(7);
  EXPECT_THAT(numbers(uniform({3}, 0.7, 0.7, {}, rng)), Each(0.7f));
  EXPECT_THAT(numbers(uniform({1}, -5, -5, {.dtype = float64}, rng)), Each(-5.0));
  for (int i = 0; i < 4; ++i) other.uniform();
  EXPECT_EQ(rng(), other());  // the usual number of draws
}

TEST(Create, UniformAndNormalRefuseBoundsThatMakeNoSense) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const double largest = std::numeric_limits<double>::max();
  const TensorOptions wide{.dtype = float64};
  expect_error<Error>("uniform: low and high must be finite as float32, they are -inf and 0",
                      [&] { uniform({2}, -inf, 0); });
  expect_error<Error>("uniform: low and high must be finite as float32, they are 0 and nan",
                      [&] { uniform({2}, 0, nan); });
  expect_error<Error>("uniform: low and high must be finite as float32, they are 0 and 1e+39",
                      [&] { uniform({2}, 0, 1e39); });
  expect_error<Error>("uniform: low and high must be finite as float64, they are nan and inf",
                      [&] { uniform({2}, nan, inf, wide); });
  expect_error<Error>("uniform: low must be at most high, they are 1 and 0.5", [&] { uniform({2}, 1, 0.5); });
  EXPECT_THROW(uniform({2}, -largest, largest, wide), Error);
  expect_error<Error>("uniform: high - low must be finite, low is -1e+308 and high 1e+308",
                      [&] { uniform({2}, -1e308, 1e308, wide); });
  expect_error<Error>("uniform: there must be a float32 from low to below high, they are 0.7 and 0.70000001",
                      [&] { uniform({2}, 0.7, 0.70000001); });
  expect_error<Error>("normal: mean and deviation must be finite as float32, they are 0 and inf",
                      [&] { normal({2}, 0, inf); });
  expect_error<Error>("normal: mean and deviation must be finite as float32, they are nan and 1",
                      [&] { normal({2}, nan, 1); });
  expect_error<Error>("normal: deviation must not be negative, it is -0.5", [&] { normal({2}, 0, -0.5); });
  EXPECT_THAT(numbers(normal({2}, 3, 0)), Each(3.0f));
}

TEST(Create, Int64TakesWhatItCanHold) {
  const TensorOptions whole{.dtype = int64};
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  EXPECT_THAT(numbers(full({2}, -0x1p63, whole)), Each(INT64_MIN));
  EXPECT_THAT(numbers(scalar(-0x1p63, whole)), Each(INT64_MIN));
  EXPECT_THAT(numbers(tensor({-0x1p63, 0x1p62, -1.75, 1.75}, whole)),
              ElementsAre(INT64_MIN, std::int64_t{1} << 62, -1, 1));
  const double below = std::nextafter(-0x1p63, -inf);
  EXPECT_EQ(numbers(full({}, std::nextafter(0x1p63, 0), whole))[0], 0x1.fffffffffffffp+62);
  expect_error<Error>("full: the value is 1e+30, which int64 cannot hold", [&] { full({1}, 1e30, whole); });
  expect_error<Error>("scalar: the value is nan, which int64 cannot hold", [&] { scalar(nan, whole); });
  expect_error<Error>("tensor: element 1 is inf, which int64 cannot hold", [&] { tensor({1, inf}, whole); });
  for (const double value : {nan, inf, -inf, 0x1p63, below, 1e300}) {
    EXPECT_THROW(full({2}, value, whole), Error) << value;
    EXPECT_THROW(tensor({value, 1}, {2, 1}, whole), Error) << value;
  }
}

TEST(Create, NormalHasItsMeanAndDeviation) {
  Rng rng(4);
  const Tensor x = normal({20000}, 3, 0.5, {.dtype = float64}, rng);
  double sum = 0, squares = 0;
  for (const double value : x.data<double>()) {
    sum += value;
    squares += (value - 3) * (value - 3);
  }
  EXPECT_NEAR(sum / 20000, 3, 0.02);
  EXPECT_NEAR(squares / 20000, 0.25, 0.01);
}

TEST(Create, RequiresGradMakesALeaf) {
  const Tensor x = ones({2}, {.requires_grad = true});
  EXPECT_TRUE(x.requires_grad());
  EXPECT_TRUE(x.is_leaf());
  EXPECT_FALSE(x.grad().defined());
}

TEST(Create, Errors) {
  const std::vector<float> three = {1, 2, 3};
  expect_error<ShapeError>("from_data: 3 elements do not fill shape [2,2]", [&] {
    from_data<float>(three, {2, 2});
  });
  expect_error<ShapeError>("tensor: 3 values do not fill shape [2]", [&] { tensor({1, 2, 3}, {2}); });
  expect_error<DTypeError>("uniform: the dtype must be floating, it is int64",
                           [&] { uniform({2}, 0, 1, {.dtype = int64}); });
  expect_error<DTypeError>("normal: the dtype must be floating, it is int64",
                           [&] { normal({2}, 0, 1, {.dtype = int64}); });
  expect_error<DTypeError>("set_requires_grad: gradients need a floating dtype, the tensor is int64",
                           [&] { zeros({2}, {.dtype = int64, .requires_grad = true}); });
}

}  // namespace
}  // namespace adjoint
