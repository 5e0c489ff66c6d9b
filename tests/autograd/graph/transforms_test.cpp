// Jacobians, Hessians and products with them, against closed forms.

#include "adjoint/graph/transforms.h"

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
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::leaf;
using support::numbers;

using testing::Each;
using testing::ElementsAre;

Tensor vector(std::initializer_list<double> values) {
  return from_data<double>(std::vector<double>(values), {static_cast<std::int64_t>(values.size())});
}

/// y = a^2 b, element by element: dy/da = 2ab, dy/db = a^2 on the diagonal.
Tensor square_times(std::span<const Tensor> in) { return in[0] * in[0] * in[1]; }
/// y = sum(a^2 b): the Hessian has 2b, 2a and 0 on its diagonals.
Tensor sum_of_it(std::span<const Tensor> in) { return sum(square_times(in)); }

const Tensor& a() {
  static const Tensor value = vector({2, 3});
  return value;
}
const Tensor& b() {
  static const Tensor value = vector({5, 7});
  return value;
}

TEST(Transforms, VjpIsTheProductWithTheTransposedJacobian) {
  const auto [value, products] = vjp(square_times, {a(), b()}, vector({1, 10}));
  EXPECT_THAT(numbers(value), ElementsAre(20, 63));
  EXPECT_FALSE(value.requires_grad());
  EXPECT_THAT(numbers(products), ElementsAre(20, 420, 4, 90));
}

TEST(Transforms, JvpIsTheProductWithTheJacobian) {
  const auto [value, product] = jvp(square_times, {a(), b()}, {vector({1, 10}), vector({100, 1000})});
  EXPECT_THAT(numbers(value), ElementsAre(20, 63));
  EXPECT_THAT(numbers(product), ElementsAre(20 + 400, 420 + 9000));
  EXPECT_FALSE(product.requires_grad());
  // A result of another size than the input tells J from its transpose.
  const auto total = jvp([](auto in) { return sum(in[0] * in[0]); }, {a()}, {vector({1, 10})});
  EXPECT_EQ(total.product.shape(), Shape{});
  EXPECT_EQ(total.product.item(), 64);
}

TEST(Transforms, JacobianHasTheAxesOfTheResultThenOfTheInput) {
  const auto all = jacobian(square_times, {a(), b()});
  EXPECT_THAT(numbers(all[0]), ElementsAre(20, 0, 0, 42));
  EXPECT_THAT(numbers(all[1]), ElementsAre(4, 0, 0, 9));
  const Tensor matrix = from_data<double>(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3});
  const auto of_sum = jacobian([](auto in) { return sum(in[0] * in[0], {1}); }, {matrix});
  EXPECT_EQ(of_sum[0].shape(), (Shape{2, 2, 3}));
  EXPECT_THAT(numbers(of_sum[0]), ElementsAre(2, 4, 6, 0, 0, 0, 0, 0, 0, 8, 10, 12));
}

TEST(Transforms, HessianHasABlockForEachPairOfInputs) {
  const auto blocks = hessian(sum_of_it, {a(), b()});
  EXPECT_THAT(numbers(blocks[0][0]), ElementsAre(10, 0, 0, 14));
  EXPECT_THAT(numbers(blocks[0][1]), ElementsAre(4, 0, 0, 6));
  EXPECT_THAT(numbers(blocks[1][0]), ElementsAre(4, 0, 0, 6));
  EXPECT_THAT(numbers(blocks[1][1]), Each(0));
}

TEST(Transforms, ProductsWithTheHessian) {
  const std::initializer_list<Tensor> inputs = {a(), b()}, vs = {vector({1, 10}), vector({100, 1000})};
  for (const auto& [value, products] : {vhp(sum_of_it, inputs, vs), hvp(sum_of_it, inputs, vs)}) {
    EXPECT_EQ(value.item(), 83);
    EXPECT_THAT(numbers(products), ElementsAre(10 + 400, 140 + 6000, 4, 60));
  }
}

TEST(Transforms, ArePartialDerivatives) {
  const Tensor x = leaf(3);
  const Tensor y = x * x;  // an input that was computed from another one
  for (const bool create_graph : {false, true}) {
    const TransformOptions options = {.create_graph = create_graph};
    const auto product = [](auto in) { return in[0] * in[1]; };
    EXPECT_THAT(numbers(vjp(product, {x, y}, scalar(1, {.dtype = float64}), options).products),
                ElementsAre(9, 3));
    EXPECT_THAT(numbers(jacobian(product, {x, y}, options)), ElementsAre(9, 3));
    EXPECT_THAT(numbers(jacobian(product, {x, x}, options)), ElementsAre(3, 3));
  }
  EXPECT_FALSE(x.grad().defined());
  y.backward();  // its graph was not freed
  EXPECT_EQ(x.grad().item(), 6);
}

