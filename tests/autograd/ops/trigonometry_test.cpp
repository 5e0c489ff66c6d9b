// Circular and hyperbolic functions, their inverses, and the two of a point.
#include <cmath>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "tests/autograd/ops/binary_case.h"
#include "tests/autograd/ops/unary_case.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"

namespace adjoint {
namespace {

using namespace support;

TEST(Trigonometry, ValuesAndGradients) {
  check_unary({"sin", sin, std::sin, -9, 9, -2, 2});
  check_unary({"cos", cos, std::cos, -9, 9, -2, 2});
  check_unary({"tan", tan, std::tan, -1.2, 1.2, -1, 1});
  check_unary({"asin", asin, std::asin, -1, 1, -0.8, 0.8});
  check_unary({"acos", acos, std::acos, -1, 1, -0.8, 0.8});
  check_unary({"atan", atan, std::atan, -9, 9, -2, 2});
  check_unary({"sinh", sinh, std::sinh, -4, 4, -2, 2});
  check_unary({"cosh", cosh, std::cosh, -4, 4, -2, 2});
  check_unary({"asinh", asinh, std::asinh, -9, 9, -2, 2});
  check_unary({"acosh", acosh, std::acosh, 1, 9, 1.5, 4});
  check_unary({"atanh", atanh, std::atanh, -0.9, 0.9, -0.8, 0.8});
}

TEST(Trigonometry, SlopesAtSpecialPoints) {
  const double half_pi = M_PI / 2;
  expect_table(sin, {0, kInfinity, kNaN}, {0, kNaN, kNaN}, {1, kNaN, kNaN});
  expect_table(cos, {0, kInfinity, kNaN}, {1, kNaN, kNaN}, {0, kNaN, kNaN});
  expect_table(tan, {0, -kInfinity, kNaN}, {0, kNaN, kNaN}, {1, kNaN, kNaN});
  expect_table(asin, {0, 1, -1, 2, kNaN}, {0, half_pi, -half_pi, kNaN, kNaN},
               {1, kInfinity, kInfinity, kNaN, kNaN});
  expect_table(acos, {0, 1, -1, 2, kNaN}, {half_pi, 0, M_PI, kNaN, kNaN},
               {-1, -kInfinity, -kInfinity, kNaN, kNaN});
  expect_table(atan, {0, 1e30, kInfinity, -kInfinity, kNaN}, {0, half_pi, half_pi, -half_pi, kNaN},
               {1, 0, 0, 0, kNaN});
  expect_table(sinh, {0, kInfinity, -kInfinity, kNaN}, {0, kInfinity, -kInfinity, kNaN},
               {1, kInfinity, kInfinity, kNaN});
  expect_table(cosh, {0, kInfinity, -kInfinity, kNaN}, {1, kInfinity, kInfinity, kNaN},
               {0, kInfinity, -kInfinity, kNaN});
  expect_table(asinh, {0, 1e30, -1e30, kInfinity, -kInfinity, kNaN},
               {0, std::asinh(1e30), -std::asinh(1e30), kInfinity, -kInfinity, kNaN},
               {1, 1e-30, 1e-30, 0, 0, kNaN});
  expect_table(acosh, {1, 1e30, 0.5, -2, kInfinity, kNaN}, {0, std::acosh(1e30), kNaN, kNaN, kInfinity, kNaN},
               {kInfinity, 1e-30, kNaN, kNaN, 0, kNaN});
  expect_table(atanh, {0, 1, -1, 2, kNaN}, {0, kInfinity, -kInfinity, kNaN, kNaN},
               {1, kInfinity, kInfinity, -1 / 3., kNaN});
}

// Beyond these arguments, the vector library itself gives infinity.
TEST(Trigonometry, HyperbolicFunctionsReachTheLargestNumbers) {
  for_each_instruction_set([] {
    const auto value = [](Tensor (*op)(Tensor), double x, DType dtype) {
      return op(full({}, x, {.dtype = dtype})).item();
    };
    for (const double x : {88.7, 89.2}) {
      EXPECT_NEAR(value(sinh, x, float32) / std::sinh(static_cast<float>(x)), 1, 1e-6);
      EXPECT_NEAR(value(sinh, -x, float32) / std::sinh(static_cast<float>(-x)), 1, 1e-6);
      EXPECT_NEAR(value(cosh, -x, float32) / std::cosh(static_cast<float>(x)), 1, 1e-6);
    }
    for (const double x : {709.5, 710.4}) {
      EXPECT_NEAR(value(sinh, -x, float64) / std::sinh(-x), 1, 1e-14);
      EXPECT_NEAR(value(cosh, x, float64) / std::cosh(x), 1, 1e-14);
    }
    EXPECT_EQ(value(sinh, 90, float32), kInfinity);
    EXPECT_EQ(value(cosh, 711, float64), kInfinity);
    for (const double x : {2e9, 1e200, 1.7e308}) {
      EXPECT_NEAR(value(asinh, -x, float64) / std::asinh(-x), 1, 1e-15);
      EXPECT_NEAR(value(acosh, x, float64) / std::acosh(x), 1, 1e-15);
      EXPECT_NEAR(value(log1p, x, float64) / std::log1p(x), 1, 1e-15);
    }
  });
}

TEST(Trigonometry, ThirdDerivatives) {
  const Tensor x = tensor({0.25, -0.5}, {.dtype = float64});
  for (Tensor (*const op)(Tensor) : {sin, cos, tan, asin, acos, atan, sinh, cosh, asinh, atanh})
    expect_third_derivatives([&](auto in) { return op(in[0]); }, {x});
  expect_third_derivatives([&](auto in) { return acosh(in[0] + 2); }, {x});
}

TEST(Trigonometry, FunctionsOfAPointOnEveryPairOfShapes) {
  check_all_shape_pairs({"atan2", atan2, [](double a, double b) { return std::atan2(a, b); },
                         [](double a, double b) { return b / (a * a + b * b); },
                         [](double a, double b) { return -a / (a * a + b * b); }, 0.5, 2});
  check_all_shape_pairs({"hypot", hypot, [](double a, double b) { return std::hypot(a, b); },
                         [](double a, double b) { return a / std::hypot(a, b); },
                         [](double a, double b) { return b / std::hypot(a, b); }, -2, 2});
}

TEST(Trigonometry, FunctionsOfAPointHaveTwoGradients) {
  Rng rng(6);
  for (const auto op : {atan2, hypot}) {
    const auto f = [&](std::span<const Tensor> in) { return op(in[0], in[1]); };
    for (const auto& [a, b] : {std::pair<Shape, Shape>{{2, 3}, {2, 3}}, {{3}, {2, 1}}, {{}, {}}})
      expect_gradients(f, {random_tensor(a, rng, -2, -0.5), random_tensor(b, rng, 0.5, 2)});
    expect_gradients([&](auto in) { return op(in[0], in[0]) * in[0]; }, {random_tensor({3}, rng, 0.5, 2)});
  }
}

TEST(Trigonometry, FunctionsOfAPointAtSpecialPoints) {
  const std::vector<double> a = {0, 1e30, 3, -0.0, 0, 1e-30, kNaN}, b = {0, 1e30, -4, -1, -1, 0, 1};
  for (const DType dtype : {float32, float64}) {
    const Shape shape{static_cast<std::int64_t>(a.size())};
    const Tensor p = from_data(std::span(a), shape).to(dtype).set_requires_grad();
    const Tensor q = from_data(std::span(b), shape).to(dtype).set_requires_grad();
    const Tensor dy = ones(shape, {.dtype = dtype});
    const double root = std::sqrt(0.5), tolerance = tolerance_of(dtype);
    expect_close(hypot(p, q), {0, 1e30 / root, 5, 1, 1, 1e-30, kNaN}, tolerance);
    auto slopes = grad(hypot(p, q), {p, q}, {.gradient = dy});
    expect_close(slopes[0], {0, root, 0.6, 0, 0, 1, kNaN}, tolerance);
    expect_close(slopes[1], {0, root, -0.8, -1, -1, 0, kNaN}, tolerance);
    expect_close(atan2(p, q), {0, M_PI / 4, std::atan2(3, -4), -M_PI, M_PI, M_PI / 2, kNaN}, tolerance);
    slopes = grad(atan2(p, q), {p, q}, {.gradient = dy});
    expect_close(slopes[0] * 1e-6, {0, 0, -4 / 25e6, -1e-6, -1e-6, 0, kNaN}, tolerance);
    expect_close(slopes[1] * 1e-30, {0, 0, 0, 0, 0, -1, kNaN}, tolerance);
  }
}

TEST(Trigonometry, Errors) {
  expect_error<ShapeError>(
      "hypot: the shapes do not broadcast, axis 1 from the end differs; a is [2], b is [3]",
      [] { hypot(zeros({2}), zeros({3})); });
  expect_error<DTypeError>("atan2: a must be float32 or float64, it is int64",
                           [] { atan2(zeros({2}, {.dtype = int64}), zeros({2}, {.dtype = int64})); });
}

}  // namespace
}  // namespace adjoint
