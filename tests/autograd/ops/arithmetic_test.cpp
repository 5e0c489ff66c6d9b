#include "adjoint/ops/arithmetic.h"

#include <cmath>

#include "adjoint/ops/reduce.h"
#include "tests/autograd/ops/binary_case.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

const BinaryCase kCases[] = {
    {"add", add, [](double a, double b) { return a + b; }, [](double, double) { return 1.0; },
     [](double, double) { return 1.0; }, -1, 1},
    {"sub", sub, [](double a, double b) { return a - b; }, [](double, double) { return 1.0; },
     [](double, double) { return -1.0; }, -1, 1},
    {"mul", mul, [](double a, double b) { return a * b; }, [](double, double b) { return b; },
     [](double a, double) { return a; }, -1, 1},
    {"div", div, [](double a, double b) { return a / b; }, [](double, double b) { return 1 / b; },
     [](double a, double b) { return -a / (b * b); }, 0.5, 2},
};

TEST(Arithmetic, EveryPairOfShapesThatBroadcasts) {
  for (const BinaryCase& c : kCases) check_all_shape_pairs(c);
}

TEST(Arithmetic, GradientsAndTheirs) {
  Rng rng(2);
  for (const BinaryCase& c : kCases) {
    SCOPED_TRACE(c.name);
    const auto op = [&](std::span<const Tensor> in) { return c.op(in[0], in[1]); };
    const auto op_interleaved = [&](std::span<const Tensor> in) {
      return as_interleaved(c.op(as_interleaved(in[0]), as_interleaved(in[1])));
    };
    const std::pair<Shape, Shape> pairs[] = {{{3, 5}, {3, 5}},    {{2, 3, 1}, {4}}, {{}, {2, 3}},
                                             {{9, 2, 3}, {2, 1}}, {{1}, {1}},       {{0, 3}, {1, 3}}};
    for (const auto& [a, b] : pairs) {
      const std::vector<Tensor> inputs = {random_tensor(a, rng, 0.5, 2), random_tensor(b, rng, 0.5, 2)};
      expect_gradients(op, inputs);
      expect_gradients(op_interleaved, inputs);
    }
  }
}

TEST(Arithmetic, OneTensorInBothPlaces) {
  Rng rng(3);
  const Tensor x = random_tensor({2, 3}, rng, 0.5, 2);
  expect_gradients([](auto in) { return add(in[0], in[0]); }, {x});
  expect_gradients([](auto in) { return mul(in[0], in[0]); }, {x});
  expect_gradients([](auto in) { return sub(in[0], in[0] * in[0]); }, {x});
  expect_gradients([](auto in) { return div(in[0], in[0] * in[0]); }, {x});
  expect_gradients([](auto in) { return in[0] * sum(in[0]); }, {x});
}

TEST(Arithmetic, DiamondIsVisitedOncePerNode) {
  const Tensor a = scalar(3, {.requires_grad = true});
  const Tensor b = a + a;
  const Tensor c = b + b;
  c.backward();
  EXPECT_EQ(a.grad().item(), 4);
  Tensor x = scalar(1, {.dtype = float64, .requires_grad = true});
  const Tensor leaf = x;
  for (int level = 0; level < 60; ++level) x = x * x;  // 2^60 paths
  EXPECT_EQ(grad(x, leaf).item(), 0x1p60);
}

TEST(Arithmetic, WithNumbers) {
  Rng rng(4);
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{1, 1}, Shape{17, 3}}) {
      const Tensor rows = random_tensor(shape, rng, 0.5, 2, dtype);
      for (const Tensor& x : {rows, as_interleaved(rows)}) {
        const std::vector<double> xs = numbers(rows);
        const auto expect = [&](const Tensor& y, double (*f)(double)) {
          std::vector<double> expected(xs.size());
          std::transform(xs.begin(), xs.end(), expected.begin(), f);
          EXPECT_EQ(y.shape(), shape);
          expect_close(y, expected, tolerance_of(dtype));
        };
        expect(x + 2.5, [](double v) { return v + 2.5; });
        expect(2.5 + x, [](double v) { return v + 2.5; });
        expect(x - 2.5, [](double v) { return v - 2.5; });
        expect(2.5 - x, [](double v) { return 2.5 - v; });
        expect(x * -3, [](double v) { return v * -3; });
        expect(-3 * x, [](double v) { return v * -3; });
        expect(x / 3, [](double v) { return v / 3; });
        expect(3 / x, [](double v) { return 3 / v; });
        expect(-x, [](double v) { return -v; });
      }
    }
  }
  const Tensor x = random_tensor({2, 3}, rng, 0.5, 2);
  expect_gradients([](auto in) { return 2 - (-in[0] * 3 + 1) / 4; }, {x});
  expect_gradients([](auto in) { return 2 / in[0]; }, {x});
  expect_gradients([](auto in) { return as_interleaved(2 / as_interleaved(in[0])); }, {x});
}

