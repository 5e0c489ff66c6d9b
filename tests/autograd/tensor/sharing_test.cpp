// Tensors may share memory, but writing to one never changes another: results of ops that do not change their
// argument, gradients, and tensors that were passed to backward().

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "adjoint/graph/backward_in_parts.h"
#include "adjoint/graph/grad.h"
#include "adjoint/graph/node.h"
#include "adjoint/modules/activations.h"
#include "adjoint/modules/sequential.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/graphs.h"

namespace adjoint {
namespace {

using support::identity;
using support::numbers;
using testing::Each;
using testing::ElementsAre;

Tensor leaf(std::initializer_list<double> values) {
  return tensor(values, {.dtype = float64, .requires_grad = true});
}

void fill(Tensor x, double value) {
  for (double& element : x.mutable_data<double>()) element = value;
}

struct Case {
  const char* name;
  Tensor (*apply)(const Tensor& x);  // x [2,3] unchanged, with any shape
};

class OpsThatDoNothing : public testing::TestWithParam<Case> {};

const Case kCases[] = {
    {"to", [](const Tensor& x) { return x.to(float64); }},
    {"detach", [](const Tensor& x) { return x.detach(); }},
    {"values", [](const Tensor& x) { return Tensor(x.values()); }},
    {"reshape",
     [](const Tensor& x) {
       return reshape(x, Shape{2, 3});
     }},
    {"reshape_list",
     [](const Tensor& x) {
       return reshape(x, {2, 3});
     }},
    {"reshape_inferred",
     [](const Tensor& x) {
       return reshape(x, {-1, 3});
     }},
    {"reshape_other",
     [](const Tensor& x) {
       return reshape(x, {3, 2});
     }},
    {"flatten", [](const Tensor& x) { return flatten(x); }},
    {"flatten_last", [](const Tensor& x) { return flatten(x, {.start_axis = -1}); }},
    {"permute",
     [](const Tensor& x) {
       return permute(x, {0, 1});
     }},
    {"transpose", [](const Tensor& x) { return transpose(x, 1, 1); }},
    {"sum_to",
     [](const Tensor& x) {
       return sum_to(x, {2, 3});
     }},
    {"broadcast_to",
     [](const Tensor& x) {
       return broadcast_to(x, {2, 3});
     }},
    {"sum", [](const Tensor& x) { return sum(x, {}); }},
    {"mean", [](const Tensor& x) { return mean(x, {}); }},
    {"max", [](const Tensor& x) { return max(x, {}); }},
    {"Sequential", [](const Tensor& x) { return Sequential()(x); }},
    {"Flatten", [](const Tensor& x) { return Sequential(Flatten())(x); }},
};
INSTANTIATE_TEST_SUITE_P(All, OpsThatDoNothing, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(OpsThatDoNothing, GiveAConstantThatIsApart) {
  const Tensor x = full({2, 3}, 1, {.dtype = float64});
  Tensor y = GetParam().apply(x);
  EXPECT_FALSE(y.is_same(x));
  fill(y, 2);
  EXPECT_THAT(numbers(x), Each(1));
  fill(x, 3);
  EXPECT_THAT(numbers(y), Each(2));
  y.set_requires_grad();
  EXPECT_FALSE(x.requires_grad());
}

TEST_P(OpsThatDoNothing, GiveAResultOfALeafThatIsApart) {
  const Tensor x = full({2, 3}, 1, {.dtype = float64, .requires_grad = true});
  const Tensor y = GetParam().apply(x);
  EXPECT_FALSE(y.is_same(x));
  if (y.requires_grad()) {
    EXPECT_THROW(fill(y, 2), GraphError);
    y.backward(reshape(tensor({1, 2, 3, 4, 5, 6}, {.dtype = float64}), y.shape()));
    EXPECT_THAT(numbers(x.grad()), ElementsAre(1, 2, 3, 4, 5, 6));
  } else {
    fill(y, 2);
  }
  const std::vector<double> before = numbers(y);
  EXPECT_THAT(numbers(x), Each(1));
  fill(x, 3);
  EXPECT_EQ(numbers(y), before);
}

TEST_P(OpsThatDoNothing, RecordNothingUnderNoGrad) {
  const Tensor x = full({2, 3}, 1, {.dtype = float64, .requires_grad = true});
  const Tensor result = x * 2.0;
  const NoGrad no_grad;
  EXPECT_FALSE(GetParam().apply(x).requires_grad());
  EXPECT_FALSE(GetParam().apply(result).requires_grad());
}

TEST(Gradients, OfTwoLeavesAreApart) {
  for (const bool difference : {false, true}) {
    const Tensor a = leaf({1, 2}), b = leaf({3, 4});
    sum(difference ? a - b : a + b).backward();
    fill(a.grad(), 0.5);
    EXPECT_THAT(numbers(b.grad()), Each(difference ? -1 : 1));
    fill(b.grad(), 7);
    EXPECT_THAT(numbers(a.grad()), Each(0.5));
  }
}

TEST(Gradients, AreApartFromTheOneGiven) {
  const Tensor x = leaf({1, 2}), itself = leaf({3, 4});
  const Tensor dy = tensor({10, 20}, {.dtype = float64});
  (x + 1.0).backward(dy);
  itself.backward(dy);
  fill(dy, 0);
  EXPECT_THAT(numbers(x.grad()), ElementsAre(10, 20));
  EXPECT_THAT(numbers(itself.grad()), ElementsAre(10, 20));
  fill(x.grad(), 5);
  EXPECT_THAT(numbers(dy), Each(0));
  EXPECT_THAT(numbers(itself.grad()), ElementsAre(10, 20));
}

TEST(Gradients, ThatARuleReturnsStayTheRules) {
  const Tensor a = leaf({1, 2}), b = leaf({1, 2}), kept = tensor({7, 8}, {.dtype = float64});
  record("two", a.values(), {a, b}, [kept](const Tensor&, Needs) -> Grads {
    return {kept, kept};
  }).backward(kept);
  fill(a.grad(), 0);
  EXPECT_THAT(numbers(kept), ElementsAre(7, 8));
  EXPECT_THAT(numbers(b.grad()), ElementsAre(7, 8));
}

TEST(Gradients, MayBeChangedByARuleThatGetsThem) {  // pytorch PR 185286
  const auto doubles = [](Tensor dy, Needs) -> Grads {
    for (double& element : dy.mutable_data<double>()) element *= 2;
    return {dy};
  };
  const Tensor a = leaf({1}), b = leaf({1}), c = leaf({1});
  const Tensor dy = tensor({1}, {.dtype = float64});
  const Tensor inner = identity(b, doubles);
  const Tensor y = identity(a, doubles) + (inner + c);
  const std::vector<Tensor> found = grad(y, {inner, a, b, c}, {.gradient = dy, .retain_graph = true});
  EXPECT_EQ(found[0].item(), 1) << "what grad() returns is not the rule's to write to";
  EXPECT_EQ(found[1].item(), 2);
  EXPECT_EQ(found[2].item(), 2);
  EXPECT_EQ(found[3].item(), 1);
  y.backward(dy);
  EXPECT_EQ(a.grad().item(), 2);
  EXPECT_EQ(b.grad().item(), 2);
  EXPECT_EQ(c.grad().item(), 1);
  EXPECT_EQ(dy.item(), 1);
}

TEST(Gradients, OfPartsAreApart) {
  const Tensor a = leaf({1}), b = leaf({2});
  backward_in_parts(3, [&](std::int64_t) { return sum(a + b); });
  fill(a.grad(), 0);
  EXPECT_EQ(b.grad().item(), 3);
}

TEST(GradResults, AreApart) {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  const std::vector<Tensor> found = grad(sum(a + b), {a, b, a});
  fill(found[0], 5);
  EXPECT_THAT(numbers(found[1]), Each(1));
  EXPECT_THAT(numbers(found[2]), Each(1));

  const Tensor dy = tensor({10, 20}, {.dtype = float64});
  const Tensor da = grad(a + 1.0, a, {.gradient = dy});
  const Tensor dy_again = grad(a, a, {.gradient = dy});
  fill(da, 0);
  fill(dy_again, 1);
  EXPECT_THAT(numbers(dy), ElementsAre(10, 20));
}

TEST(GradResults, OfARecordedGradientAreResultsOfOps) {
  const Tensor x = leaf({1, 2}), v = leaf({10, 20});
  const Tensor dx = grad(x + 1.0, x, {.gradient = v, .create_graph = true});
  EXPECT_FALSE(dx.is_same(v));
  EXPECT_THROW(fill(dx, 0), GraphError);
  sum(dx * dx).backward();
  EXPECT_THAT(numbers(v.grad()), ElementsAre(20, 40));
}

}  // namespace
}  // namespace adjoint
