#include "adjoint/tensor/tensor.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::numbers;

using testing::ElementsAre;

TEST(Tensor, AnUndefinedTensorSaysSo) {
  const Tensor nothing;
  EXPECT_FALSE(nothing.defined());
  EXPECT_FALSE(nothing.requires_grad());
  expect_error<Error>("tensor: it is undefined; nothing was assigned to it", [&] { nothing.shape(); });
  EXPECT_THROW(nothing.is_only_handle(), Error);
  EXPECT_THROW(nothing.is_unique(), Error);
  EXPECT_THROW(nothing.item(), Error);
  EXPECT_THROW(nothing.detach(), Error);
  EXPECT_THROW(nothing.backward(), Error);
  EXPECT_THROW(nothing + nothing, Error);
}

TEST(Tensor, ItemReadsTheOnlyElement) {
  EXPECT_EQ(tensor({3.5}, {1, 1}).item(), 3.5);
  EXPECT_EQ(full({}, 7, {.dtype = int64}).item(), 7);
  expect_error<ShapeError>("item: the tensor must have one element, it is [2]", [&] {
    tensor({1, 2}).item();
  });
  EXPECT_THROW(zeros({0}).item(), ShapeError);
}

TEST(Tensor, DataChecksTheType) {
  Tensor x = zeros({1});
  expect_error<DTypeError>("data: the tensor [1] is float32, not float64", [&] { x.data<double>(); });
  x.set_name("scale");
  expect_error<DTypeError>("mutable_data: scale [1] is float32, not int64",
                           [&] { x.mutable_data<std::int64_t>(); });
}

TEST(Tensor, ToConvertsBetweenAllTypes) {
  const Tensor x = tensor({1.75, -2.75, 0}, {.dtype = float64});
  EXPECT_THAT(numbers(x.to(float32)), ElementsAre(1.75f, -2.75f, 0.0f));
  EXPECT_THAT(numbers(x.to(int64)), ElementsAre(1, -2, 0));
  EXPECT_THAT(numbers(x.to(int64).to(float32)), ElementsAre(1.0f, -2.0f, 0.0f));
}

TEST(Tensor, ToInt64RejectsWhatItCannotHold) {
  expect_error<Error>("to: element 1 is 1e+30, which int64 cannot hold", [&] {
    tensor({1, 1e30}).to(int64);
  });
  EXPECT_THROW(tensor({std::nan("")}).to(int64), Error);
  EXPECT_THROW(tensor({-std::numeric_limits<double>::infinity()}).to(int64), Error);
  for (const DType dtype : {float32, float64}) {
    const Tensor whole = tensor({-0x1p63, 0x1p62}, {.dtype = dtype}).to(int64);
    EXPECT_THAT(whole.data<std::int64_t>(), ElementsAre(INT64_MIN, std::int64_t{1} << 62));
    EXPECT_THROW(tensor({0x1p63}, {.dtype = dtype}).to(int64), Error);
    EXPECT_THROW(tensor({-0x1.000002p63}, {.dtype = dtype}).to(int64), Error);
  }
}

TEST(Tensor, ToIsDifferentiable) {
  const Tensor x = tensor({2, 3}, {.dtype = float64, .requires_grad = true});
  (x.to(float32) * 3.0).backward(ones({2}));
  EXPECT_EQ(x.grad().dtype(), float64);
  EXPECT_THAT(numbers(x.grad()), ElementsAre(3, 3));
  EXPECT_FALSE(x.to(int64).requires_grad());
}

TEST(Tensor, HandlesShareAndDetachSharesValuesOnly) {
  const Tensor x = ones({2}, {.requires_grad = true});
  const Tensor same = x, apart = x.detach();
  EXPECT_TRUE(same.is_same(x));
  EXPECT_FALSE(apart.requires_grad());
  EXPECT_EQ(apart.data<float>().data(), x.data<float>().data());
  EXPECT_FALSE((x * 2.0).detach().requires_grad());
}

