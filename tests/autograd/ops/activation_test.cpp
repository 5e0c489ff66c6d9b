#include "adjoint/ops/activation.h"

#include <cmath>
#include <cstring>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "tests/autograd/ops/unary_case.h"
#include "tests/support/expect_gradients.h"

namespace adjoint {
namespace {

using namespace support;

Tensor leaky_relu_default(const Tensor& x) { return leaky_relu(x); }
Tensor leaky_relu_steep(const Tensor& x) { return leaky_relu(x, {.slope = -0.5}); }

TEST(Activation, ValuesAndGradients) {
  check_unary({"tanh", tanh, std::tanh, -5, 5, -2, 2});
  check_unary({"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -9, 9, -3, 3});
  check_unary({"softplus", softplus, [](double x) { return std::log1p(std::exp(x)); }, -9, 9, -3, 3});
  check_unary({"silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, -9, 9, -3, 3});
  const auto clip = [](double x) { return std::max(x, 0.0); };
  check_unary({"relu", relu, clip, -2, 2, 0.1, 2});
  const auto leaky = [](double x) { return x > 0 ? x : 0.01 * x; };
  check_unary({"leaky_relu", leaky_relu_default, leaky, -2, 2, 0.1, 2});
  check_unary({"leaky_relu", leaky_relu_default, leaky, -2, 2, -2, -0.1});
  check_unary(
      {"leaky_relu", leaky_relu_steep, [](double x) { return x > 0 ? x : -0.5 * x; }, -2, 2, -2, -0.1});
}

TEST(Activation, GradientsOfPiecesThatMeet) {
  const Tensor x = tensor({-2, 0.5, -0.25, 3, -0.5, 1}, {2, 3}, {.dtype = float64});
  expect_gradients([](auto in) { return relu(in[0]); }, {x});
  expect_gradients([](auto in) { return leaky_relu(in[0], {.slope = 0.2}); }, {x});
  expect_gradients([](auto in) { return sigmoid(relu(in[0]) + in[0]); }, {x});
}

TEST(Activation, SlopesAtSpecialPoints) {
  expect_table(tanh, {0, kInfinity, -kInfinity, kNaN}, {0, 1, -1, kNaN}, {1, 0, 0, kNaN});
  expect_table(sigmoid, {0, kInfinity, -kInfinity, 1000, -1000, kNaN}, {0.5, 1, 0, 1, 0, kNaN},
               {0.25, 0, 0, 0, 0, kNaN});
  expect_table(softplus, {0, 1000, -1000, kInfinity, -kInfinity, kNaN},
               {std::log(2.0), 1000, 0, kInfinity, 0, kNaN}, {0.5, 1, 0, 1, 0, kNaN});
  expect_table(silu, {0, 1000, -1000, NAN}, {0, 1000, 0, NAN}, {0.5, 1, 0, NAN});
  expect_table(relu, {0, -0.0, 1, -1, kInfinity, -kInfinity}, {0, 0, 1, 0, kInfinity, 0}, {0, 0, 1, 0, 1, 0});
  expect_table(leaky_relu_default, {0, -0.0, 1, -1, kInfinity}, {0, 0, 1, -0.01, kInfinity},
               {0.01, 0.01, 1, 0.01, 1});
}

TEST(Activation, PiecewiseLinearFunctionsPassTheGradientWhereXIsNotANumber) {
  expect_gradient_at_nan([](const Tensor& x) { return relu(x); });
  expect_gradient_at_nan(leaky_relu_default);
  expect_gradient_at_nan(leaky_relu_steep);
}

TEST(Activation, KeepsOnlyWhatItsGradientReads) {
  Tensor x = tensor({1, -2}, {.requires_grad = true});
  const Tensor free_of_x[] = {sum(tanh(x)), sum(sigmoid(x)), sum(relu(x))};
  const Tensor needs_x[] = {sum(softplus(x)), sum(leaky_relu(x)), sum(silu(x))};
  x.mutable_data<float>()[0] = 7;
  for (const Tensor& y : free_of_x) EXPECT_NO_THROW(y.backward());
  for (const Tensor& y : needs_x) EXPECT_THROW(y.backward(), GraphError);
}

TEST(Activation, FirstGradientIsOneOp) {
  const Tensor x = tensor({1, -2}, {.requires_grad = true});
  const std::function<Tensor(const Tensor&)> ops[] = {tanh, sigmoid, relu, softplus, leaky_relu_default,
                                                      silu};
  const char* const names[] = {"tanh_grad",     "sigmoid_grad",    "relu_grad",
                               "softplus_grad", "leaky_relu_grad", "silu_grad"};
  for (std::size_t i = 0; i < std::size(ops); ++i) {
    const Tensor dy = tensor({1, 1}, {.requires_grad = true});
    const Tensor dx = grad(ops[i](x), x, {.gradient = dy, .create_graph = true});
    EXPECT_STREQ(dx.op(), names[i]);
  }
}

TEST(Activation, NothingIsLeftBehind) {
  const std::int64_t before = live_nodes();
  {
    const Tensor x = tensor({1, -2}, {.requires_grad = true});
    const Tensor y = tanh(sigmoid(relu(softplus(leaky_relu(x)))));
    const Tensor dx = grad(sum(y), x, {.create_graph = true});
    grad(sum(dx), x, {.create_graph = true});
  }
  EXPECT_EQ(live_nodes(), before);
}

}  // namespace
}  // namespace adjoint
