#include "adjoint/ops/math.h"

#include <cmath>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "tests/autograd/ops/binary_case.h"
#include "tests/autograd/ops/unary_case.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

TEST(Math, ValuesAndGradients) {
  check_unary({"exp", exp, std::exp, -3, 2, -2, 2});
  check_unary({"log", log, std::log, 0.01, 9, 0.5, 3});
  check_unary({"sqrt", sqrt, std::sqrt, 0, 9, 0.5, 3});
  check_unary({"square", square, [](double x) { return x * x; }, -3, 3, -2, 2});
  check_unary({"abs", abs, std::abs, -3, 3, 0.1, 2});
  check_unary({"abs", abs, std::abs, -3, 3, -2, -0.1});
  check_unary({"exp2", exp2, std::exp2, -3, 3, -2, 2});
  check_unary({"expm1", expm1, std::expm1, -3, 2, -2, 2});
  check_unary({"log2", log2, std::log2, 0.01, 9, 0.5, 3});
  check_unary({"log10", log10, std::log10, 0.01, 9, 0.5, 3});
  check_unary({"log1p", log1p, std::log1p, -0.9, 9, -0.5, 3});
  check_unary({"rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.1, 9, 0.5, 3});
  check_unary({"reciprocal", reciprocal, [](double x) { return 1 / x; }, 0.3, 3, 0.5, 2});
  check_unary({"erf", erf, std::erf, -3, 3, -2, 2});
  check_unary({"erfc", erfc, std::erfc, -3, 5, -2, 2});
  check_unary({"pow", [](const Tensor& x) { return pow(x, 2.5); }, [](double x) { return std::pow(x, 2.5); },
               0, 3, 0.5, 2});
  check_unary(
      {"pow", [](const Tensor& x) { return pow(x, -1); }, [](double x) { return 1 / x; }, 0.3, 3, 0.5, 2});
  check_unary({"pow", [](const Tensor& x) { return pow(x, 3); }, [](double x) { return x * x * x; }, -2, 2,
               -2, -0.5});
}

TEST(Math, SlopesAtSpecialPoints) {
  expect_table(exp, {0, -kInfinity, kInfinity, kNaN}, {1, 0, kInfinity, kNaN}, {1, 0, kInfinity, kNaN});
  expect_table(log, {1, 0, kInfinity, -1, kNaN}, {0, -kInfinity, kInfinity, kNaN, kNaN},
               {1, kInfinity, 0, -1, kNaN});
  expect_table(sqrt, {4, 0, kInfinity, -1, kNaN}, {2, 0, kInfinity, kNaN, kNaN},
               {0.25, kInfinity, 0, kNaN, kNaN});
  expect_table(square, {0, -3, kInfinity, kNaN}, {0, 9, kInfinity, kNaN}, {0, -6, kInfinity, kNaN});
  expect_table(abs, {0, -0.0, -3, -kInfinity}, {0, 0, 3, kInfinity}, {0, 0, -1, -1});
  const double ln2 = std::log(2.0), ln10 = std::log(10.0), slope = 2 / std::sqrt(M_PI);
  expect_table(exp2, {0, 3, -kInfinity, kInfinity, kNaN}, {1, 8, 0, kInfinity, kNaN},
               {ln2, 8 * ln2, 0, kInfinity, kNaN});
  expect_table(expm1, {0, 1e-20, -kInfinity, kInfinity, kNaN}, {0, 1e-20, -1, kInfinity, kNaN},
               {1, 1, 0, kInfinity, kNaN});
  expect_table(log2, {8, 0, kInfinity, -1}, {3, -kInfinity, kInfinity, kNaN},
               {1 / (8 * ln2), kInfinity, 0, -1 / ln2});
  expect_table(log10, {1000, 0, kInfinity, -1}, {3, -kInfinity, kInfinity, kNaN},
               {0.001 / ln10, kInfinity, 0, -1 / ln10});
  expect_table(log1p, {0, 1e-20, -1, -2, 1e38, kInfinity, kNaN},
               {0, 1e-20, -kInfinity, kNaN, std::log(1e38), kInfinity, kNaN},
               {1, 1, kInfinity, -1, 0, 0, kNaN});
  expect_table(rsqrt, {4, 0, -0.0, kInfinity, -1, kNaN}, {0.5, kInfinity, -kInfinity, 0, kNaN, kNaN},
               {-0.0625, -kInfinity, kInfinity, 0, kNaN, kNaN});
  expect_table(reciprocal, {4, 0, -0.0, kInfinity, kNaN}, {0.25, kInfinity, -kInfinity, 0, kNaN},
               {-0.0625, -kInfinity, -kInfinity, 0, kNaN});
  expect_table(erf, {0, kInfinity, -kInfinity, 1e30, kNaN}, {0, 1, -1, 1, kNaN}, {slope, 0, 0, 0, kNaN});
  expect_table(erfc, {0, kInfinity, -kInfinity, 1e30, kNaN}, {1, 0, 2, 0, kNaN}, {-slope, 0, 0, 0, kNaN});
}

TEST(Math, AbsPassesTheGradientWhereXIsNotANumber) { expect_gradient_at_nan(abs); }

TEST(Math, PowerZeroHasAGradientOfZeros) {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = tensor({-1, 0, kInfinity, kNaN}, {2, 2}, {.dtype = dtype}).set_requires_grad();
    sum(pow(x, 0)).backward();
    ASSERT_TRUE(x.grad().defined());
    EXPECT_EQ(x.grad().shape(), x.shape());
    expect_close(x.grad(), {0, 0, 0, 0}, 0);
    const Tensor dy = full({2, 2}, kInfinity, {.dtype = dtype});
    expect_close(grad(pow(x, 0), x, {.gradient = dy}), {0, 0, 0, 0}, 0);
  }
}

TEST(Math, SlopesOfPowersAtZero) {
  using Op = Tensor (*)(const Tensor&);
  const std::tuple<Op, double, double> table[] = {
      // x^p at x = 0: the value and the slope
      {[](const Tensor& x) { return pow(x, 0); }, 1, 0},
      {[](const Tensor& x) { return pow(x, 0.5); }, 0, kInfinity},
      {[](const Tensor& x) { return pow(x, 1); }, 0, 1},
      {[](const Tensor& x) { return pow(x, 1.5); }, 0, 0},
      {[](const Tensor& x) { return pow(x, 2); }, 0, 0},
      {[](const Tensor& x) { return pow(x, 3); }, 0, 0},
      {[](const Tensor& x) { return pow(x, -1); }, kInfinity, -kInfinity},
      {[](const Tensor& x) { return pow(x, -2); }, kInfinity, -kInfinity},
  };
  for (const auto& [op, y, slope] : table) expect_table(op, {0}, {y}, {slope});
  expect_table([](const Tensor& x) { return pow(x, 0); }, {-1, 2, kInfinity, kNaN}, {1, 1, 1, 1},
               {0, 0, 0, 0});
  expect_table([](const Tensor& x) { return pow(x, 3); }, {-2, 2}, {-8, 8}, {12, 12});
}

TEST(Math, HigherSlopesOfAPowerEndAtZero) {
  const Tensor x = tensor({0, 2}, {.dtype = float64, .requires_grad = true});
  const double expected[3][2] = {{0, 4}, {2, 2}, {0, 0}};  // of x^2
  Tensor y = pow(x, 2);
  for (const auto& slopes : expected) {
    y = grad(sum(y), x, {.create_graph = true});
    expect_close(y, {slopes[0], slopes[1]}, 0);
  }
}

TEST(Math, PowersOfTensorsOnEveryPairOfShapes) {
  check_all_shape_pairs({"pow", [](const Tensor& a, const Tensor& b) { return pow(a, b); },
                         [](double a, double b) { return std::pow(a, b); },
                         [](double a, double b) { return b * std::pow(a, b - 1); },
                         [](double a, double b) { return std::pow(a, b) * std::log(a); }, 0.5, 2});
}

TEST(Math, PowersOfTensorsHaveTwoGradients) {
  Rng rng(2);
  const auto op = [](std::span<const Tensor> in) { return pow(in[0], in[1]); };
  for (const auto& [a, b] : {std::pair<Shape, Shape>{{2, 3}, {2, 3}}, {{3}, {2, 1}}, {{}, {}}})
    expect_gradients(op, {random_tensor(a, rng, 0.5, 2), random_tensor(b, rng, -2, 2)});
  expect_gradients(op, {tensor({0.5, 2}, {.dtype = float64}), tensor({0, 0}, {.dtype = float64})});
  expect_gradients([](auto in) { return pow(in[0], in[0]); }, {random_tensor({3}, rng, 0.5, 2)});
}

TEST(Math, PowersOfTensorsAtZero) {
  const std::vector<double> a = {0, 0, 0, 0, 0, -2, 2, 2, 0};
  const std::vector<double> b = {0, 0.5, 1, 2, -1, 2, 0, kInfinity, kInfinity};
  for (const DType dtype : {float32, float64}) {
    const Shape shape{static_cast<std::int64_t>(a.size())};
    const Tensor base = from_data(std::span(a), shape).to(dtype).set_requires_grad();
    const Tensor exponent = from_data(std::span(b), shape).to(dtype).set_requires_grad();
    const Tensor y = pow(base, exponent);
    expect_close(y, {1, 0, 0, 0, kInfinity, 4, 1, kInfinity, 0}, 1e-6);
    const auto slopes = grad(y, {base, exponent}, {.gradient = ones(shape, {.dtype = dtype})});
    expect_close(slopes[0], {0, kInfinity, 1, 0, -kInfinity, -4, 0, kInfinity, kNaN}, 1e-6);
    // Negative bases have no real power near a whole exponent; 0^-1 falls without bound.
    expect_close(slopes[1], {0, 0, 0, 0, -kInfinity, kNaN, std::log(2.0), kInfinity, 0}, 1e-6);
  }
}

TEST(Math, ThirdDerivatives) {
  const Tensor x = tensor({0.5, 1.25}, {.dtype = float64});
  for (Tensor (*const op)(Tensor) :
       {exp, exp2, expm1, log, log2, log10, log1p, sqrt, rsqrt, square, reciprocal, erf, erfc})
    expect_third_derivatives([&](auto in) { return op(in[0]); }, {x});
}

TEST(Math, XLogYOnEveryPairOfShapes) {
  check_all_shape_pairs({"xlogy", xlogy, [](double a, double b) { return a * std::log(b); },
                         [](double, double b) { return std::log(b); },
                         [](double a, double b) { return a / b; }, 0.5, 2});
}

TEST(Math, XLogYHasTwoGradients) {
  Rng rng(5);
  const auto op = [](std::span<const Tensor> in) { return xlogy(in[0], in[1]); };
  for (const auto& [a, b] : {std::pair<Shape, Shape>{{2, 3}, {2, 3}}, {{3}, {2, 1}}, {{}, {}}})
    expect_gradients(op, {random_tensor(a, rng, -2, 2), random_tensor(b, rng, 0.5, 2)});
  expect_gradients([](auto in) { return xlogy(in[0], in[0]); }, {random_tensor({3}, rng, 0.5, 2)});
}

TEST(Math, XLogYAtSpecialPoints) {
  const std::vector<double> a = {0, 0, 0, 0, 0, -0.0, 2, 2, 2, kNaN, 0};
  const std::vector<double> b = {0, 2, -1, kInfinity, kNaN, 0, 0, 1, -1, 1, -kInfinity};
  for (const DType dtype : {float32, float64}) {
    const Shape shape{static_cast<std::int64_t>(a.size())};
    const Tensor p = from_data(std::span(a), shape).to(dtype).set_requires_grad();
    const Tensor q = from_data(std::span(b), shape).to(dtype).set_requires_grad();
    const Tensor y = xlogy(p, q);
    expect_close(y, {0, 0, 0, 0, kNaN, 0, -kInfinity, 0, kNaN, kNaN, 0}, 0);
    const auto slopes = grad(y, {p, q}, {.gradient = ones(shape, {.dtype = dtype})});
    expect_close(slopes[0], {0, std::log(2.0), 0, kInfinity, kNaN, 0, -kInfinity, 0, kNaN, 0, 0}, 1e-6);
    expect_close(slopes[1], {0, 0, 0, 0, kNaN, 0, kInfinity, 2, -2, kNaN, 0}, 0);
  }
}

TEST(Math, KeepsOnlyWhatItsGradientReads) {
  Tensor x = tensor({1, 2}, {.requires_grad = true});
  const Tensor free_of_x[] = {sum(exp(x)), sum(sqrt(x)), sum(rsqrt(x)), sum(pow(x, 0))};
  const Tensor needs_x[] = {sum(log(x)), sum(square(x)), sum(abs(x)), sum(pow(x, 2))};
  x.mutable_data<float>()[0] = 7;
  for (const Tensor& y : free_of_x) EXPECT_NO_THROW(y.backward());
  for (const Tensor& y : needs_x) EXPECT_THROW(y.backward(), GraphError);
}

TEST(Math, PowErrors) {
  expect_error<ShapeError>(
      "pow: the shapes do not broadcast, axis 1 from the end differs; a is [2], b is [3]",
      [] { pow(zeros({2}), zeros({3})); });
  expect_error<DTypeError>("pow: a and b must have the same dtype; a is float32, b is float64",
                           [] { pow(zeros({2}), zeros({2}, {.dtype = float64})); });
  expect_error<DTypeError>("pow: a must be float32 or float64, it is int64",
                           [] { pow(zeros({2}, {.dtype = int64}), zeros({2}, {.dtype = int64})); });
}

}  // namespace
}  // namespace adjoint
