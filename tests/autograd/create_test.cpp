#include "autograd/create.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "tests/support/expect_gradients.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

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
  EXPECT_THROWS(ShapeError, "from_data: 3 elements do not fill shape [2,2]", from_data<float>(three, {2, 2}));
  EXPECT_THROWS(ShapeError, "tensor: 3 values do not fill shape [2]", tensor({1, 2, 3}, {2}));
  EXPECT_THROWS(DTypeError, "uniform: the dtype must be floating, it is int64",
                uniform({2}, 0, 1, {.dtype = int64}));
  EXPECT_THROWS(DTypeError, "normal: the dtype must be floating, it is int64",
                normal({2}, 0, 1, {.dtype = int64}));
  EXPECT_THROWS(DTypeError, "set_requires_grad: gradients need a floating dtype, the tensor is int64",
                zeros({2}, {.dtype = int64, .requires_grad = true}));
}

}  // namespace
}  // namespace adjoint
