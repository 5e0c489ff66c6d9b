// Functions with jumps and kinks: rounding, remainders, bounds; and lerp and addcmul.
#include <cmath>
#include <limits>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "tests/autograd/ops/binary_case.h"
#include "tests/autograd/ops/unary_case.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"

namespace adjoint {
namespace {

using namespace support;

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min(),
                       kLargest = std::numeric_limits<std::int64_t>::max();

Tensor whole(std::vector<std::int64_t> values) {
  return from_data(std::span<const std::int64_t>(values), {static_cast<std::int64_t>(values.size())});
}

std::vector<std::int64_t> whole_numbers(const Tensor& y) {
  const auto data = y.data<std::int64_t>();
  return {data.begin(), data.end()};
}

TEST(Piecewise, RoundingHasTheGradientZero) {
  const std::pair<Tensor (*)(Tensor), double (*)(double)> cases[] = {
      {floor, std::floor},
      {ceil, std::ceil},
      {round, std::nearbyint},
      {trunc, std::trunc},
      {sign, [](double x) { return x > 0   ? 1.0
                                   : x < 0 ? -1.0
                                           : x * 0; }}};
  const std::vector<double> x = {-2.5, -1.5, -0.5, -0.0, 0, 0.4, 0.5, 1.5, 3, 1e30, kInfinity, -kInfinity};
  for (const auto& [op, f] : cases) {
    expect_table(op, x, apply(f, x), std::vector<double>(x.size(), 0));
    const Tensor at = from_data(std::span(x), {12}).set_requires_grad();
    const Tensor dx =
        grad(op(at), at, {.gradient = full({12}, kInfinity, {.dtype = float64}), .create_graph = true});
    expect_close(dx, std::vector<double>(12, 0), 0);
  }
  for (const auto op : {floor, ceil, round, trunc})
    EXPECT_THROW(op(zeros({2}, {.dtype = int64})), DTypeError);
  EXPECT_EQ(numbers(sign(whole({-7, 0, 9, kLowest, kLargest}))), (std::vector<double>{-1, 0, 1, -1, 1}));
}

double python_remainder(double a, double b) { return a - std::floor(a / b) * b; }

TEST(Piecewise, FunctionsOfTwoNumbersOnEveryPairOfShapes) {
  check_all_shape_pairs({"fmod", fmod, [](double a, double b) { return std::fmod(a, b); },
                         [](double, double) { return 1.0; },
                         [](double a, double b) { return -std::trunc(a / b); }, 0.5, 4});
  check_all_shape_pairs({"remainder", remainder, python_remainder, [](double, double) { return 1.0; },
                         [](double a, double b) { return -std::floor(a / b); }, -4, -0.5});
  check_all_shape_pairs({"minimum", minimum, [](double a, double b) { return std::min(a, b); },
                         [](double a, double b) { return a < b ? 1.0 : 0.0; },
                         [](double a, double b) { return a < b ? 0.0 : 1.0; }, -2, 2});
  check_all_shape_pairs({"maximum", maximum, [](double a, double b) { return std::max(a, b); },
                         [](double a, double b) { return a < b ? 0.0 : 1.0; },
                         [](double a, double b) { return a < b ? 1.0 : 0.0; }, -2, 2});
  check_all_shape_pairs({"clamp", [](const Tensor& a, const Tensor& b) { return clamp(a, b, Tensor{}); },
                         [](double a, double b) { return std::max(a, b); },
                         [](double a, double b) { return a < b ? 0.0 : 1.0; },
                         [](double a, double b) { return a < b ? 1.0 : 0.0; }, -2, 2});
  check_all_shape_pairs({"lerp", [](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.75); },
                         [](double a, double b) { return a + 0.75 * (b - a); },
                         [](double, double) { return 0.25; }, [](double, double) { return 0.75; }, -2, 2});
}

TEST(Piecewise, GradientsOfFunctionsOfTwoNumbers) {
  // No two of these are closer than the steps of the central differences, and no quotient is a whole number.
  const Tensor a = tensor({-7.3, -1.2, 0.4, 2.5, 5.7, 8.9}, {2, 3}, {.dtype = float64});
  const Tensor b = tensor({2.3, -3.1, 1.7}, {.dtype = float64});
  using Op = Tensor (*)(const Tensor&, const Tensor&);
  for (const Op op : {Op(fmod), Op(remainder), Op(minimum), Op(maximum)}) {
    expect_gradients([&](auto in) { return op(in[0], in[1]); }, {a, b});
    expect_gradients([&](auto in) { return op(in[0], in[1]) * in[0]; }, {a, b});
    expect_gradients([&](auto in) { return op(as_interleaved(in[0]), in[1]); }, {a, b});
  }
  expect_gradients([](auto in) { return minimum(in[0], in[0]); }, {a});
  expect_gradients([](auto in) { return fmod(in[0], 1.85); }, {a});
  expect_gradients([](auto in) { return remainder(in[0], -1.85); }, {a});
}

TEST(Piecewise, RemaindersOfNumbersOfEitherSign) {
  const std::vector<double> a = {7, -7, 7, -7, 0, -0.0, 6, -6, 5, -5, 5, kInfinity, kNaN, 1};
  const std::vector<double> b = {3, 3, -3, -3, 3, 3, 3, 3, kInfinity, kInfinity, 0, 2, 1, kNaN};
  for (const DType dtype : {float32, float64}) {
    const Shape shape{static_cast<std::int64_t>(a.size())};
    const Tensor p = from_data(std::span(a), shape).to(dtype), q = from_data(std::span(b), shape).to(dtype);
    expect_close(fmod(p, q), {1, -1, 1, -1, 0, 0, 0, 0, 5, -5, kNaN, kNaN, kNaN, kNaN}, 0);
    expect_close(remainder(p, q), {1, 2, -2, -1, 0, 0, 0, 0, 5, kInfinity, kNaN, kNaN, kNaN, kNaN}, 0);
    expect_close(fmod(p, -3), {1, -1, 1, -1, 0, 0, 0, 0, 2, -2, 2, kNaN, kNaN, 1}, 0);
    expect_close(remainder(p, -3), {-2, -1, -2, -1, 0, 0, 0, 0, -1, -2, -1, kNaN, kNaN, -2}, 0);
  }
  // The quotient 2.9999999999999996 rounds to 3 in float32, but the remainder decides its whole part.
  Tensor x = tensor({0.3}, {.dtype = float64, .requires_grad = true});
  const Tensor s = tensor({0.1}, {.dtype = float64, .requires_grad = true});
  expect_close(fmod(x, s), {std::fmod(0.3, 0.1)}, 0);
  expect_close(grad(fmod(x, s), s), {-2}, 0);
}

TEST(Piecewise, RemaindersOfWholeNumbers) {
  const Tensor a = whole({7, -7, 7, -7, 6, -6, 0, kLowest, kLowest, kLargest, kLowest});
  const Tensor b = whole({3, 3, -3, -3, -3, 3, -5, -1, kLargest, kLowest, kLowest});
  EXPECT_EQ(whole_numbers(fmod(a, b)),
            (std::vector<std::int64_t>{1, -1, 1, -1, 0, 0, 0, 0, -1, kLargest, 0}));
  EXPECT_EQ(whole_numbers(remainder(a, b)),
            (std::vector<std::int64_t>{1, 2, -2, -1, 0, 0, 0, 0, kLargest - 1, -1, 0}));
  expect_error<Error>("fmod: b must not be 0 where the dtype is int64, element 1 of b [2] is", [] {
    fmod(whole({1, 2}), whole({1, 0}));
  });
  expect_error<Error>("remainder: b must not be 0 where the dtype is int64, element 0 of b [1] is", [] {
    remainder(whole({1, 2}), whole({0}));
  });
  expect_error<DTypeError>("fmod: x must be float32 or float64, it is int64", [] { fmod(whole({1}), 2.5); });
}

TEST(Piecewise, ExtremesShareTheGradientOfEqualNumbers) {
  for (const DType dtype : {float32, float64}) {
    const Tensor a = tensor({1, 2, kNaN, 3, -0.0}, {.dtype = dtype, .requires_grad = true});
    const Tensor b = tensor({1, 1, 5, kNaN, 0}, {.dtype = dtype, .requires_grad = true});
    expect_close(maximum(a, b), {1, 2, kNaN, kNaN, 0}, 0);
    expect_close(minimum(a, b), {1, 1, kNaN, kNaN, 0}, 0);
    const Tensor dy = tensor({1, 1, 1, 1, 1}, {.dtype = dtype});
    auto slopes = grad(maximum(a, b), {a, b}, {.gradient = dy});
    expect_close(slopes[0], {0.5, 1, 1, 1, 0.5}, 0);
    expect_close(slopes[1], {0.5, 0, 1, 1, 0.5}, 0);
    slopes = grad(minimum(a, b), {a, b}, {.gradient = dy});
    expect_close(slopes[0], {0.5, 0, 1, 1, 0.5}, 0);
    expect_close(slopes[1], {0.5, 1, 1, 1, 0.5}, 0);
    // What does not reach an argument is 0, not 0 times dy.
    slopes = grad(maximum(a, b), {a, b}, {.gradient = tensor({1, kInfinity, 1, 1, 1}, {.dtype = dtype})});
    expect_close(slopes[1], {0.5, 0, 1, 1, 0.5}, 0);
  }
  const Tensor p = whole({3, kLowest, 5}), q = whole({2, kLargest, 5});
  EXPECT_EQ(whole_numbers(maximum(p, q)), (std::vector<std::int64_t>{3, kLargest, 5}));
  EXPECT_EQ(whole_numbers(minimum(p, q)), (std::vector<std::int64_t>{2, kLowest, 5}));
  EXPECT_EQ(numbers(maximum(p, whole({4}))), (std::vector<double>{4, 4, 5}));
}

TEST(Piecewise, ClampBetweenNumbers) {
  const auto both = [](const Tensor& x) { return clamp(x, {.min = 0, .max = 1}); };
  expect_table(both, {0, 1, 2, -1, 0.5, kInfinity, -kInfinity, kNaN}, {0, 1, 1, 0, 0.5, 1, 0, kNaN},
               {1, 1, 0, 0, 1, 0, 0, 1});
  expect_table([](const Tensor& x) { return clamp(x, {.min = 0}); }, {0, -1, kInfinity}, {0, 0, kInfinity},
               {1, 0, 1});
  expect_table([](const Tensor& x) { return clamp(x, {.max = 0}); }, {0, 1, -kInfinity}, {0, 0, -kInfinity},
               {1, 0, 1});
  expect_table([](const Tensor& x) { return clamp(x, {.min = 2, .max = 1}); }, {0, 1.5, 3}, {1, 1, 1},
               {0, 0, 0});
  expect_close(clamp(tensor({1, 2}), {.min = kNaN}), {kNaN, kNaN}, 0);
  expect_close(clamp(tensor({1, 2}), {.max = kNaN}), {kNaN, kNaN}, 0);
  check_unary({"clamp", both, [](double x) { return std::min(std::max(x, 0.0), 1.0); }, -2, 2, 0.1, 0.9});
  expect_error<Error>("clamp: it needs a lower bound, min, or an upper bound, max",
                      [] { clamp(zeros({1}), {}); });
}

TEST(Piecewise, ClampBetweenTensors) {
  const Tensor x = tensor({0, 1, 2, -1, kNaN, 0.5}, {.requires_grad = true});
  const Tensor low = tensor({0, 0, 0, 0, 0, kNaN}, {.requires_grad = true});
  const Tensor high = tensor({1}, {.requires_grad = true});
  const Tensor y = clamp(x, low, high);
  expect_close(y, {0, 1, 1, 0, kNaN, kNaN}, 0);
  const auto slopes = grad(y, {x, low, high}, {.gradient = tensor({1, 2, 4, 8, 16, 32})});
  expect_close(slopes[0], {1, 2, 0, 0, 16, 32}, 0);
  expect_close(slopes[1], {0, 0, 0, 8, 0, 0}, 0);
  expect_close(slopes[2], {4}, 0);
  // The double clamp of pytorch: [0,nan] from below by [nan,1] is NaN twice.
  expect_close(clamp(tensor({0, kNaN}), tensor({kNaN, 1}), Tensor{}), {kNaN, kNaN}, 0);
  expect_close(clamp(tensor({0, 3}), Tensor{}, tensor({2, 1})), {0, 1}, 0);
  EXPECT_EQ(numbers(clamp(whole({-5, 0, 5}), whole({-2}), whole({3}))), (std::vector<double>{-2, 0, 3}));
  const Tensor a = tensor({-2, -0.4, 0.3, 0.7, 1.5, 3}, {2, 3}, {.dtype = float64});
  expect_gradients([](auto in) { return clamp(in[0], in[1], in[2]); },
                   {a, tensor({-1, 0, 1}, {.dtype = float64}), tensor({1.25}, {.dtype = float64})});
  expect_error<Error>("clamp: it needs a lower bound, min, or an upper bound, max",
                      [] { clamp(zeros({1}), Tensor{}, Tensor{}); });
  EXPECT_THROW(clamp(zeros({2}), zeros({3}), Tensor{}), ShapeError);
}

TEST(Lerp, IsExactAtBothEnds) {
  Rng rng(7);
  for (const DType dtype : {float32, float64}) {
    const Tensor a = random_tensor({40}, rng, -1e3, 1, dtype), b = random_tensor({40}, rng, -1, 1e5, dtype);
    expect_close(lerp(a, b, 0), numbers(a), 0);
    expect_close(lerp(a, b, 1), numbers(b), 0);
    expect_close(lerp(a, a, 0.3), numbers(a), 0);
    const std::vector<double> p = numbers(a), q = numbers(b);
    for (const double w : {-1.0, 0.25, 0.5, 0.75, 2.0}) {
      std::vector<double> expected;
      for (std::size_t i = 0; i < p.size(); ++i) expected.push_back(p[i] + w * (q[i] - p[i]));
      expect_close(lerp(a, b, w), expected, 4 * tolerance_of(dtype));
    }
  }
}

TEST(Lerp, GradientsOfThreeArgumentsThatBroadcast) {
  Rng rng(8);
  const auto f = [](std::span<const Tensor> in) { return lerp(in[0], in[1], in[2]); };
  for (const auto& shapes : {std::vector<Shape>{{2, 3}, {2, 3}, {2, 3}},
                             {{3}, {2, 1}, {}},
                             {{}, {1, 3}, {4, 2, 1}},
                             {{0}, {1}, {}}}) {
    std::vector<Tensor> in;
    for (const Shape& shape : shapes) in.push_back(random_tensor(shape, rng, -0.4, 0.4));
    expect_gradients(f, in);
    in[2] = in[2] + 1;
    expect_gradients(f, {in[0], in[1], in[2].detach()});
  }
  expect_error<ShapeError>("lerp: the shapes do not broadcast; a is [2], b is [1], weight is [3]",
                           [] { lerp(zeros({2}), zeros({1}), zeros({3})); });
  expect_error<DTypeError>("lerp: a and weight must have the same dtype; a is float32, weight is float64",
                           [] { lerp(zeros({2}), zeros({2}), zeros({2}, {.dtype = float64})); });
}

TEST(Addcmul, AddsAProduct) {
  Rng rng(9);
  for (const auto& shapes : {std::vector<Shape>{{2, 3}, {2, 3}, {2, 3}},
                             {{3}, {2, 1}, {}},
                             {{}, {1, 3}, {4, 2, 1}},
                             {{17, 2}, {17, 2}, {2}}}) {
    std::vector<Tensor> in;
    for (const Shape& shape : shapes) in.push_back(random_tensor(shape, rng, -2, 2));
    for (const double value : {1.0, -0.5}) {
      const auto f = [&](std::span<const Tensor> in) {
        return addcmul(in[0], in[1], in[2], {.value = value});
      };
      expect_close(f(in), in[0] + in[1] * in[2] * value, 1e-15);
      const std::vector<Tensor> interleaved = {as_interleaved(in[0]), in[1], as_interleaved(in[2])};
      expect_close(f(interleaved), f(in), 0);
      expect_gradients(f, in);
    }
  }
  expect_close(addcmul(tensor({1, 2}), tensor({3, 4}), tensor({5, 6}), {.value = 2}), {31, 50}, 0);
  expect_error<ShapeError>("addcmul: the shapes do not broadcast; x is [2], a is [3], b is [1]",
                           [] { addcmul(zeros({2}), zeros({3}), zeros({1})); });
  expect_error<DTypeError>("addcmul: x and a must have the same dtype; x is float32, a is float64",
                           [] { addcmul(zeros({2}), zeros({2}, {.dtype = float64}), zeros({2})); });
}

}  // namespace
}  // namespace adjoint
