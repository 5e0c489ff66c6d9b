// A backward pass that fails: its message, and the state afterwards.

#include <gtest/gtest.h>
#include <stdexcept>

#include "adjoint/graph/grad.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "autograd/graph/engine.h"
#include "tests/support/graphs.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::identity;
using support::leaf;

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
    y.backward();  // the failure did not reach this part
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

}  // namespace
}  // namespace adjoint