TEST(Transforms, WithCreateGraphCanBeDifferentiatedByInputsAndByWhatFUses) {
  const Tensor x = leaf(2), w = leaf(5), v = leaf(7);
  const auto cubed = [&](auto in) { return w * in[0] * in[0] * in[0]; };
  const TransformOptions recorded = {.create_graph = true};
  const Tensor results[] = {
      vjp(cubed, {x}, v, recorded).products[0],   // 3 w x^2 v
      jvp(cubed, {x}, {v}, recorded).product,     // the same
      jacobian(cubed, {x}, recorded)[0] * v,      // the same
      hessian(cubed, {x}, recorded)[0][0] * v,    // 6 w x v
      hvp(cubed, {x}, {v}, recorded).products[0]  // the same
  };
  for (int i = 0; i < 5; ++i) {
    SCOPED_TRACE(i);
    const auto gradients = grad(results[i], {x, w, v});
    EXPECT_THAT(numbers(gradients), i < 3 ? ElementsAre(420, 84, 60) : ElementsAre(210, 84, 60));
  }
  EXPECT_EQ(grad(vjp(cubed, {x}, v, recorded).value, x).item(), 60);
}

TEST(Transforms, NestToAnyOrder) {
  const TransformOptions recorded = {.create_graph = true};
  TensorFunction f = [](auto in) { return in[0] * in[0] * in[0] * in[0]; };
  for (const double expected : {32.0, 48.0, 48.0, 24.0, 0.0}) {
    f = [f, recorded](auto in) { return jacobian(f, in, recorded)[0]; };
    const Tensor x = scalar(2, {.dtype = float64});
    EXPECT_EQ(f(std::span(&x, 1)).item(), expected);
  }
  const auto g = [&](auto in) {
    return jvp([](auto i) { return i[0] * i[0] * i[0]; }, {in[0]}, {in[0]}, recorded).product;  // 3 x^3
  };
  EXPECT_EQ(hessian(g, {scalar(2, {.dtype = float64})})[0][0].item(), 36);
}

TEST(Transforms, OfWhatDoesNotDependOnTheInputsAreZero) {
  const Tensor w = leaf(3), x = vector({1, 2});
  const TensorFunction functions[] = {[](auto) { return scalar(4, {.dtype = float64}); },
                                      [&](auto) { return w * w; }};
  for (const auto& f : functions) {
    EXPECT_THAT(numbers(vjp(f, {x}, scalar(1, {.dtype = float64})).products), ElementsAre(0, 0));
    EXPECT_EQ(jvp(f, {x}, {x}).product.item(), 0);
    EXPECT_THAT(numbers(jacobian(f, {x})), ElementsAre(0, 0));
    EXPECT_THAT(numbers(hessian(f, {x})[0]), ElementsAre(0, 0, 0, 0));
    EXPECT_THAT(numbers(hvp(f, {x}, {x}).products), ElementsAre(0, 0));
  }
  const auto linear = [](auto in) { return sum(in[0]) * 2.0; };
  EXPECT_THAT(numbers(hessian(linear, {x})[0]), ElementsAre(0, 0, 0, 0));
}

TEST(Transforms, OfEmptyTensors) {
  const Tensor none = zeros({0}, {.dtype = float64});
  const auto doubled = [](auto in) { return in[0] * 2.0; };
  EXPECT_EQ(jacobian(doubled, {none})[0].shape(), (Shape{0, 0}));
  EXPECT_EQ(jvp(doubled, {none}, {none}).product.shape(), (Shape{0}));
}

TEST(Transforms, RecordUnderNoGradAndLeaveNothingBehind) {
  const std::int64_t before = live_nodes();
  {
    const NoGrad no_grad;
    EXPECT_THAT(numbers(jacobian(square_times, {a(), b()})[1]), ElementsAre(4, 0, 0, 9));
    EXPECT_FALSE(grad_enabled());
  }
  hessian(sum_of_it, {a(), b()}, {.create_graph = true});
  EXPECT_EQ(live_nodes(), before);
}

TEST(Transforms, ExplainMisuse) {
  expect_error<ShapeError>("vjp: v must have the shape of f(x); it is [], f(x) [2]", [] {
    vjp(square_times, {a(), b()}, scalar(1, {.dtype = float64}));
  });
  expect_error<DTypeError>("vjp: v must have the dtype of f(x); it is float32, f(x) float64", [] {
    vjp(square_times, {a(), b()}, tensor({1, 2}));
  });
  expect_error<Error>("jvp: there must be one direction for each input; there are 1 and 2 inputs", [] {
    jvp(square_times, {a(), b()}, {a()});
  });
  expect_error<ShapeError>("jvp: direction 1 must have the shape of input 1; it is [3], input 1 [2]", [] {
    jvp(square_times, {a(), b()}, {a(), vector({1, 2, 3})});
  });
  expect_error<ShapeError>("hvp: f must return a single number, it returned [2]", [] {
    hvp(square_times, {a(), b()}, {a(), b()});
  });
  expect_error<ShapeError>("hessian: f must return a single number, it returned [2]", [] {
    hessian(square_times, {a(), b()});
  });
}

}  // namespace
}  // namespace adjoint
