#include "adjoint/ops/activation.h"

#include <cmath>
#include <functional>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "tests/autograd/ops/unary_case.h"
#include "tests/support/expect_gradients.h"

namespace adjoint {
namespace {

using namespace support;

Tensor softplus_default(const Tensor& x) { return softplus(x); }
Tensor gelu_exact(const Tensor& x) { return gelu(x); }
Tensor gelu_tanh(const Tensor& x) { return gelu(x, {.tanh = true}); }
Tensor elu_default(const Tensor& x) { return elu(x); }
Tensor celu_half(const Tensor& x) { return celu(x, {.alpha = 0.5}); }

double elu_of(double x, double alpha) { return x > 0 ? x : alpha * (std::exp(x) - 1); }

TEST(Activation, ValuesAndGradients) {
  check_unary({"tanh", tanh, std::tanh, -5, 5, -2, 2});
  check_unary({"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -9, 9, -3, 3});
  check_unary({"log_sigmoid", log_sigmoid, [](double x) { return -std::log1p(std::exp(-x)); }, -9, 9, -3, 3});
  check_unary({"softplus", softplus_default, [](double x) { return std::log1p(std::exp(x)); }, -9, 9, -3, 3});
  check_unary({"softsign", softsign, [](double x) { return x / (1 + std::abs(x)); }, -9, 9, 0.1, 3});
  check_unary({"softsign", softsign, [](double x) { return x / (1 + std::abs(x)); }, -9, 9, -3, -0.1});
  check_unary({"silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, -9, 9, -3, 3});
  check_unary({"mish", mish, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, -9, 9, -3, 3});
  check_unary({"gelu", gelu_exact, [](double x) { return x * (1 + std::erf(x / std::sqrt(2.0))) / 2; }, -9, 9,
               -3, 3});
  check_unary(
      {"gelu", gelu_tanh,
       [](double x) { return x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2; }, -9,
       9, -3, 3});
}

TEST(Activation, ValuesAndGradientsOfEluAndItsRelatives) {
  struct {
    const char* name;
    std::function<Tensor(const Tensor&)> op;
    double (*f)(double);
  } const cases[] = {
      {"elu", elu_default, [](double x) { return elu_of(x, 1); }},
      {"elu", [](const Tensor& x) { return elu(x, {.alpha = -0.7}); },
       [](double x) { return elu_of(x, -0.7); }},
      {"celu", celu_half, [](double x) { return x > 0 ? x : 0.5 * (std::exp(x / 0.5) - 1); }},
      {"celu", [](const Tensor& x) { return celu(x, {.alpha = -2}); },
       [](double x) { return x > 0 ? x : -2 * (std::exp(x / -2) - 1); }},
      {"selu", selu, [](double x) { return 1.0507009873554804934 * elu_of(x, 1.6732632423543772848); }},
  };
  for (const auto& [name, op, f] : cases) {
    check_unary({name, op, f, -4, 4, 0.1, 2});
    check_unary({name, op, f, -4, 4, -2, -0.1});
  }
  expect_table(elu_default, {0, 1000, -1000, kInfinity, -kInfinity}, {0, 1000, -1, kInfinity, -1},
               {1, 1, 0, 1, 0});
  expect_table([](const Tensor& x) { return elu(x, {.alpha = 3}); }, {0, -kInfinity}, {0, -3}, {3, 0});
  expect_table(celu_half, {0, kInfinity, -kInfinity}, {0, kInfinity, -0.5}, {1, 1, 0});
  expect_error<Error>("celu: alpha must not be 0", [] { celu(zeros({2}), {.alpha = 0}); });
}

TEST(Activation, SoftplusWithBetaAndThreshold) {
  const auto steep = [](const Tensor& x) { return softplus(x, {.beta = 3}); };
  check_unary({"softplus", steep, [](double x) { return std::log1p(std::exp(3 * x)) / 3; }, -3, 3, -2, 2});
  const auto cut = [](const Tensor& x) { return softplus(x, {.beta = 0.5, .threshold = 1}); };
  const auto f = [](double x) { return x / 2 > 1 ? x : std::log1p(std::exp(x / 2)) * 2; };
  check_unary({"softplus", cut, f, -9, 9, 2.1, 4});
  check_unary({"softplus", cut, f, -9, 9, -2, 1.9});
  const auto at_threshold = 2 * std::log1p(std::exp(1));
  expect_table(cut, {2, 4}, {at_threshold, 4}, {1 / (1 + std::exp(-1)), 1});
  for (const double beta : {0.0, -1.0, kNaN}) EXPECT_THROW(softplus(zeros({1}), {.beta = beta}), Error);
  expect_error<Error>("softplus: beta must be positive, it is -1",
                      [] { softplus(zeros({1}), {.beta = -1}); });
}

TEST(Activation, SlopesAtSpecialPoints) {
  expect_table(tanh, {0, kInfinity, -kInfinity, kNaN}, {0, 1, -1, kNaN}, {1, 0, 0, kNaN});
  expect_table(sigmoid, {0, kInfinity, -kInfinity, 1000, -1000, kNaN}, {0.5, 1, 0, 1, 0, kNaN},
               {0.25, 0, 0, 0, 0, kNaN});
  expect_table(log_sigmoid, {0, kInfinity, -kInfinity, 1000, -1000, kNaN},
               {-std::log(2.0), 0, -kInfinity, 0, -1000, kNaN}, {0.5, 0, 1, 0, 1, kNaN});
  expect_table(softplus_default, {0, 20, 50, 1000, -1000, kInfinity, -kInfinity, kNaN},
               {std::log(2.0), 20 + std::exp(-20), 50, 1000, 0, kInfinity, 0, kNaN},
               {0.5, 1 - std::exp(-20), 1, 1, 0, 1, 0, kNaN});
  expect_table(softsign, {0, kInfinity, -kInfinity, 1e30, kNaN}, {0, 1, -1, 1, kNaN}, {1, 0, 0, 0, kNaN});
  expect_table(silu, {0, 1000, -1000, NAN}, {0, 1000, 0, NAN}, {0.5, 1, 0, NAN});
  const std::pair<Tensor (*)(const Tensor&), double> of_both_signs[] = {
      {[](const Tensor& x) { return mish(x); }, 0.6}, {gelu_exact, 0.5}, {gelu_tanh, 0.5}};
  for (const auto& [op, slope] : of_both_signs) {
    expect_table(op, {0, 1000, -1000, kInfinity, -kInfinity, kNaN}, {0, 1000, 0, kInfinity, 0, kNaN},
                 {slope, 1, 0, 1, 0, kNaN});
  }
}

TEST(Activation, GluMultipliesOneHalfByTheSigmoidOfTheOther) {
  Rng rng(3);
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : {Shape{4}, Shape{3, 6}, Shape{2, 4, 3}, Shape{2, 0, 3}, Shape{0, 2}}) {
      for (int axis = 0; axis < shape.rank(); ++axis) {
        if (shape[axis] % 2 != 0) continue;
        const Tensor x = random_tensor(shape, rng, -3, 3, dtype), y = glu(x, axis - shape.rank());
        ASSERT_EQ(y.shape(), shape.with(axis, shape[axis] / 2));
        expect_close(glu(as_interleaved(x), axis), y, 0);
        std::int64_t inner = 1;
        for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
        const std::vector<double> from = numbers(x);
        std::vector<double> expected;
        for (std::int64_t i = 0; i < y.numel(); ++i) {
          const std::int64_t half = shape[axis] / 2 * inner, a = i / half * 2 * half + i % half;
          expected.push_back(from[a] / (1 + std::exp(-from[a + half])));
        }
        expect_close(y, expected, tolerance_of(dtype));
        if (dtype == float64) expect_gradients([&](auto in) { return glu(in[0], axis); }, {x});
      }
    }
  }
  expect_error<ShapeError>("glu: the size of axis 1 must be even; x is [2,3]", [] { glu(zeros({2, 3})); });
  expect_error<ShapeError>("glu: axis 2 is out of range; x is [2,3]", [] { glu(zeros({2, 3}), 2); });
  expect_error<DTypeError>("glu: x must be float32 or float64, it is int64",
                           [] { glu(zeros({2}, {.dtype = int64})); });
}

TEST(Activation, SoftminGrowsAsXFalls) {
  const Tensor x = tensor({0, std::log(2.0), -std::log(4.0), 1, 1, 1}, {2, 3}, {.dtype = float64});
  expect_close(softmin(x), {1 / 5.5, 0.5 / 5.5, 4 / 5.5, 1 / 3., 1 / 3., 1 / 3.}, 1e-15);
  const double e = std::exp(1.0);
  expect_close(softmin(x, 0),
               {e / (1 + e), e / (2 + e), 4 * e / (1 + 4 * e), 1 / (1 + e), 2 / (2 + e), 1 / (1 + 4 * e)},
               1e-15);
  expect_gradients([](auto in) { return softmin(in[0], 0); }, {x});
  expect_error<ShapeError>("softmin: axis 3 is out of range; x is [2,3]", [&] { softmin(x, 3); });
}

TEST(Activation, KeepsOnlyWhatItsGradientReads) {
  Tensor x = tensor({1, -2}, {.requires_grad = true});
  const Tensor free_of_x[] = {sum(tanh(x)), sum(sigmoid(x))};
  const Tensor needs_x[] = {sum(softplus(x)), sum(silu(x)), sum(gelu(x))};
  x.mutable_data<float>()[0] = 7;
  for (const Tensor& y : free_of_x) EXPECT_NO_THROW(y.backward());
  for (const Tensor& y : needs_x) EXPECT_THROW(y.backward(), GraphError);
}

TEST(Activation, FirstGradientIsOneOp) {
  const Tensor x = tensor({1, -2}, {.requires_grad = true});
  const std::pair<std::function<Tensor(const Tensor&)>, const char*> ops[] = {
      {tanh, "tanh_grad"},
      {sigmoid, "sigmoid_grad"},
      {log_sigmoid, "log_sigmoid_grad"},
      {softplus_default, "softplus_grad"},
      {softsign, "softsign_grad"},
      {silu, "silu_grad"},
      {mish, "mish_grad"},
      {gelu_exact, "gelu_grad"},
      {elu_default, "elu_grad"},
      {celu_half, "celu_grad"},
      {selu, "selu_grad"}};
  for (const auto& [op, name] : ops) {
    const Tensor dy = tensor({1, 1}, {.requires_grad = true});
    const Tensor dx = grad(op(x), x, {.gradient = dy, .create_graph = true});
    EXPECT_STREQ(dx.op(), name);
  }
}

TEST(Activation, ThirdDerivatives) {
  const Tensor x = tensor({-1.5, 0.25, 0.75}, {.dtype = float64});
  for (const std::function<Tensor(const Tensor&)>& op :
       {std::function<Tensor(const Tensor&)>(softplus_default),
        {softsign},
        {mish},
        {gelu_exact},
        {gelu_tanh},
        {celu_half},
        {selu}})
    expect_third_derivatives([&](auto in) { return op(in[0]); }, {x});
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
