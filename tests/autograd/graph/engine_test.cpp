// The backward pass: what it computes, in which order, and the state of the graph afterwards.

#include "autograd/graph/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/graphs.h"
#include "tests/support/small_stack.h"

namespace adjoint {
namespace {

using support::identity;
using support::leaf;
using support::numbers;

using testing::ElementsAre;

/// y = x, counting how often its rule runs.
Tensor counted(const Tensor& x, int& visits) {
  return identity(x, [&visits](const Tensor& dy, Needs) -> Grads {
    ++visits;
    return {dy};
  });
}

TEST(Backward, ProductAndSum) {
  const Tensor a = leaf(3), b = leaf(4);
  (a * b + a).backward();
  EXPECT_EQ(a.grad().item(), 5);
  EXPECT_EQ(b.grad().item(), 3);
}

TEST(Backward, OfALeafItselfIsOne) {
  const Tensor x = leaf(3);
  x.backward();
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(Backward, TakesAGradientForTensorsOfManyElements) {
  const Tensor x = tensor({1, 2, 3}, {.requires_grad = true});
  (x * x).backward(tensor({1, 10, 100}));
  EXPECT_THAT(numbers(x.grad()), ElementsAre(2, 40, 600));
}

TEST(Backward, AccumulatesOnLeavesAndLeavesOldHandlesAlone) {
  const Tensor x = leaf(2);
  (x * 3.0).backward();
  const Tensor first = x.grad();
  (x * 4.0).backward();
  EXPECT_EQ(x.grad().item(), 7);
  EXPECT_EQ(first.item(), 3);
  Tensor(x).zero_grad();
  EXPECT_FALSE(x.grad().defined());
  (x * 5.0).backward();
  EXPECT_EQ(x.grad().item(), 5);
}

TEST(Backward, AddsInPlaceToAGradientThatNobodyHolds) {
  const Tensor x = tensor({1, 2}, {.requires_grad = true});
  const auto memory_of_the_gradient = [&] {
    const Tensor gradient = x.grad();
    return gradient.data<float>().data();
  };
  sum(x * 3.0).backward();
  const float* before = memory_of_the_gradient();
  sum(x * 4.0).backward();
  EXPECT_EQ(memory_of_the_gradient(), before);
  const Tensor gradient = x.grad();
  EXPECT_THAT(gradient.data<float>(), ElementsAre(7, 7));
}

TEST(Backward, VisitsADiamondInOrder) {  // micrograd PR 64, tinygrad PR 165
  const Tensor x = leaf(3);
  const Tensor b = x + x, c = b + b;
  (c * b).backward();  // 2b b = 8 x^2
  EXPECT_EQ(x.grad().item(), 48);
}

TEST(Backward, VisitsEachNodeOnceHoweverManyPathsThereAre) {  // autodiff 332
  int visits = 0;
  const Tensor x = leaf(1);
  Tensor y = x;
  for (int level = 0; level < 60; ++level) y = counted(y * y, visits);
  y.backward();
  EXPECT_EQ(visits, 60);
  EXPECT_EQ(x.grad().item(), 0x1p60);
}

TEST(Backward, SumsManyUsesOfOneTensor) {
  const Tensor x = leaf(1);
  Tensor y = leaf(0);
  for (int i = 0; i < 1000; ++i) y = y + x * static_cast<double>(i);
  y.backward();
  EXPECT_EQ(x.grad().item(), 999 * 1000 / 2);
}

// pytorch 5534, mlx PR 982, autodiff 314
TEST(Backward, AMillionNodesAreBuiltDifferentiatedAndFreedOnASmallStack) {
  const std::int64_t before = live_nodes();
  on_small_stack([] {
    const Tensor x = leaf(1);
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y + 1.0;
    y.backward();
    EXPECT_EQ(x.grad().item(), 1);
    Tensor never_differentiated = x;
    for (int i = 0; i < 1'000'000; ++i) never_differentiated = never_differentiated * never_differentiated;
  });
  EXPECT_EQ(live_nodes(), before);
}

TEST(Backward, RetainGraphKeepsIt) {
  const Tensor x = leaf(2);
  const Tensor y = x * x;
  y.backward({.retain_graph = true});
  y.backward();
  EXPECT_EQ(x.grad().item(), 8);
}

// A recorded gradient that is stored in x would own the graph that owns x. So there is no way to request it.
template <class Options>
concept HasCreateGraph = requires(Options options) {
  options.create_graph;
};
static_assert(HasCreateGraph<GradOptions> && !HasCreateGraph<BackwardOptions>);

TEST(Backward, HigherOrderUseLeavesNothingBehind) {  // pytorch 7343, 25340
  const std::int64_t before = live_nodes();
  {
    const Tensor x = leaf(2);
    for (int i = 0; i < 1000; ++i) {
      const Tensor dx = grad(x * x * x, x, {.create_graph = true});
      const Tensor ddx = grad(dx, x, {.create_graph = true});
      (dx * ddx).backward({.retain_graph = true});
      if (i % 2 == 0) (x.grad() * dx).backward();
    }
    EXPECT_EQ(live_nodes(), before + 1);
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Backward, GradientsAreConstants) {
  const Tensor x = leaf(2), c = leaf(1);
  identity(x, [c](const Tensor&, Needs) -> Grads { return {c}; }).backward();
  EXPECT_FALSE(x.grad().requires_grad());
  const Tensor y = leaf(2);
  identity(y, [c](const Tensor&, Needs) -> Grads {
    const GradMode recording(true);
    return {c * 2.0};
  }).backward();
  EXPECT_FALSE(y.grad().requires_grad());
}

TEST(Backward, UnwantedGradientsAreNotAskedFor) {
  const Tensor x = leaf(2), constant = scalar(3, {.dtype = float64});
  bool asked = false;
  record("two", x.values(), {x, constant}, [&](const Tensor& dy, Needs needs) -> Grads {
    EXPECT_TRUE(needs[0]);
    asked = needs[1];
    return {dy, Tensor{}};
  }).backward();
  EXPECT_FALSE(asked);
}

TEST(Backward, AnUndefinedGradientStandsForZero) {  // pytorch 33138
  const Tensor x = leaf(2), y = leaf(3);
  (identity(x, [](const Tensor&, Needs) -> Grads { return {Tensor{}}; }) + y).backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(y.grad().item(), 1);
}

TEST(Backward, MayRunInsideARule) {  // burn 5193, pytorch 12106
  const Tensor x = leaf(2), inner = leaf(5);
  identity(x, [&](const Tensor& dy, Needs) -> Grads {
    const GradMode recording(true);
    (inner * inner).backward();
    return {dy};
  }).backward();
  EXPECT_EQ(x.grad().item(), 1);
  EXPECT_EQ(inner.grad().item(), 10);
}

TEST(Backward, MayRunInsideARuleOverTheSameGraph) {
  const Tensor x = leaf(2);
  const Tensor shared = x * x;
  const Tensor y = identity(shared, [&](const Tensor& dy, Needs) -> Grads {
    EXPECT_EQ(grad(shared, x, {.retain_graph = true}).item(), 4);
    return {dy};
  });
  (y + shared).backward();
  EXPECT_EQ(x.grad().item(), 8);
}

// A pass stores in each node the place of its gradient, and a pass inside a rule overwrites it. Then one node
// has several entries.
TEST(Backward, JoinsWhatWaitsForANodeSeveralTimes) {
  const Tensor x = leaf(2);
  int visits = 0;
  const Tensor shared = counted(x, visits);
  // A branch whose rule first runs another pass, in which shared has an entry after `before` others.
  const auto branch = [&](double factor, std::size_t before) {
    return identity(shared, [=](const Tensor& dy, Needs) -> Grads {
      const GradMode recording(true);
      std::vector<Tensor> tensors;
      for (std::size_t i = 0; i < before; ++i) tensors.push_back(shared * 0.0);
      tensors.push_back(shared);
      const std::vector<Input> inputs(tensors.begin(), tensors.end());
      const Tensor inner = record("inner", shared.values(), inputs, [before](const Tensor& d, Needs) {
        Grads grads = Grads::with_size(before + 1);
        for (Tensor& gradient : grads) gradient = d;
        return grads;
      });
      EXPECT_EQ(grad(inner, shared).item(), 1);
      return {dy * factor};
    });
  };
  const Tensor a = branch(1, 20), b = branch(10, 40), c = branch(100, 0);
  record("join", x.values(), {a, b, c}, [](const Tensor& dy, Needs) -> Grads {
    return {dy, dy, dy};
  }).backward();
  EXPECT_EQ(visits, 1);
  EXPECT_EQ(x.grad().item(), 111);
}

}  // namespace
}  // namespace adjoint
