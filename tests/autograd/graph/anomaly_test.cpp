// Where a backward pass first makes a NaN or an infinity.

#include "adjoint/graph/anomaly.h"

#include <gtest/gtest.h>

#include "adjoint/graph/backward_in_parts.h"
#include "adjoint/graph/grad.h"
#include "adjoint/graph/hooks.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/graphs.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::identity;
using support::kInfinity;
using support::kNaN;
using support::leaf;

const Tensor& ones_of_two() {
  static const Tensor value = ones({2});
  return value;
}

TEST(DetectAnomaly, NamesTheOpWhoseRuleMadeIt) {
  Tensor x = tensor({1, 2}, {.requires_grad = true});
  const auto spoils = [](double factor) {
    return [factor](const Tensor& dy, Needs) -> Grads {
      return {dy * tensor({1, static_cast<float>(factor)})};
    };
  };
  const auto y = [&](double factor) { return identity(x * 3.0, spoils(factor)) * 2.0; };
  y(kNaN).backward(ones_of_two());  // nobody looks
  x.zero_grad();
  const DetectAnomaly detect;
  y(7).backward(ones_of_two());
  EXPECT_EQ(support::numbers(x.grad())[1], 42);
  expect_error<GraphError>(
      "anomaly: the gradient that the rule of identity [2] made of finite ones for input 0, mul [2], is nan "
      "at "
      "element 1",
      [&] { y(kNaN).backward(ones_of_two()); });
  x.set_name("conv1.weight");
  expect_error<GraphError>(
      "anomaly: the gradient that the rule of identity [2] made of finite ones for input 0, conv1.weight "
      "[2], is "
      "-inf at element 1",
      [&] { grad(identity(x, spoils(-kInfinity)), x, {.gradient = ones_of_two()}); });
  EXPECT_EQ(support::numbers(x.grad())[1], 42) << "a failed pass changes nothing";
}

TEST(DetectAnomaly, LooksAtSumsHooksAndTheGivenGradient) {
  const DetectAnomaly detect;
  const Tensor x = leaf(1);
  const auto huge = [](const Tensor& dy, Needs) -> Grads { return {dy * 1e308}; };
  expect_error<GraphError>("anomaly: the sum of finite gradients of a leaf [] is inf at element 0",
                           [&] { (identity(x, huge) + identity(x, huge)).backward(); });
  expect_error<GraphError>("anomaly: the gradient given for mul [] is nan at element 0",
                           [&] { (x * x).backward(scalar(kNaN, {.dtype = float64})); });
  register_hook(x, [](const Tensor& dx) { return dx * kInfinity; });
  expect_error<GraphError>("anomaly: the gradient that hooks returned for a leaf [] is inf at element 0",
                           [&] { (x * x).backward(); });
}

TEST(DetectAnomaly, EndsWithItsScopeAndReachesTheThreadsOfParts) {
  const Tensor x = leaf(1);
  const auto loss = [&](std::int64_t) {
    return identity(x, [](const Tensor& dy, Needs) -> Grads { return {dy * kNaN}; });
  };
  {
    const DetectAnomaly outer;
    { const DetectAnomaly inner; }
    EXPECT_THROW(backward_in_parts(8, loss), GraphError);
  }
  EXPECT_FALSE(detects_anomalies());
  backward_in_parts(8, loss);
}

}  // namespace
}  // namespace adjoint
