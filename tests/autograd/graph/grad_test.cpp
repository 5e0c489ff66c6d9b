#include "adjoint/graph/grad.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/graphs.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::identity;
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

TEST(Grad, OfSeveralOutputsIsTheGradientOfTheirSum) {
  const Tensor a = tensor({1, 2}, {.requires_grad = true}), b = tensor({3, 5}, {.requires_grad = true});
  const Tensor product = a * b, square = a * a;
  const auto with_gradients = [&](const JointGradOptions& options) {
    return numbers(grad({product, square, product}, {a, b}, options));
  };
  // d/da = b (v0 + v2) + 2 a v1, d/db = a (v0 + v2)
  const std::vector<Tensor> gradients = {tensor({1, 10}), tensor({100, 1000}), tensor({7, 11})};
  EXPECT_THAT(with_gradients({.gradients = gradients, .retain_graph = true}),
              ElementsAre(3 * 8 + 200, 5 * 21 + 4000, 8, 42));
  EXPECT_THAT(numbers(gradients[0]), ElementsAre(1, 10)) << "the sum must not be computed in it";
  EXPECT_THAT(numbers(grad({sum(product), sum(square)}, {b, a})), ElementsAre(1, 2, 5, 9));
  EXPECT_THROW(with_gradients({.gradients = gradients}), GraphError) << "it was freed";
}

TEST(Grad, OfSeveralOutputsThatAreInputsOrDependOnEachOther) {
  const Tensor x = leaf(3);
  const Tensor y = x * x, z = y * y;
  // L = x + y + z: dL/dz = 1, dL/dy = 1 + 2y, dL/dx = 1 + 2x (1 + 2y)
  EXPECT_THAT(numbers(grad({x, y, z}, {z, y, x, y})), ElementsAre(1, 19, 115, 19));
}

TEST(Grad, OfSeveralOutputsCanBeDifferentiated) {
  const Tensor x = leaf(2), v = leaf(5);
  const auto first = grad({x * x * x, x * x}, {x}, {.gradients = {v, {}}, .create_graph = true});
  EXPECT_EQ(first[0].item(), 64);                                       // 3 x^2 v + 2 x
  EXPECT_THAT(numbers(grad({first[0]}, {x, v})), ElementsAre(62, 12));  // 6 x v + 2, 3 x^2
}

TEST(Grad, OfSeveralOutputsExplainsMisuse) {
  const Tensor x = tensor({1, 2}, {.requires_grad = true});
  Tensor named = ones({2});
  named.set_name("mean");
  expect_error<Error>("grad: there must be one gradient for each output; there are 1 gradients and 2 outputs",
                      [&] {
                        grad({x, x}, {x}, {.gradients = {x}});
                      });
  expect_error<ShapeError>(
      "grad: without a gradient output 1 must be a single number, it is [2]; give dL/dy as one of "
      "{.gradients "
      "= {...}}",
      [&] {
        grad({sum(x), x * x}, {x});
      });
  expect_error<ShapeError>("grad: the gradient must have the shape of output 0; it is [], output 0 [2]",
                           [&] { grad({x * x}, {x}, {.gradients = {scalar(1)}}); });
  const std::string text = support::error_of<GraphError>([&] {
    grad({x, named}, {x}, {.gradients = {x, x}});
  });
  EXPECT_THAT(text, testing::StartsWith("grad: output 1 (mean) [2] requires no gradient"));
}

TEST(Grad, OfNothingIsNothing) {
  const Tensor x = leaf(3);
  const std::span<const Tensor> none;
  EXPECT_TRUE(grad(x * x, none).empty());
  EXPECT_EQ(grad(none, std::span(&x, 1))[0].item(), 0);
}

TEST(Grad, SaysWhichInputIsUnused) {
  const Tensor x = leaf(3), other = leaf(4);
  const Tensor beside = other * x;  // made from x, but not used for y
  const Tensor y = x * x;
  const auto gradients = grad(y, {beside, x, other}, {.undefined_if_unused = true});
  EXPECT_FALSE(gradients[0].defined());
  EXPECT_EQ(gradients[1].item(), 6);
  EXPECT_FALSE(gradients[2].defined());
  EXPECT_FALSE(grad({x * x}, {other}, {.undefined_if_unused = true})[0].defined());
}

TEST(Grad, RunsOnlyTheRulesBetweenYAndTheInputs) {
  const Tensor x = leaf(2), w = leaf(3);
  std::string visits;
  const auto op = [&](const Tensor& in, char name) {
    return identity(in, [&visits, name](const Tensor& dy, Needs) -> Grads {
      visits += name;
      return {dy};
    });
  };
  const Tensor a = op(x, 'a');
  const Tensor beside = op(w, 'b');  // later than a, but leads to w only
  const Tensor beside_too = op(beside * w, 'c');
  const Tensor d = op(a * beside_too, 'd'), e = op(beside, 'e');
  const Tensor end = d + e;
  EXPECT_EQ(grad(end, x, {.retain_graph = true}).item(), 9);
  EXPECT_EQ(visits, "da");
  visits.clear();
  EXPECT_EQ(grad(end, a, {.retain_graph = true}).item(), 9);
  EXPECT_EQ(visits, "d");
  visits.clear();
  EXPECT_EQ(grad(end, beside, {.retain_graph = true}).item(), 7);
  EXPECT_EQ(visits, "edc");
  visits.clear();
  EXPECT_THAT(numbers(grad(end, {beside_too, x})), ElementsAre(2, 9));
  EXPECT_EQ(visits, "da");
  grad(beside_too, w);  // was not visited, so it is not freed
}

TEST(Grad, FindsTheWayThroughWideGraphs) {
  // Every op of a layer reads two of the layer before, so there are 2^30 paths; only some lead to x.
  constexpr std::size_t kWidth = 8;
  const Tensor x = leaf(1), w = leaf(1);
  std::vector<Tensor> layer(kWidth, w);
  layer[0] = x * 1.0;
  int visits = 0;
  for (int depth = 0; depth < 30; ++depth) {
    std::vector<Tensor> next;
    for (std::size_t i = 0; i < kWidth; i += 2) {  // pairs never mix, so only the first leads to x
      for (int twice = 0; twice < 2; ++twice)
        next.push_back(identity(layer[i] + layer[i + 1], [&](const Tensor& dy, Needs) -> Grads {
          ++visits;
          return {dy * 0.5};
        }));
    }
    layer = next;
  }
  Tensor y = layer[0];
  for (std::size_t i = 1; i < kWidth; ++i) y = y + layer[i];
  // The factor 0.5 and the two readers cancel; in the first layer one of two inputs is x.
  EXPECT_EQ(grad(y, x).item(), 1);
  EXPECT_EQ(visits, 60);
}

}  // namespace
}  // namespace adjoint
