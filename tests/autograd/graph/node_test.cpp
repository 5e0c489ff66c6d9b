#include "adjoint/graph/node.h"

#include <gtest/gtest.h>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::numbers;

/// y = x x as a user of the library would write it; the rule keeps the input.
Tensor squared(const Tensor& x) {
  Values y = (x.detach() * x.detach()).values();
  return record("squared", std::move(y), {x},
                [x = Saved(x)](const Tensor& dy, Needs) -> Grads { return {dy * x * 2.0}; });
}

/// y = e^x; the rule reads the result.
Tensor reads_result(const Tensor& x) {
  return record("reads_result", x.detach().values().copy(), {x},
                [](const Tensor& dy, const Tensor& y, Needs) -> Grads { return {dy * y}; });
}

TEST(Record, MakesANodeOnlyWhereAGradientIsWanted) {
  const Tensor constant = ones({2}), leaf = ones({2}, {.requires_grad = true});
  EXPECT_FALSE(squared(constant).requires_grad());
  EXPECT_TRUE(squared(leaf).requires_grad());
  const NoGrad no_grad;
  EXPECT_FALSE(squared(leaf).requires_grad());
}

TEST(Record, NoGradEndsWithItsScope) {
  const Tensor leaf = ones({2}, {.requires_grad = true});
  {
    const NoGrad outer;
    { const NoGrad inner; }
    EXPECT_FALSE(grad_enabled());
  }
  EXPECT_TRUE(grad_enabled());
}

TEST(Record, AUsersOpIsDifferentiableTwice) {
  const Tensor x = scalar(3, {.dtype = float64, .requires_grad = true});
  const Tensor first = grad(squared(x), x, {.create_graph = true});
  EXPECT_EQ(first.item(), 6);
  EXPECT_EQ(grad(first, x).item(), 2);
}

TEST(Record, TakesAnyNumberOfInputs) {
  std::vector<Tensor> xs;
  std::vector<Input> inputs;
  for (int i = 0; i < 100; ++i) xs.push_back(scalar(i, {.requires_grad = i % 2 == 0}));
  for (const Tensor& x : xs) inputs.emplace_back(x);
  const Tensor y = record("many", scalar(0).values(), inputs, [](const Tensor& dy, Needs needs) {
    EXPECT_TRUE(needs[2]);
    EXPECT_FALSE(needs[3]);
    Grads grads = Grads::with_size(100);
    for (std::size_t i = 0; i < 100; ++i) grads[i] = dy * static_cast<double>(i);
    return grads;
  });
  y.backward();
  EXPECT_EQ(xs[98].grad().item(), 98);
  EXPECT_FALSE(xs[99].grad().defined());
}

TEST(Graph, NothingLivesOnWhenTheHandlesAreGone) {
  const std::int64_t before = live_nodes();
  {
    const Tensor x = ones({2}, {.requires_grad = true});
    const Tensor y = reads_result(squared(x) * x);
    EXPECT_EQ(live_nodes(), before + 4);
  }
  EXPECT_EQ(live_nodes(), before);
  {
    const Tensor x = ones({1}, {.requires_grad = true});
    grad(reads_result(squared(x)), x, {.create_graph = true}).backward();
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Graph, BackwardFreesItButForTheLeaves) {
  const std::int64_t before = live_nodes();
  const Tensor x = ones({1}, {.requires_grad = true});
  const Tensor y = squared(squared(x));
  y.backward();
  EXPECT_EQ(live_nodes(), before + 2) << "x and the node that y still holds";
}

TEST(Saved, NoticesAnUpdateOfALeafItNeeds) {
  Tensor w = ones({2}, {.requires_grad = true});
  const Tensor x = ones({2}, {.requires_grad = true});
  w.set_name("conv1.weight");
  const Tensor y = w * x;
  w.mutable_data<float>()[0] = 2;
  w.mutable_data<float>()[0] = 3;
  expect_error<GraphError>("mul: conv1.weight was changed after it was used in this graph (updates since: 2)",
                           [&] { y.backward(ones({2})); });
}

TEST(Saved, DoesNotCareWhenItsValueIsNotNeeded) {
  Tensor w = ones({2}, {.requires_grad = true});
  const Tensor x = ones({2});
  const Tensor sum = w + x, product = w * x;
  w.assign(zeros({2}));
  sum.backward(ones({2}));
  product.backward(ones({2}));  // dw = dy x; w's own value is not read
  EXPECT_EQ(numbers(w.grad())[0], 2);
}

TEST(Saved, NoticesUnnamedLeavesAndAssign) {
  Tensor w = ones({1}, {.requires_grad = true});
  const Tensor y = squared(w);
  w.assign(zeros({1}));
  expect_error<GraphError>(
      "squared: a parameter was changed after it was used in this graph (updates since: 1)",
      [&] { y.backward(); });
}

}  // namespace
}  // namespace adjoint
