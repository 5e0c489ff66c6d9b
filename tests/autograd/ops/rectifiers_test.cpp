// Activation functions made of straight lines, and hardswish.
#include <cmath>

#include "adjoint/ops/activation.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "tests/autograd/ops/unary_case.h"
#include "tests/support/expect_gradients.h"

namespace adjoint {
namespace {

using namespace support;

Tensor leaky_relu_default(const Tensor& x) { return leaky_relu(x); }
Tensor leaky_relu_steep(const Tensor& x) { return leaky_relu(x, {.slope = -0.5}); }
Tensor hardtanh_default(const Tensor& x) { return hardtanh(x); }
Tensor hardtanh_wide(const Tensor& x) { return hardtanh(x, {.min = -0.5, .max = 2}); }
Tensor threshold_at_half(const Tensor& x) { return threshold(x, {.threshold = 0.5, .value = -3}); }

TEST(Rectifiers, ValuesAndGradients) {
  struct {
    const char* name;
    Tensor (*op)(const Tensor&);
    double (*f)(double);
    std::vector<double> kinks;
  } const cases[] = {
      {"relu", [](const Tensor& x) { return relu(x); }, [](double x) { return std::max(x, 0.0); }, {0}},
      {"relu6",
       [](const Tensor& x) { return relu6(x); },
       [](double x) { return std::min(std::max(x, 0.0), 6.0); },
       {0, 6}},
      {"leaky_relu", leaky_relu_default, [](double x) { return x > 0 ? x : 0.01 * x; }, {0}},
      {"leaky_relu", leaky_relu_steep, [](double x) { return x > 0 ? x : -0.5 * x; }, {0}},
      {"hardtanh", hardtanh_default, [](double x) { return std::min(std::max(x, -1.0), 1.0); }, {-1, 1}},
      {"hardtanh", hardtanh_wide, [](double x) { return std::min(std::max(x, -0.5), 2.0); }, {-0.5, 2}},
      {"hardsigmoid",
       [](const Tensor& x) { return hardsigmoid(x); },
       [](double x) { return std::min(std::max(x + 3, 0.0), 6.0) / 6; },
       {-3, 3}},
      {"hardswish",
       [](const Tensor& x) { return hardswish(x); },
       [](double x) { return x * std::min(std::max(x + 3, 0.0), 6.0) / 6; },
       {-3, 3}},
      {"threshold", threshold_at_half, [](double x) { return x > 0.5 ? x : -3; }, {0.5}},
  };
  Rng rng(2);
  for (const auto& [name, op, f, kinks] : cases) {
    const double end = kinks.size() == 2 ? kinks[1] : kinks[0] + 3;  // of the piece that rises
    check_unary({name, op, f, -7, 9, kinks[0] + 0.05, end - 0.05});
    for (const double x : kinks) {
      for (const double low : {x - 0.9, x + 0.1}) {
        const auto plus_x = [op = op](auto in) { return op(in[0]) + in[0]; };
        expect_gradients(plus_x, {random_tensor({2, 3}, rng, low, low + 0.8)});
      }
    }
  }
}

TEST(Rectifiers, GradientsOfPiecesThatMeet) {
  const Tensor x = tensor({-2, 0.5, -0.25, 3, -0.5, 1}, {2, 3}, {.dtype = float64});
  expect_gradients([](auto in) { return relu(in[0]); }, {x});
  expect_gradients([](auto in) { return leaky_relu(in[0], {.slope = 0.2}); }, {x});
  expect_gradients([](auto in) { return sigmoid(relu(in[0]) + in[0]); }, {x});
}

TEST(Rectifiers, SlopesAtTheKinks) {
  expect_table(relu, {0, -0.0, 1, -1, kInfinity, -kInfinity}, {0, 0, 1, 0, kInfinity, 0}, {0, 0, 1, 0, 1, 0});
  expect_table(leaky_relu_default, {0, -0.0, 1, -1, kInfinity}, {0, 0, 1, -0.01, kInfinity},
               {0.01, 0.01, 1, 0.01, 1});
  expect_table(relu6, {0, 3, 6, 7, kInfinity, -kInfinity}, {0, 3, 6, 6, 6, 0}, {0, 1, 0, 0, 0, 0});
  expect_table(hardtanh_default, {-1, 0, 1, kInfinity}, {-1, 0, 1, 1}, {0, 1, 0, 0});
  expect_table(hardsigmoid, {-3, 0, 3, kInfinity, -kInfinity}, {0, 0.5, 1, 1, 0}, {0, 1 / 6., 0, 0, 0});
  expect_table(hardswish, {-3, 0, 3, kInfinity, -kInfinity, kNaN}, {0, 0, 3, kInfinity, 0, kNaN},
               {0, 0.5, 1, 1, 0, kNaN});
  expect_table(threshold_at_half, {0.5, 0.75, 0.25}, {-3, 0.75, -3}, {0, 1, 0});
}

TEST(Rectifiers, PassTheGradientWhereXIsNotANumber) {
  expect_gradient_at_nan([](const Tensor& x) { return relu(x); });
  expect_gradient_at_nan(leaky_relu_default);
  expect_gradient_at_nan(leaky_relu_steep);
  expect_gradient_at_nan([](const Tensor& x) { return relu6(x); });
  expect_gradient_at_nan(hardtanh_wide);
  expect_gradient_at_nan([](const Tensor& x) { return hardsigmoid(x); });
  expect_gradient_at_nan(threshold_at_half);
}

// relu6 and hardtanh share their loops, and yet have names of their own.
TEST(Rectifiers, FirstGradientIsOneOp) {
  const Tensor x = tensor({1, -2}, {.requires_grad = true});
  const std::pair<std::function<Tensor(const Tensor&)>, const char*> ops[] = {
      {relu, "relu_grad"},
      {leaky_relu_default, "leaky_relu_grad"},
      {hardtanh_default, "hardtanh_grad"},
      {relu6, "relu6_grad"},
      {hardsigmoid, "hardsigmoid_grad"},
      {hardswish, "hardswish_grad"},
      {threshold_at_half, "threshold_grad"}};
  for (const auto& [op, name] : ops) {
    const Tensor dy = tensor({1, 1}, {.requires_grad = true});
    const Tensor dx = grad(op(x), x, {.gradient = dy, .create_graph = true});
    EXPECT_STREQ(dx.op(), name);
  }
}

TEST(Rectifiers, KeepOnlyWhatTheirGradientsRead) {
  Tensor x = tensor({1, -2}, {.requires_grad = true});
  const Tensor free_of_x = sum(relu(x));
  const Tensor needs_x[] = {sum(leaky_relu(x)), sum(hardswish(x))};
  x.mutable_data<float>()[0] = 7;
  EXPECT_NO_THROW(free_of_x.backward());
  for (const Tensor& y : needs_x) EXPECT_THROW(y.backward(), GraphError);
}

TEST(Rectifiers, HardtanhRefusesBoundsInTheWrongOrder) {
  expect_error<Error>("hardtanh: min must not be larger than max; min is 2, max is 1",
                      [] { hardtanh(zeros({1}), {.min = 2, .max = 1}); });
}

TEST(Prelu, HasASlopeForAllOrForEachChannel) {
  Rng rng(4);
  for (const DType dtype : {float32, float64}) {
    for (const auto& [x_shape, w_shape] : {std::pair<Shape, Shape>{{}, {}},
                                           {{}, {1}},
                                           {{5}, {1}},
                                           {{2, 3}, {3}},
                                           {{2, 3}, {1}},
                                           {{2, 3, 4}, {3}},
                                           {{2, 3, 2, 3}, {3}},
                                           {{0, 3}, {3}},
                                           {{2, 0}, {0}}}) {
      const Tensor x = random_tensor(x_shape, rng, 0.1, 2, dtype),
                   w = random_tensor(w_shape, rng, -1, 1, dtype);
      std::vector<double> at = numbers(x), expected;
      for (std::size_t i = 0; i < at.size(); i += 2) at[i] = -at[i];
      const std::int64_t channels = w.numel(),
                         inner = x_shape.rank() < 2
                                     ? 1
                                     : x_shape.features() / std::max<std::int64_t>(1, x_shape[1]);
      for (std::size_t i = 0; i < at.size(); ++i)
        expected.push_back(
            at[i] > 0
                ? at[i]
                : at[i] * numbers(w)[channels == 1 ? 0 : static_cast<std::int64_t>(i) / inner % channels]);
      const Tensor mixed = from_data<double>(at, x_shape).to(dtype);
      expect_close(prelu(mixed, w), expected, tolerance_of(dtype));
      expect_close(prelu(as_interleaved(mixed), w), expected, tolerance_of(dtype));
      if (dtype == float64) expect_gradients([](auto in) { return prelu(in[0], in[1]); }, {mixed, w});
    }
  }
}

TEST(Prelu, SlopesAtSpecialPoints) {
  const Tensor w = tensor({0.25}, {.requires_grad = true});
  const Tensor x = tensor({0, -2, 3, kNaN}, {.requires_grad = true});
  const std::vector<Tensor> slopes = grad(prelu(x, w), {x, w}, {.gradient = tensor({1, 1, 1, 0})});
  expect_close(slopes[0], {0.25, 0.25, 1, 0}, 0);
  EXPECT_TRUE(std::isnan(slopes[1].item()));
}

TEST(Prelu, Refuses) {
  expect_error<ShapeError>(
      "prelu: weight must have one element, or one for each of x's channels (axis 1); x is "
      "[2,3], weight is [2]",
      [] {
        prelu(zeros({2, 3}), zeros({2}));
      });
  EXPECT_THROW(prelu(zeros({3}), zeros({3})), ShapeError);
  EXPECT_THROW(prelu(zeros({2, 3}), zeros({3, 1})), ShapeError);
  expect_error<DTypeError>("prelu: x and weight must have the same dtype; x is float32, weight is float64",
                           [] { prelu(zeros({2}), zeros({1}, {.dtype = float64})); });
}

}  // namespace
}  // namespace adjoint