TEST(Tensor, ALeafUpdateLeavesItsDetachedCopiesAlone) {
  Tensor x = ones({2}, {.requires_grad = true});
  const Tensor before = x.detach();
  x.mutable_data<float>()[0] = 5;
  EXPECT_THAT(x.data<float>(), ElementsAre(5, 1));
  EXPECT_THAT(before.data<float>(), ElementsAre(1, 1));
  EXPECT_EQ(x.version(), 1u);
}

TEST(Tensor, AssignTakesValuesOfItsOwnShapeAndDtype) {
  Tensor x = ones({2}, {.requires_grad = true});
  const Tensor source = tensor({3, 4});
  x.assign(source);
  x.mutable_data<float>()[0] = 9;
  EXPECT_THAT(x.data<float>(), ElementsAre(9, 4));
  EXPECT_THAT(source.data<float>(), ElementsAre(3, 4));
  EXPECT_TRUE(x.requires_grad());
  expect_error<ShapeError>("assign: the shapes must be equal; the tensor is [2], the source [1]",
                           [&] { x.assign(ones({1})); });
  expect_error<DTypeError>("assign: the dtypes must be equal; the tensor is float32, the source float64",
                           [&] { x.assign(ones({2}, {.dtype = float64})); });
}

TEST(Tensor, ResultsOfOpsCannotBeChanged) {
  const Tensor x = ones({2}, {.requires_grad = true});
  Tensor y = x * 2.0;
  expect_error<GraphError>("mutable_data: the tensor was computed by mul; only leaves can be changed",
                           [&] { y.mutable_data<float>(); });
  expect_error<GraphError>("assign: the tensor was computed by mul; only leaves can be changed",
                           [&] { y.assign(x); });
  expect_error<GraphError>(
      "grad: the tensor was computed by mul and keeps no gradient; use grad(y, x), or call retain_grad() "
      "before the backward pass",
      [&] { y.grad(); });
  expect_error<GraphError>(
      "set_requires_grad: the tensor was computed by mul; only leaves can be switched, detach() it first",
      [&] { y.set_requires_grad(false); });
  EXPECT_STREQ(y.op(), "mul");
  EXPECT_STREQ(x.op(), "");
}

TEST(Tensor, Names) {
  Tensor x = ones({1}, {.requires_grad = true});
  EXPECT_EQ(x.name(), "");
  x.set_name("w");
  EXPECT_EQ(x.name(), "w");
  EXPECT_EQ(Tensor(x).name(), "w") << "a handle to the same tensor";
  EXPECT_EQ(x.detach().name(), "");
  Tensor y = x * 2.0;
  expect_error<GraphError>("set_name: the tensor was computed by mul; only leaves have names",
                           [&] { y.set_name("y"); });
  EXPECT_EQ(y.name(), "");
}

TEST(Tensor, RequiresGradCanBeSwitchedOnALeaf) {
  Tensor x = ones({1});
  EXPECT_FALSE(x.requires_grad());
  x.set_requires_grad();
  EXPECT_TRUE(x.requires_grad());
  EXPECT_TRUE((x + x).requires_grad());
  x.set_requires_grad(false);
  EXPECT_FALSE((x + x).requires_grad());
}

TEST(Tensor, ALeafThatWasFrozenIsTheSameAfterwards) {
  Tensor x = scalar(2, {.requires_grad = true});
  const Tensor y = x * 3.0;
  (x * 1.0).backward();
  x.set_requires_grad(false);
  EXPECT_FALSE(x.grad().defined());
  x.set_requires_grad(true);
  EXPECT_EQ(x.grad().item(), 1);
  y.backward();
  EXPECT_EQ(x.grad().item(), 1 + 3);
}

TEST(Tensor, ZeroGradForgetsTheGradientOfAFrozenLeafToo) {
  Tensor x = scalar(2, {.requires_grad = true});
  (x * 1.0).backward();
  x.set_requires_grad(false);
  x.zero_grad();
  x.set_requires_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Tensor, RequiringAGradientAgainChangesNothing) {
  Tensor x = scalar(2, {.requires_grad = true});
  const Tensor y = x * 3.0;
  (x * 1.0).backward();
  x.set_requires_grad();
  y.backward();
  EXPECT_EQ(x.grad().item(), 1 + 3);
}

}  // namespace
}  // namespace adjoint
