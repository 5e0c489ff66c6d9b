#include "autograd/graph/engine.h"

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <thread>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/small_stack.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::numbers;

using testing::ElementsAre;

Tensor leaf(double value) { return scalar(value, {.dtype = float64, .requires_grad = true}); }

/// y = x, counting how often its rule runs.
Tensor counted(const Tensor& x, int& visits) {
  return record("counted", x.values(), {x}, [&visits](const Tensor& dy, Needs) -> Grads {
    ++visits;
    return {dy};
  });
}

/// y = x with a rule of the test's choice.
template <class Rule>
Tensor identity(const Tensor& x, Rule rule) {
  return record("identity", x.values(), {x}, rule);
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

TEST(Backward, FreesTheGraphAndASecondOneNamesTheOp) {  // pytorch 11192
  const Tensor x = leaf(2);
  const Tensor y = x * x;
  y.backward();
  expect_error<GraphError>(
      "backward: the graph of mul was already freed by an earlier backward; pass {.retain_graph = "
      "true} there",
      [&] { y.backward(); });
  EXPECT_EQ(x.grad().item(), 4) << "nothing was added by the failed backward";
}

TEST(Backward, ASharedSubgraphIsFreedToo) {
  const Tensor x = leaf(2);
  const Tensor shared = x * x;
  const Tensor a = shared + 1.0, b = shared + 2.0;
  a.backward();
  EXPECT_THROW(b.backward(), GraphError);
}

TEST(Backward, RetainGraphKeepsIt) {
  const Tensor x = leaf(2);
  const Tensor y = x * x;
  y.backward({.retain_graph = true});
  y.backward();
  EXPECT_EQ(x.grad().item(), 8);
}

// Stored in x, a recorded gradient would own the graph that owns x: there is no way to ask for that.
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

TEST(Backward, AWrongGradientIsRejectedByName) {  // pytorch 65244
  const Tensor x = ones({2}, {.requires_grad = true});
  const Tensor dy = ones({2});
  expect_error<GraphError>(
      "identity: its backward rule returned a float32 gradient of shape [1] for input 0, which is "
      "float32 [2]",
      [&] { identity(x, [](const Tensor&, Needs) -> Grads { return {ones({1})}; }).backward(dy); });
  expect_error<GraphError>(
      "identity: its backward rule returned a float64 gradient of shape [2] for input 0, which is "
      "float32 [2]",
      [&] { identity(x, [](const Tensor& g, Needs) -> Grads { return {g.to(float64)}; }).backward(dy); });
  expect_error<GraphError>("identity: its backward rule returned 2 gradients for 1 inputs", [&] {
    identity(x, [](const Tensor& g, Needs) -> Grads { return {g, g}; }).backward(dy);
  });
  EXPECT_FALSE(x.grad().defined());
}

TEST(Backward, MisuseIsExplained) {
  const Tensor x = tensor({1, 2}, {.requires_grad = true});
  expect_error<ShapeError>("backward: without a gradient the tensor must be a single number, it is [2]",
                           [&] { (x * x).backward(); });
  expect_error<ShapeError>(
      "backward: the gradient must have the shape of the tensor; it is [3], the tensor [2]",
      [&] { (x * x).backward(ones({3})); });
  expect_error<DTypeError>(
      "backward: the gradient must have the dtype of the tensor; it is float64, the tensor float32",
      [&] { (x * x).backward(ones({2}, {.dtype = float64})); });
  const char* text =
      "backward: the tensor [] requires no gradient and was computed from none that does; under NoGrad "
      "nothing "
      "is recorded, and only a gradient from grad(y, x, {.create_graph = true}) can be differentiated";
  expect_error<GraphError>(text, [&] { ones({}).backward(); });
  const Tensor y = leaf(1);
  expect_error<GraphError>(text, [&] { grad(y * y, y).backward(); });
  const NoGrad no_grad;
  expect_error<GraphError>(text, [&] { (y * y).backward(); });
}

TEST(Backward, AThrowingRuleLeavesEverythingUsable) {  // mlx PR 3675
  const Tensor x = leaf(2), y = leaf(3);
  const Tensor z = identity(x * y, [](const Tensor&, Needs) -> Grads { throw std::runtime_error("no"); }) + x;
  EXPECT_THROW(z.backward({.retain_graph = true}), std::runtime_error);
  EXPECT_FALSE(x.grad().defined()) << "half a gradient was left behind";
  EXPECT_TRUE(grad_enabled());
  EXPECT_STREQ(engine::running_op(), "");
  (x * y).backward();
  EXPECT_EQ(x.grad().item(), 3);
}

TEST(Backward, AfterAFailureTheNextOneSaysWhatHappened) {
  const std::int64_t before = live_nodes();
  {
    const Tensor x = leaf(2);
    bool fails = true;
    const Tensor y = identity(x * x, [&](const Tensor& dy, Needs) -> Grads {
      if (fails) throw std::runtime_error("no");
      return {dy};
    });
    const Tensor z = y + x, other = z * 2.0;
    EXPECT_THROW(z.backward(), std::runtime_error);
    fails = false;
    const char* text =
        "backward: an earlier backward over this graph failed in identity after it had freed add; compute "
        "the "
        "graph anew, or pass {.retain_graph = true} there";
    expect_error<GraphError>(text, [&] { z.backward(); });
    expect_error<GraphError>(text, [&] { grad(z, x); });
    expect_error<GraphError>(text, [&] { other.backward(); });
    expect_error<GraphError>(
        "backward: an earlier backward over this graph failed in add after it had freed mul; compute "
        "the graph anew, or pass {.retain_graph = true} there",
        [&] { other.backward(); });
    EXPECT_FALSE(x.grad().defined());
    y.backward();  // the failure did not come so far
    EXPECT_EQ(x.grad().item(), 4);
    expect_error<GraphError>(
        "backward: the graph of identity was already freed by an earlier backward; pass "
        "{.retain_graph = true} there",
        [&] { y.backward(); });
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Backward, AFailureOverARetainedGraphChangesNothing) {
  Tensor x = leaf(2);
  bool fails = true;
  const Tensor y = identity(x * x, [&](const Tensor& dy, Needs) -> Grads {
    if (fails) throw std::runtime_error("no");
    return {dy};
  });
  const Tensor z = y + x;
  EXPECT_THROW(z.backward({.retain_graph = true}), std::runtime_error);
  EXPECT_THROW(grad(z, x, {.create_graph = true}), std::runtime_error);
  fails = false;
  z.backward();
  EXPECT_EQ(x.grad().item(), 5);
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

TEST(Backward, OtherThreadsKeepOutOfANodeThatIsBeingFreed) {
  const Tensor x = leaf(2);
  std::atomic<int> entered = 0;
  std::atomic<bool> others_are_done = false;
  const Tensor trunk = identity(x, [&](const Tensor& dy, Needs) -> Grads {
    const bool is_first = ++entered == 1;
    while (is_first && !others_are_done) std::this_thread::yield();
    return {dy};
  });
  const Tensor first = trunk * 3.0, freeing = trunk * 5.0, retaining = trunk * 7.0;
  std::thread other([&] {
    while (entered == 0) std::this_thread::yield();
    const char* const kMessage =
        "backward: another thread's backward is freeing identity; pass {.retain_graph = true} to both";
    expect_error<GraphError>(kMessage, [&] { freeing.backward(); });
    expect_error<GraphError>(kMessage, [&] { retaining.backward({.retain_graph = true}); });
    others_are_done = true;
  });
  first.backward();
  other.join();
  EXPECT_EQ(entered, 1);
  EXPECT_EQ(x.grad().item(), 3);
}

TEST(Backward, OneOfTwoThreadsThatFreeASharedPartGetsThrough) {
  for (int round = 0; round < 200; ++round) {
    const Tensor x = leaf(2);
    Tensor trunk = x;
    for (int i = 0; i < 50; ++i) trunk = trunk * 1.0;
    const Tensor heads[] = {trunk * 3.0, trunk * 5.0};
    std::atomic<int> ready = 0;
    bool is_through[2] = {};
    const auto go = [&](std::size_t i) {
      ++ready;
      while (ready < 2) std::this_thread::yield();
      try {
        heads[i].backward();
        is_through[i] = true;
      } catch (const GraphError&) {
      }
    };
    std::thread other([&] { go(1); });
    go(0);
    other.join();
    ASSERT_NE(is_through[0], is_through[1]);
    ASSERT_EQ(x.grad().item(), is_through[0] ? 3 : 5);
  }
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

// A pass remembers in each node where its gradient waits, and a pass inside a rule overwrites that: then one
// node waits several times over.
TEST(Backward, JoinsWhatWaitsForANodeSeveralTimes) {
  const Tensor x = leaf(2);
  int visits = 0;
  const Tensor shared = counted(x, visits);
  // A branch whose rule first runs a pass that shared waits in, behind `before` others.
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

TEST(Backward, ThreadsAddToALeafOneAfterTheOther) {
  constexpr std::int64_t kElements = 20'000;
  const Tensor x = zeros({kElements}, {.dtype = float64, .requires_grad = true});
  const Tensor dy = ones({kElements}, {.dtype = float64});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) (x * 3.0).backward(dy);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(numbers(x.grad()), testing::Each(4 * 200 * 3));
}

TEST(Backward, ThreadsMayShareLeaves) {  // burn 5573, pytorch 17566
  const Tensor x = leaf(1);
  const auto train = [&] {
    for (int i = 0; i < 500; ++i) {
      Tensor y = x;
      for (int k = 0; k < 20; ++k) y = y * x;
      y.backward();
    }
  };
  std::thread first(train), second(train);
  first.join();
  second.join();
  EXPECT_EQ(x.grad().item(), 2 * 500 * 21);
}

TEST(Backward, ThreadsMayShareARetainedGraph) {
  const Tensor x = leaf(1);
  Tensor y = x;
  for (int k = 0; k < 200; ++k) y = y * x + y;
  const double expected = grad(y, x, {.retain_graph = true}).item();
  std::vector<double> found(2);
  const auto differentiate = [&](std::size_t i) {
    for (int round = 0; round < 20; ++round) found[i] = grad(y, x, {.retain_graph = true}).item();
  };
  std::thread first(differentiate, 0), second(differentiate, 1);
  first.join();
  second.join();
  EXPECT_THAT(found, ElementsAre(expected, expected));
}

}  // namespace
}  // namespace adjoint
