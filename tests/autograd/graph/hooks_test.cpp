// Hooks on gradients, and results that retain their own.

#include "adjoint/graph/hooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "adjoint/graph/backward_in_parts.h"
#include "adjoint/graph/grad.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/graphs.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::error_of;
using support::expect_error;
using support::leaf;
using support::numbers;

using testing::ElementsAre;

TEST(Hooks, ReplaceTheCompleteGradientBeforeItIsRetained) {  // pytorch 85849
  for (const bool retains_first : {false, true}) {
    const Tensor x = leaf(2);
    const Tensor y = x * 3.0;
    std::vector<double> seen;
    if (retains_first) y.retain_grad();
    register_hook(y, [&](const Tensor& dy) {
      seen.push_back(dy.item());
      return dy * 10.0;
    });
    if (!retains_first) y.retain_grad();
    (y + y * 2.0).backward();
    EXPECT_EQ(y.grad().item(), 30);
    EXPECT_EQ(x.grad().item(), 90);
    EXPECT_THAT(seen, ElementsAre(3)) << "once, with the full sum";
  }
}

TEST(Hooks, RunInTheOrderOfRegistrationUntilTheyAreRemoved) {
  const Tensor x = leaf(2);
  HookHandle add = register_hook(x, [](const Tensor& dx) { return dx + 1.0; });
  HookHandle multiply = register_hook(x, [](const Tensor& dx) { return dx * 10.0; });
  double seen = 0;
  register_hook(x, [&](const Tensor& dx) { seen = dx.item(); });
  EXPECT_EQ(grad(x * 3.0, x).item(), 40);
  EXPECT_EQ(seen, 40);
  (x * 3.0).backward();
  EXPECT_EQ(x.grad().item(), 40);
  add.remove();
  add.remove();
  EXPECT_EQ(grad(x * 3.0, x).item(), 30);
  multiply.remove();
  EXPECT_EQ(grad(x * 3.0, x).item(), 3);
  EXPECT_EQ(seen, 3);
}

TEST(Hooks, MayRemoveThemselvesAndRegisterOthers) {
  const Tensor x = leaf(2);
  const auto token = std::make_shared<int>(7);
  auto handle = std::make_shared<std::unique_ptr<HookHandle>>();
  *handle = std::make_unique<HookHandle>(register_hook(x, [handle, x, token](const Tensor& dx) {
    const auto keeps_this_alive = handle;
    (*handle)->remove();
    register_hook(x, [](const Tensor& d) { return d * 100.0; });
    return dx * static_cast<double>(*token);
  }));
  EXPECT_EQ(grad(x * 3.0, x).item(), 21);
  EXPECT_EQ(token.use_count(), 1) << "a removed hook frees what it captured";
  EXPECT_EQ(grad(x * 3.0, x).item(), 300);
}

TEST(Hooks, AreRecordedWithCreateGraph) {
  const Tensor x = leaf(2);
  const Tensor y = x * x;
  register_hook(y, [](const Tensor& dy) { return dy * dy; });
  const Tensor v = leaf(3);
  const Tensor dx = grad(y, x, {.gradient = v, .create_graph = true});  // 2 x v^2
  EXPECT_EQ(dx.item(), 36);
  EXPECT_THAT(numbers(grad(dx, {x, v})), ElementsAre(18, 24));
}

TEST(Hooks, CannotChangeTensorsOfTheCaller) {  // pytorch PR 185286
  const Tensor x = tensor({1, 2}, {.requires_grad = true});
  const Tensor dy = tensor({3, 4});
  Tensor kept;
  register_hook(x, [&](const Tensor& dx) {
    kept = dx;
    kept.mutable_data<float>()[0] = 50;
  });
  x.backward(dy);
  EXPECT_THAT(numbers(dy), ElementsAre(3, 4));
  EXPECT_THAT(numbers(x.grad()), ElementsAre(50, 4));
  kept.mutable_data<float>()[1] = 60;
  EXPECT_THAT(numbers(x.grad()), ElementsAre(50, 4)) << "what a hook keeps is not the gradient";
}

TEST(Hooks, MayRunBackwardOverTheSameGraph) {
  const Tensor x = leaf(2);
  const Tensor y = x * x;
  register_hook(y, [&](const Tensor& dy) {
    const GradMode recording(true);
    return dy * grad(x * x * x, x);
  });
  (y * 5.0).backward();
  EXPECT_EQ(x.grad().item(), 5 * 12 * 4);
}