TEST(Arithmetic, SpecialValues) {
  for (const DType dtype : {float32, float64}) {
    const Tensor a = tensor({0, 1, kInfinity, kInfinity, kNaN, -1}, {.dtype = dtype});
    const Tensor b = tensor({0, 0, kInfinity, 0, 1, 0}, {.dtype = dtype});
    expect_close(a + b, {0, 1, kInfinity, kInfinity, kNaN, -1}, 0);
    expect_close(a - b, {0, 1, kNaN, kInfinity, kNaN, -1}, 0);
    expect_close(a * b, {0, 0, kInfinity, kNaN, kNaN, 0}, 0);
    expect_close(a / b, {kNaN, kInfinity, kNaN, kInfinity, kNaN, -kInfinity}, 0);
  }
}

/// Calls check(x) with the numbers xs as T row-major and interleaved, on every instruction set.
template <class T, class F>
void for_each_layout(const std::vector<T>& xs, const F& check) {
  const Tensor x = from_data(std::span(xs), {static_cast<std::int64_t>(xs.size())});
  for_each_instruction_set([&] {
    check(x);
    check(as_interleaved(x));
  });
}

// The expected results are those of the processor's own arithmetic.
template <class T>
void check_arithmetic_with_a_number(double number) {
  SCOPED_TRACE(number);
  using Limits = std::numeric_limits<T>;
  const std::vector<T> xs = {49,
                             1,
                             T(0.1),
                             0,
                             T(-0.0),
                             -1,
                             10,
                             Limits::denorm_min(),
                             Limits::max(),
                             3,
                             7,
                             255,
                             Limits::infinity(),
                             -Limits::infinity(),
                             Limits::quiet_NaN(),
                             T(1e-3),
                             T(1e10)};
  const T s = static_cast<T>(number);
  const auto apply = [&](auto f) {
    std::vector<T> ys;
    for (const T x : xs) ys.push_back(f(x));
    return ys;
  };
  for_each_layout(xs, [&](const Tensor& x) {
    const auto temporary = [&] { return neg(neg(x)); };
    expect_bits(x / number, apply([&](T v) { return v / s; }));
    expect_bits(temporary() / number, apply([&](T v) { return v / s; }));
    expect_bits(number / x, apply([&](T v) { return s / v; }));
    expect_bits(x * number, apply([&](T v) { return v * s; }));
    expect_bits(number * temporary(), apply([&](T v) { return s * v; }));
    expect_bits(x + number, apply([&](T v) { return v + s; }));
    expect_bits(x - number, apply([&](T v) { return v - s; }));
    expect_bits(number - temporary(), apply([&](T v) { return s - v; }));
    expect_bits(-x, apply([](T v) { return -v; }));
    expect_bits(temporary(), xs);
    const Tensor leaf = zeros(x.shape(), {.dtype = x.dtype(), .requires_grad = true});
    expect_bits(grad(leaf / number, leaf, {.gradient = x}), apply([&](T v) { return v / s; }));
    expect_bits(grad(leaf * number, leaf, {.gradient = x}), apply([&](T v) { return v * s; }));
    expect_bits(grad(-leaf, leaf, {.gradient = x}), apply([](T v) { return -v; }));
  });
}

TEST(Arithmetic, WithNumbersIsThatOfIeee754) {
  for (const double number : {49.0, 3.0, -10.0, 0.1, 0.0, -0.0, 1e-40, 5e-324, 1e300, kInfinity, kNaN}) {
    if (std::abs(number) < 1e38 || std::isinf(number)) check_arithmetic_with_a_number<float>(number);
    check_arithmetic_with_a_number<double>(number);
  }
  EXPECT_EQ((tensor({49}, {.dtype = float64}) / 49.0).item(), 1);
  EXPECT_EQ((1.0 / -zeros({1})).item(), -kInfinity);
  EXPECT_TRUE(std::signbit((zeros({1}) * -1.0).item()));
}

