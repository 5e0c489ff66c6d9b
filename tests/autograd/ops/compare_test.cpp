#include "adjoint/ops/compare.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/math.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive/broadcast.h"
#include "tests/support/numbers_of_every_kind.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

/// Numbers of every kind; whole ones and booleans from few, so that many are equal.
Tensor draw(const Shape& shape, DType dtype, unsigned seed) {
  if (dtype == float32) return from_data<float>(numbers_of_every_kind<float>(shape.numel(), seed), shape);
  if (dtype == float64) return from_data<double>(numbers_of_every_kind<double>(shape.numel(), seed), shape);
  Rng rng(seed);
  const Tensor whole = uniform(shape, -3, 3, {}, rng).to(int64);
  return dtype == int64 ? whole : whole.to(boolean);
}

struct Case {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&);
  bool (*expected)(double, double);
};

const Case kCases[] = {
    {"equal", equal, [](double a, double b) { return a == b; }},
    {"not_equal", not_equal, [](double a, double b) { return a != b; }},
    {"less", less, [](double a, double b) { return a < b; }},
    {"less_equal", less_equal, [](double a, double b) { return a <= b; }},
    {"greater", greater, [](double a, double b) { return a > b; }},
    {"greater_equal", greater_equal, [](double a, double b) { return a >= b; }},
    {"logical_and", logical_and, [](double a, double b) { return a != 0 && b != 0; }},
    {"logical_or", logical_or, [](double a, double b) { return a != 0 || b != 0; }},
    {"logical_xor", logical_xor, [](double a, double b) { return (a != 0) != (b != 0); }},
    {"a == b", operator==, [](double a, double b) { return a == b; }},
    {"a != b", operator!=, [](double a, double b) { return a != b; }},
    {"a < b", operator<, [](double a, double b) { return a < b; }},
    {"a <= b", operator<=, [](double a, double b) { return a <= b; }},
    {"a > b", operator>, [](double a, double b) { return a > b; }},
    {"a >= b", operator>=, [](double a, double b) { return a >= b; }},
    {"a & b", operator&, [](double a, double b) { return a != 0 && b != 0; }},
    {"a | b", operator|, [](double a, double b) { return a != 0 || b != 0; }},
    {"a ^ b", operator^, [](double a, double b) { return (a != 0) != (b != 0); }},
};

void check_comparisons(const Shape& a_shape, const Shape& b_shape) {
  const Shape y_shape = common_shape(a_shape, b_shape);
  for (const DType dtype : {float32, float64, int64, boolean}) {
    const Tensor a = draw(a_shape, dtype, 1), b = draw(b_shape, dtype, 2);
    const auto as = numbers(a), bs = numbers(b);
    for (const Case& c : kCases) {
      const Tensor y = c.op(a, b);
      ASSERT_EQ(y.dtype(), boolean);
      ASSERT_EQ(y.shape(), y_shape);
      ASSERT_FALSE(y.requires_grad());
      const auto found = y.data<bool>();
      for (std::size_t i = 0; i < found.size(); ++i) {
        const double p = as[source_of(i, y_shape, a_shape)], q = bs[source_of(i, y_shape, b_shape)];
        ASSERT_EQ(found[i], c.expected(p, q)) << c.name << " of " << p << " and " << q << ", " << name(dtype);
      }
    }
  }
}

TEST(Compare, EveryInstructionSetAgreesWithPlainLoops) {
  for_each_instruction_set([&] {
    for (const std::int64_t n : {0, 1, 7, 33, 1000}) check_comparisons({n}, {n});
  });
}

