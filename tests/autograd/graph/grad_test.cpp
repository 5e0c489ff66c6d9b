#include "adjoint/graph/grad.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/graphs.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::leaf;
using support::numbers;

using testing::Each;
using testing::ElementsAre;

TEST(Grad, OfLeavesLeavesThemAlone) {
  const Tensor x = leaf(3), y = leaf(4);
  const auto gradients = grad(x * x * y, {x, y});
  EXPECT_EQ(gradients[0].item(), 24);
  EXPECT_EQ(gradients[1].item(), 9);
  EXPECT_FALSE(x.grad().defined());
}

TEST(Grad, OfResultsInBetween) {
  const Tensor x = leaf(3);
  const Tensor between = x * x;
  const Tensor y = between * between + x;
  const auto gradients = grad(y, {between, x, y});
  EXPECT_EQ(gradients[0].item(), 18);
  EXPECT_EQ(gradients[1].item(), 109);
  EXPECT_EQ(gradients[2].item(), 1);
}

TEST(Grad, IsZeroWhereYDoesNotDependOnX) {
  const Tensor x = leaf(3), other = tensor({1, 2}, {.requires_grad = true});
  const Tensor g = grad(x * x, other);
  EXPECT_EQ(g.shape(), (Shape{2}));
  EXPECT_THAT(g.data<float>(), Each(0));
}

TEST(Grad, TakesTheGradientOfY) {
  const Tensor x = tensor({1, 2}, {.requires_grad = true});
  EXPECT_THAT(numbers(grad(x * x, x, {.gradient = tensor({3, 5})})), ElementsAre(6, 20));
  expect_error<ShapeError>(
      "grad: without a gradient y must be a single number, it is [2]; give dL/dy as {.gradient = ...}",
      [&] { grad(x * x, x); });
}

TEST(Grad, HigherDerivatives) {
  const Tensor x = leaf(2);
  Tensor derivative = x * x * x * x;
  for (const double expected : {32.0, 48.0, 48.0, 24.0}) {
    derivative = grad(derivative, x, {.create_graph = true});
    EXPECT_EQ(derivative.item(), expected);
  }
  EXPECT_FALSE(derivative.requires_grad()) << "a constant";
}

TEST(Grad, DoesNotComputeWhatNobodyAskedFor) {
  const Tensor x = leaf(3), w = leaf(4);
  int asked = 0;
  const Tensor y = record("two", x.values(), {x, w}, [&](const Tensor& dy, Needs needs) -> Grads {
    asked += needs[0] ? 1 : 0;
    asked += needs[1] ? 10 : 0;
    return {needs[0] ? dy : Tensor{}, needs[1] ? dy : Tensor{}};
  });
  grad(y, w);
  EXPECT_EQ(asked, 10);
}

TEST(Grad, NeedsInputsThatRequireAGradient) {
  const Tensor x = leaf(3);
  const char* hint =
      " requires no gradient and was computed from none that does; under NoGrad nothing is recorded, and "
      "only "
      "a gradient from grad(y, x, {.create_graph = true}) can be differentiated";
  Tensor constant = ones({2}, {.dtype = float64});
  expect_error<GraphError>(std::string("grad: input 0 [2]") + hint, [&] { grad(x * x, constant); });
  constant.set_name("frozen");
  expect_error<GraphError>(std::string("grad: input 1 (frozen) [2]") + hint, [&] {
    grad(x * x, {x, constant});
  });
  expect_error<GraphError>(std::string("grad: y []") + hint, [&] { grad(scalar(1), x); });
}

TEST(Grad, TakesManyInputs) {
  constexpr std::size_t kInputs = 150'000;  // minutes, if each were compared with all others
  std::vector<Tensor> xs;
  for (std::size_t i = 0; i < kInputs; ++i) xs.push_back(leaf(0));
  const std::vector<Input> inputs(xs.begin(), xs.end());
  const Tensor y =
      record("many", scalar(0, {.dtype = float64}).values(), inputs, [](const Tensor& dy, Needs) {
        Grads grads = Grads::with_size(kInputs);
        for (std::size_t i = 0; i < kInputs; ++i) grads[i] = dy * static_cast<double>(i);
        return grads;
      });
  std::reverse(xs.begin(), xs.end());
  const std::vector<Tensor> found = grad(y, xs);
  for (std::size_t i = 0; i < kInputs; ++i)
    ASSERT_EQ(found[i].item(), static_cast<double>(kInputs - 1 - i)) << "input " << i;
}

TEST(Grad, FreesTheGraphUnlessRetained) {
  const Tensor x = leaf(3);
  const Tensor y = x * x;
  grad(y, x, {.retain_graph = true});
  grad(y, x);
  EXPECT_THROW(grad(y, x), GraphError);
}

}  // namespace
}  // namespace adjoint