TEST(Arithmetic, WholeNumbersWrapAround) {
  const Tensor most = full({}, -0x1p63, {.dtype = int64}) - full({}, 1, {.dtype = int64});
  EXPECT_EQ(most.data<std::int64_t>()[0], INT64_MAX);
  const Tensor x = tensor({1, 2}, {2, 1}, {.dtype = int64});
  const auto expect = [](const Tensor& y, std::int64_t first, std::int64_t second) {
    EXPECT_EQ(y.data<std::int64_t>()[0], first);
    EXPECT_EQ(y.data<std::int64_t>()[1], second);
  };
  expect(x + most, INT64_MIN, INT64_MIN + 1);
  expect(-x - most, INT64_MIN, INT64_MAX);
  expect(x * most, INT64_MAX, -2);
  expect(-(x + most), INT64_MIN, INT64_MAX);
}

TEST(Arithmetic, WholeNumbersAreComputed) {
  const Tensor a = tensor({1, 2, 3}, {.dtype = int64}), b = tensor({10, 20}, {2, 1}, {.dtype = int64});
  expect_close(a + b, {11, 12, 13, 21, 22, 23}, 0);
  expect_close(a - b, {-9, -8, -7, -19, -18, -17}, 0);
  expect_close(a * a, {1, 4, 9}, 0);
  expect_close(-a, {-1, -2, -3}, 0);
  EXPECT_EQ((a * b).dtype(), int64);
  EXPECT_FALSE((a * b).requires_grad());
}

TEST(Arithmetic, StaysInterleaved) {
  Rng rng(5);
  const Tensor x = as_interleaved(random_tensor({5, 3, 2, 2}, rng)), w = random_tensor({3, 1, 1}, rng);
  const Tensor per_image = as_interleaved(random_tensor({5, 1, 1, 1}, rng));
  for (const Tensor& y : {x * w, w * x, x + per_image, x / scalar(2, {.dtype = float64}), x - x, -x * 2})
    EXPECT_FALSE(y.values().has(Layout::row_major));
  EXPECT_FALSE(x.values().has(Layout::row_major));
  EXPECT_FALSE(per_image.values().has(Layout::row_major));
}

TEST(Arithmetic, EightAxesCannotBeInterleaved) {
  Rng rng(6);
  const Tensor x = random_tensor({3, 1, 1, 2, 1, 1, 1, 2}, rng), w = random_tensor({2}, rng);
  expect_close(as_interleaved(x) * w, x * w, 0);
}

TEST(Arithmetic, KeepsOnlyWhatItsGradientReads) {
  Tensor w = tensor({1, 2}, {.requires_grad = true});
  const Tensor c = tensor({3, 4});
  const Tensor sums[] = {sum(w + w), sum(w - c), sum(w * c), sum(w / c), sum(-w * 2 + 1)};
  const Tensor needs_w[] = {sum(w * w), sum(c / w), sum(2 / w)};
  w.set_name("w");
  w.mutable_data<float>()[0] = 7;
  for (const Tensor& y : sums) EXPECT_NO_THROW(y.backward());
  expect_error<GraphError>("mul: w was changed after it was used in this graph (updates since: 1)",
                           [&] { needs_w[0].backward(); });
  EXPECT_THROW(needs_w[1].backward(), GraphError);
  EXPECT_THROW(needs_w[2].backward(), GraphError);
}

TEST(Arithmetic, Errors) {
  const Tensor a = zeros({2, 3}), b = zeros({3, 2}), whole = zeros({2}, {.dtype = int64});
  const Tensor wide = zeros({2, 3}, {.dtype = float64});
  expect_error<ShapeError>(
      "add: the shapes do not broadcast, axis 1 from the end differs; a is [2,3], b is "
      "[3,2]",
      [&] { add(a, b); });
  expect_error<DTypeError>("mul: a and b must have the same dtype; a is float32, b is float64",
                           [&] { mul(a, wide); });
  expect_error<DTypeError>("div: a must be float32 or float64, it is int64", [&] { div(whole, whole); });
  expect_error<DTypeError>("add: x must be float32 or float64, it is int64", [&] { add(whole, 1.5); });
  expect_error<DTypeError>("mul: x must be float32 or float64, it is int64", [&] { mul(whole, 1.5); });
  expect_error<DTypeError>("div: x must be float32 or float64, it is int64", [&] { div(1.5, whole); });
  expect_error<Error>("tensor: it is undefined; nothing was assigned to it", [&] { add(a, Tensor()); });
  EXPECT_THROW(sub(zeros({0}), zeros({2})), ShapeError);
}

}  // namespace
}  // namespace adjoint