RC_GTEST_PROP(Compare, RepeatsArgumentsLikeIndexArithmetic, ()) {
  const Shape whole = random_shape(4);
  check_comparisons(random_part(whole), random_part(whole));
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Compare, WithANumberOnEitherSide) {
  for (const DType dtype : {float32, float64, int64}) {
    const Tensor x = tensor({1, 2, 3}, {.dtype = dtype});
    expect_close(x == 2, {0, 1, 0}, 0);
    expect_close(2 == x, {0, 1, 0}, 0);
    expect_close(x != 2, {1, 0, 1}, 0);
    expect_close(2 != x, {1, 0, 1}, 0);
    expect_close(x < 2, {1, 0, 0}, 0);
    expect_close(2 < x, {0, 0, 1}, 0);
    expect_close(x <= 2, {1, 1, 0}, 0);
    expect_close(2 <= x, {0, 1, 1}, 0);
    expect_close(x > 2, {0, 0, 1}, 0);
    expect_close(2 > x, {1, 0, 0}, 0);
    expect_close(x >= 2, {0, 1, 1}, 0);
    expect_close(2 >= x, {1, 1, 0}, 0);
  }
  expect_close(tensor({0, 1}, {.dtype = boolean}) == 1, {0, 1}, 0);
  expect_close(!tensor({0, 1}, {.dtype = boolean}), {1, 0}, 0);
  expect_close(!tensor({0, 0.5, kNaN}), {1, 0, 0}, 0);
}

// 2^53 and 2^53 + 1 are the same as float64.
TEST(Compare, WholeNumbersAreComparedExactly) {
  const std::vector<std::int64_t> large = {std::int64_t{1} << 53, (std::int64_t{1} << 53) + 1};
  const Tensor x = from_data<std::int64_t>(large, {2});
  expect_close(x == 0x1p53, {1, 0}, 0);
  expect_close(x > 0x1p53, {0, 1}, 0);
}

