// Parts of a graph that are computed again in the backward pass.

#include "adjoint/graph/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <vector>

#include "adjoint/graph/backward_in_parts.h"
#include "adjoint/graph/grad.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "adjoint/tensor/random.h"
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

TEST(Checkpoint, GivesGradientsToInputsAndToWhatTheFunctionUses) {
  const Tensor x = leaf(2), w = leaf(3);
  const Tensor constant = scalar(5, {.dtype = float64});
  int calls = 0;
  const Tensor y = checkpoint(
      [&](auto in) {
        EXPECT_EQ(is_recomputing(), calls == 1);
        ++calls;
        return in[0] * in[0] * w * in[1];
      },
      {x, constant});
  EXPECT_STREQ(y.op(), "checkpoint");
  EXPECT_EQ(y.item(), 60);
  (y * 1.0).backward();
  EXPECT_EQ(x.grad().item(), 60);  // 2 x w c
  EXPECT_EQ(w.grad().item(), 20);  // x^2 c
  EXPECT_EQ(calls, 2);
  EXPECT_FALSE(is_recomputing());
}

TEST(Checkpoint, KeepsNoNodesOfTheFunction) {
  const std::int64_t before = live_nodes();
  {
    const Tensor x = leaf(1);
    const Tensor y = checkpoint(
        [](auto in) {
          Tensor h = in[0];
          for (int i = 0; i < 100; ++i) h = h * in[0];
          return h;
        },
        {x});
    EXPECT_EQ(live_nodes(), before + 2);
    EXPECT_EQ(grad(y, x).item(), 101);
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Checkpoint, CountsEveryPathOnce) {
  // The captured c was computed from x, and so was the input b.
  const Tensor x = leaf(2);
  const Tensor b = x * x, c = b * x;
  const auto f = [&](auto in) { return in[0] * in[1] * c * b; };  // x^2 x x^3 x^2 = x^8
  EXPECT_EQ(grad(checkpoint(f, {b, x}), x, {.retain_graph = true}).item(), 8 * 128);
  EXPECT_THAT(numbers(grad(checkpoint(f, {b, x}), {b, c}, {.retain_graph = true})),
              ElementsAre(2 * 4 * 2 * 8 + 2 * 16 * 2, 32));  // c depends on b: d(b^2 x c)/db = 2bxc + b^2 x^2
  const Tensor first = grad(checkpoint(f, {b, x}), x, {.create_graph = true});
  EXPECT_EQ(grad(first, x).item(), 56 * 64);
}

TEST(Checkpoint, CanBeDifferentiatedAgain) {
  const Tensor x = leaf(2), w = leaf(3), v = leaf(5);
  const auto f = [&](auto in) { return in[0] * in[0] * in[0] * w; };
  const Tensor first = grad(checkpoint(f, {x}), x, {.gradient = v, .create_graph = true});  // 3 x^2 w v
  EXPECT_EQ(first.item(), 180);
  EXPECT_THAT(numbers(grad(first, {x, w, v}, {.retain_graph = true})), ElementsAre(180, 60, 36));
  const Tensor second = grad(first, x, {.create_graph = true});
  EXPECT_EQ(grad(second, x).item(), 90);
}

TEST(Checkpoint, DrawsTheSameRandomNumbers) {
  const Tensor x = ones({50}, {.dtype = float64, .requires_grad = true});
  manual_seed(3);
  std::vector<double> drawn;
  const auto f = [&](auto in) {
    const Tensor factors = uniform({50}, 0, 1, {.dtype = float64});
    drawn = numbers(factors);
    return in[0] * factors;
  };
  const Tensor y = checkpoint(f, {x});
  const std::vector<double> first = drawn;
  const Rng before = default_rng();
  y.backward(ones({50}, {.dtype = float64}));
  EXPECT_EQ(drawn, first);
  EXPECT_EQ(numbers(x.grad()), first);
  Rng expected = before;
  EXPECT_EQ(default_rng()(), expected());
}

TEST(Checkpoint, Nests) {
  const Tensor x = leaf(2), w = leaf(3);
  int calls = 0;
  const auto inner = [&](auto in) {
    ++calls;
    return in[0] * in[0] * w;
  };
  const auto outer = [&](auto in) { return checkpoint(inner, {in[0] * w}) * in[0]; };  // x^3 w^3
  const Tensor y = checkpoint(outer, {x});
  EXPECT_THAT(numbers(grad(y, {x, w})), ElementsAre(3 * 4 * 27, 8 * 27));
  EXPECT_EQ(calls, 3);  // forward, again for outer, again for inner
  const Tensor first = grad(checkpoint(outer, {x}), x, {.create_graph = true});
  EXPECT_THAT(numbers(grad(first, {x, w})), ElementsAre(6 * 2 * 27, 9 * 4 * 9));
}

TEST(Checkpoint, OfAFunctionThatComputesNothing) {
  const Tensor x = leaf(2), w = leaf(3);
  EXPECT_EQ(grad(checkpoint([](auto in) { return in[0]; }, {x}) * 4.0, x).item(), 4);
  EXPECT_EQ(grad(checkpoint([&](auto) { return w; }, {x}) * 4.0, w).item(), 4);
  EXPECT_EQ(grad(checkpoint([&](auto) { return w; }, {x}) * x, x).item(), 3);
  EXPECT_FALSE(checkpoint([](auto) { return ones({}); }, {x}).requires_grad());
  const NoGrad no_grad;
  EXPECT_FALSE(checkpoint([](auto in) { return in[0] * in[0]; }, {x}).requires_grad());
}

TEST(Checkpoint, WorksInParts) {
  const Tensor x = leaf(2), w = leaf(3);
  const Tensor shared = w * w;
  backward_in_parts(16, [&](std::int64_t i) {
    return checkpoint([&, i](auto in) { return in[0] * shared * static_cast<double>(i); }, {x});
  });
  EXPECT_EQ(x.grad().item(), 9 * 120);
  EXPECT_EQ(w.grad().item(), 2 * 6 * 120);
}

TEST(Checkpoint, AnExceptionLeavesEverythingUsable) {
  const std::int64_t before = live_nodes();
  {
    const Tensor x = leaf(2);
    bool fails = true;
    const Tensor y = checkpoint(
        [&](auto in) {
          if (is_recomputing() && fails) throw std::runtime_error("no");
          return in[0] * in[0];
        },
        {x});
    EXPECT_THROW(y.backward({.retain_graph = true}), std::runtime_error);
    EXPECT_FALSE(is_recomputing());
    EXPECT_FALSE(x.grad().defined());
    fails = false;
    y.backward();
    EXPECT_EQ(x.grad().item(), 4);
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Checkpoint, NoticesThatTheFunctionDoesSomethingElse) {
  const Tensor x = leaf(2), w = leaf(3), other = leaf(4);
  const auto changes = [&](auto in) { return in[0] * (is_recomputing() ? other : w); };
  expect_error<GraphError>(
      "checkpoint: f must compute the same each time; in backward it used other tensors that require "
      "gradients",
      [&] { checkpoint(changes, {x}).backward(); });
  const auto grows = [&](auto in) {
    return is_recomputing() ? in[0] * ones({2}, {.dtype = float64}) : in[0];
  };
  expect_error<GraphError>(
      "checkpoint: f must compute the same each time; it returned a float64 [], then a float64 [2]",
      [&] { checkpoint(grows, {x}).backward(); });
  Tensor updated = leaf(2);
  const Tensor y = checkpoint([](auto in) { return in[0] * in[0]; }, {updated});
  updated.mutable_data<double>()[0] = 3;
  expect_error<GraphError>(
      "checkpoint: a parameter was changed after it was used in this graph (updates since: 1)",
      [&] { y.backward(); });
}

}  // namespace
}  // namespace adjoint