TEST(Hooks, AnExceptionLeavesEverythingUsable) {
  const std::int64_t before = live_nodes();
  {
    const Tensor x = leaf(2);
    HookHandle fails = register_hook(x, [](const Tensor&) { throw std::runtime_error("no"); });
    const Tensor y = (x * x).retain_grad();
    const Tensor z = y * 3.0;
    EXPECT_THROW(z.backward({.retain_graph = true}), std::runtime_error);
    EXPECT_FALSE(x.grad().defined());
    EXPECT_FALSE(y.grad().defined());
    EXPECT_TRUE(grad_enabled());
    EXPECT_THROW(z.backward(), std::runtime_error);
    expect_error<GraphError>(
        "backward: an earlier backward over this graph failed in a hook after it had freed mul; compute the "
        "graph anew, or pass {.retain_graph = true} there",
        [&] { z.backward(); });
    fails.remove();
    (x * x).backward();
    EXPECT_EQ(x.grad().item(), 4);
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Hooks, OwnNothingAfterTheGraphIsFreed) {  // pytorch 82528
  const std::int64_t before = live_nodes();
  {
    const Tensor x = leaf(2);
    const Tensor y = x * x;
    const HookHandle handle = register_hook(y, [y](const Tensor& dy) { return dy * y.item(); });
    y.backward();
    EXPECT_EQ(x.grad().item(), 16);
  }
  EXPECT_EQ(live_nodes(), before);
  const auto token = std::make_shared<int>();
  {
    const Tensor x = leaf(2);
    const HookHandle handle = register_hook(x * x, [token](const Tensor&) {});
    EXPECT_EQ(token.use_count(), 1) << "the handle keeps no hook of a dead node";
  }
}

TEST(Hooks, ExplainMisuse) {
  const Tensor x = ones({2}, {.requires_grad = true});
  expect_error<GraphError>(
      "register_hook: the tensor [2] requires no gradient, so no pass would run the hook",
      [] { register_hook(ones({2}), [](const Tensor&) {}); });
  const Tensor y = x * x;
  register_hook(y, [](const Tensor&) { return ones({1}); });
  expect_error<GraphError>(
      "register_hook: a hook must return a gradient like the tensor, a float32 [2] computed by mul; it "
      "returned a float32 [1]",
      [&] { y.backward(ones({2})); });
  register_hook(x, [](const Tensor& dx) { return dx.to(float64); });
  expect_error<GraphError>(
      "register_hook: a hook must return a gradient like the tensor, a float32 [2]; it returned a float64 "
      "[2]",
      [&] { x.backward(ones({2})); });
}

TEST(Hooks, RunForEachPartInEveryThread) {
  const Tensor x = leaf(2);
  register_hook(x, [](const Tensor& dx) { return dx * 10.0; });
  backward_in_parts(8, [&](std::int64_t i) { return x * static_cast<double>(i); });
  EXPECT_EQ(x.grad().item(), 280);
}

TEST(Hooks, MayBeRegisteredAndRemovedWhileOtherThreadsDifferentiate) {
  const Tensor x = leaf(2);
  std::thread other([&] {
    for (int i = 0; i < 300; ++i) register_hook(x, [](const Tensor& dx) { return dx * 1.0; }).remove();
  });
  for (int i = 0; i < 300; ++i) ASSERT_EQ(grad(x * x, x).item(), 4);
  other.join();
}

TEST(RetainGrad, KeepsAndAccumulatesTheGradientOfAResult) {
  const Tensor x = leaf(3);
  const Tensor y = x * x;
  expect_error<GraphError>(
      "grad: the tensor was computed by mul and keeps no gradient; use grad(y, x), or call retain_grad() "
      "before the backward pass",
      [&] { y.grad(); });
  y.retain_grad();
  EXPECT_FALSE(y.grad().defined());
  const Tensor z = y * y + x;
  z.backward({.retain_graph = true});
  EXPECT_EQ(y.grad().item(), 18);
  EXPECT_EQ(x.grad().item(), 109);
  const Tensor first = y.grad();
  z.backward();
  EXPECT_EQ(y.grad().item(), 36);
  EXPECT_EQ(first.item(), 18);
  Tensor(y).zero_grad();
  EXPECT_FALSE(y.grad().defined());
}

TEST(RetainGrad, IsNotPartOfTheGradientThatIsPassedOn) {
  const Tensor x = tensor({1, 2}, {.requires_grad = true});
  const Tensor y = (x * 2.0).retain_grad();
  (y * 3.0).backward(tensor({1, 1}));
  Tensor gradient = y.grad();
  gradient.mutable_data<float>()[0] = 100;
  EXPECT_THAT(numbers(x.grad()), ElementsAre(6, 6));
}

TEST(RetainGrad, OfALeafChangesNothingAndOfAConstantIsRefused) {
  const Tensor x = leaf(3);
  x.retain_grad();
  (x * x).backward();
  EXPECT_EQ(x.grad().item(), 6);
  expect_error<GraphError>("retain_grad: the tensor [2] requires no gradient", [] {
    const Tensor constant = ones({2});
    constant.retain_grad();
  });
}

TEST(RetainGrad, IsSummedOverParts) {
  const Tensor x = leaf(2);
  const Tensor shared = (x * x).retain_grad();
  backward_in_parts(4, [&](std::int64_t i) { return shared * static_cast<double>(i); });
  EXPECT_EQ(shared.grad().item(), 6);
  EXPECT_EQ(x.grad().item(), 24);
}

}  // namespace
}  // namespace adjoint