TEST(Compare, LongArraysWithThreads) {
  for (const int number : {1, 2, 3}) {
    const WithThreads threads(number);
    check_comparisons({3, 1}, {40'000});
    check_comparisons({70'001}, {});
  }
}

TEST(Compare, KindsOfNumbers) {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = tensor({0, kNaN, kInfinity, -kInfinity, -1}, {.dtype = dtype, .requires_grad = true});
    expect_close(isnan(x), {0, 1, 0, 0, 0}, 0);
    expect_close(isinf(x), {0, 0, 1, 1, 0}, 0);
    expect_close(isfinite(x), {1, 0, 0, 0, 1}, 0);
  }
  const Tensor largest = from_data<float>(std::vector{std::numeric_limits<float>::max()}, {1});
  expect_close(isfinite(largest), {1}, 0);
  for (const DType dtype : {int64, boolean}) {
    const Tensor x = tensor({0, 1}, {.dtype = dtype});
    expect_close(isnan(x), {0, 0}, 0);
    expect_close(isinf(x), {0, 0}, 0);
    expect_close(isfinite(x), {1, 1}, 0);
  }
}

TEST(Compare, Errors) {
  const Tensor x = zeros({2, 3}), whole = zeros({2, 3}, {.dtype = int64});
  expect_error<DTypeError>("greater: a and b must have the same dtype; a is float32, b is int64",
                           [&] { greater(x, whole); });
  expect_error<ShapeError>(
      "less: the shapes do not broadcast, axis 1 from the end differs; a is [2,3], b is [2]",
      [&] { less(x, zeros({2})); });
  expect_error<Error>(
      "less: x is int64, so the number must be whole and fit into int64, it is 0.5; to() converts x",
      [&] { less(whole, 0.5); });
  expect_error<Error>("equal: x is boolean, so the number must be 0 or 1, it is 2",
                      [&] { equal(x.to(boolean), 2); });
}

// Where

void check_where(const Shape& mask_shape, const Shape& a_shape, const Shape& b_shape) {
  const Shape y_shape = common_shape(mask_shape, common_shape(a_shape, b_shape));
  const Tensor mask = draw(mask_shape, boolean, 3);
  for (const DType dtype : {float32, float64, int64, boolean}) {
    const Tensor a = draw(a_shape, dtype, 1), b = draw(b_shape, dtype, 2), y = where(mask, a, b);
    const auto masks = numbers(mask), as = numbers(a), bs = numbers(b);
    ASSERT_EQ(y.shape(), y_shape);
    std::vector<double> expected(y_shape.numel());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = masks[source_of(i, y_shape, mask_shape)] != 0 ? as[source_of(i, y_shape, a_shape)]
                                                                  : bs[source_of(i, y_shape, b_shape)];
    }
    expect_close(y, expected, 0);
  }
}

TEST(Where, EveryInstructionSetAgreesWithPlainLoops) {
  for_each_instruction_set([&] {
    for (const std::int64_t n : {0, 1, 7, 33, 1000}) check_where({n}, {n}, {n});
    check_where({3, 70}, {1}, {70});
    check_where({3, 70}, {3, 1}, {});
    check_where({3, 1}, {70}, {3, 70});
  });
}

RC_GTEST_PROP(Where, RepeatsArgumentsLikeIndexArithmetic, ()) {
  const Shape whole = random_shape(4);
  check_where(random_part(whole), random_part(whole), random_part(whole));
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Where, Gradients) {
  Rng rng(1);
  const Tensor mask = draw({3, 5}, boolean, 3);
  for (const auto& [a, b] : {std::pair(Shape{3, 5}, Shape{3, 5}), {{5}, {3, 1}}, {{}, {2, 1, 5}}}) {
    expect_gradients([&](auto in) { return where(mask, in[0], in[1]); },
                     {random_tensor(a, rng), random_tensor(b, rng)});
  }
  const Tensor x = random_tensor({3, 5}, rng);
  expect_gradients([&](auto in) { return where(mask, in[0], in[0] * in[0]); }, {x});
  expect_gradients([&](auto in) { return where(mask, in[0], 2) + where(mask, -1, in[0]); }, {x});
  expect_gradients([&](auto in) { return masked_fill(in[0], mask, 7); }, {x});
  expect_gradients([&](auto in) { return as_interleaved(where(mask, as_interleaved(in[0]), in[0] * 2)); },
                   {x});
}

// The gradient selects; it does not multiply by the mask, which would turn infinity into NaN.
TEST(Where, AnArgumentThatIsNotSelectedGetsAnExactZero) {
  const Tensor mask = tensor({1, 0}, {.dtype = boolean});
  Tensor a = zeros({2}, {.requires_grad = true}), b = zeros({2}, {.requires_grad = true});
  where(mask, a, b).backward(tensor({kInfinity, kNaN}));
  expect_close(a.grad(), {kInfinity, 0}, 0);
  expect_close(b.grad(), {0, kNaN}, 0);
}

TEST(Where, ASafeArgumentKeepsNaNOut) {
  Tensor x = tensor({-1, -4}, {.dtype = float64, .requires_grad = true});
  where(x > 0, sqrt(where(x > 0, x, 1)), x).backward(ones({2}, {.dtype = float64}));
  expect_close(x.grad(), {1, 1}, 0);
}

TEST(Where, MaskedFillAndNanToNum) {
  const Tensor x = tensor({1, 2, 3, 4}, {2, 2}), mask = tensor({0, 1}, {.dtype = boolean});
  expect_close(masked_fill(x, mask, -1), {1, -1, 3, -1}, 0);
  for (const DType dtype : {float32, float64}) {
    const double largest =
        dtype == float32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
    Tensor special = tensor({kNaN, kInfinity, -kInfinity, 5}, {.dtype = dtype, .requires_grad = true});
    const Tensor y = nan_to_num(special);
    expect_close(y, {0, largest, -largest, 5}, 0);
    expect_close(nan_to_num(special, {.nan = 1, .posinf = 2, .neginf = 3}), {1, 2, 3, 5}, 0);
    y.backward(ones({4}, {.dtype = dtype}));
    expect_close(special.grad(), {0, 0, 0, 1}, 0);
  }
}

TEST(Where, Errors) {
  const Tensor x = zeros({2, 3}), mask = ones({2, 3}, {.dtype = boolean});
  expect_error<DTypeError>("where: mask must be boolean, it is float32; write mask != 0",
                           [&] { where(x, x, x); });
  expect_error<DTypeError>("where: a and b must have the same dtype; a is float32, b is boolean",
                           [&] { where(mask, x, mask); });
  expect_error<ShapeError>(
      "where: the shapes do not broadcast, axis 1 from the end differs; a is [2,3], b is [2]",
      [&] { where(mask, x, zeros({2})); });
  expect_error<DTypeError>("masked_fill: mask must be boolean, it is float32; write mask != 0",
                           [&] { masked_fill(x, x, 0); });
  expect_error<ShapeError>("masked_fill: mask must broadcast to x's shape; x is [3], mask is [2,3]",
                           [&] { masked_fill(zeros({3}), mask, 0); });
  expect_error<DTypeError>("nan_to_num: x must be float32 or float64, it is boolean",
                           [&] { nan_to_num(mask); });
}

}  // namespace
}  // namespace adjoint
