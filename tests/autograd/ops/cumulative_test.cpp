#include "adjoint/ops/cumulative.h"

#include <cmath>
#include <gtest/gtest.h>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

TEST(CumsumOp, AddsAlongAnAxis) {
  const Tensor x = tensor({1, 2, 3, 4, 5, 6}, {2, 3}, {.dtype = float64});
  expect_close(cumsum(x, 0), {1, 2, 3, 5, 7, 9}, 0);
  expect_close(cumsum(x, -1), {1, 3, 6, 4, 9, 15}, 0);
  EXPECT_EQ(cumsum(x, 0).shape(), x.shape());
  const Tensor whole = cumsum(tensor({1, 2, 3}, {.dtype = int64}), 0);
  EXPECT_EQ(whole.dtype(), int64);
  expect_close(whole, {1, 3, 6}, 0);
}

TEST(CumsumOp, TakesInterleavedValues) {
  Rng rng(1);
  const Tensor x = random_tensor({17, 3, 2}, rng);
  for (const int axis : {0, 1, 2}) expect_close(cumsum(as_interleaved(x), axis), numbers(cumsum(x, axis)), 0);
}

TEST(CumsumOp, Gradients) {
  Rng rng(2);
  for (const Shape& shape : {Shape{5}, Shape{2, 3, 4}, Shape{1, 1}, Shape{3, 0, 2}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      expect_gradients([&](auto in) { return cumsum(in[0], axis); }, {random_tensor(shape, rng)});
      expect_gradients([&](auto in) { return cumsum(in[0] * in[0], axis) * in[0]; },
                       {random_tensor(shape, rng)});
    }
  }
}

/// Values of op along every axis against f(the elements up to each), and gradients.
void check_cumulative(Tensor (*op)(const Tensor&, int), double (*f)(const std::vector<double>&),
                      const Tensor& x) {
  for (int axis = 0; axis < x.rank(); ++axis) {
    const Tensor y = op(x, axis - x.rank());
    ASSERT_EQ(y.shape(), x.shape());
    const std::vector<double> from = numbers(x);
    std::vector<double> expected(from.size());
    std::size_t step = 1;
    for (int inner = axis + 1; inner < x.rank(); ++inner) step *= static_cast<std::size_t>(x.size(inner));
    for (std::size_t i = 0; i < from.size(); ++i) {
      const std::size_t k = i / step % static_cast<std::size_t>(x.size(axis));
      std::vector<double> terms;
      for (std::size_t l = 0; l <= k; ++l) terms.push_back(from[i - (k - l) * step]);
      expected[i] = f(terms);
    }
    expect_close(y, expected, tolerance_of(x.dtype()));
    if (x.dtype() == float64) expect_gradients([&](auto in) { return op(in[0], axis); }, {x});
  }
}

double product_of(const std::vector<double>& x) {
  double product = 1;
  for (const double factor : x) product *= factor;
  return product;
}
double logsumexp_of(const std::vector<double>& x) {
  double total = 0;
  for (const double term : x) total += std::exp(term);
  return std::log(total);
}

TEST(Cumprod, ValuesAndGradientsWithZerosToo) {
  Rng rng(3);
  for (const Shape& shape : {Shape{5}, Shape{2, 3, 4}, Shape{1, 1}, Shape{3, 0, 2}, Shape{2, 70}}) {
    check_cumulative(cumprod, product_of, random_tensor(shape, rng, 0.5, 1.5));
    check_cumulative(cumprod, product_of, random_tensor(shape, rng, 0.5, 1.5, float32));
  }
  check_cumulative(cumprod, product_of, tensor({2, 0, 3, 4, 0, 5}, {.dtype = float64}));
  check_cumulative(cumprod, product_of, tensor({0, 2, 0, 3, 4, 1}, {2, 3}, {.dtype = float64}));
  check_cumulative(cumprod, product_of, tensor({2, 3, -4}, {.dtype = int64}));
  const std::int64_t large[] = {INT64_MAX, 2};
  const Tensor wrapped = cumprod(from_data<std::int64_t>(large, {2}), 0);
  EXPECT_EQ(wrapped.data<std::int64_t>()[1], -2);
}

TEST(Logcumsumexp, ValuesAndGradients) {
  Rng rng(4);
  for (const Shape& shape : {Shape{5}, Shape{2, 3, 4}, Shape{1, 1}, Shape{3, 0, 2}, Shape{2, 70}}) {
    check_cumulative(logcumsumexp, logsumexp_of, random_tensor(shape, rng, -2, 2));
    check_cumulative(logcumsumexp, logsumexp_of, random_tensor(shape, rng, -2, 2, float32));
  }
}

TEST(Logcumsumexp, SpecialValues) {
  Tensor x = tensor({-kInfinity, -kInfinity, 2, 1000, 1000}, {.dtype = float64, .requires_grad = true});
  const Tensor y = logcumsumexp(x, 0);
  expect_close(y, {-kInfinity, -kInfinity, 2, 1000, 1000 + std::log(2)}, 1e-14);
  y.backward(tensor({1, 1, 1, 0, 1}, {.dtype = float64}));
  expect_close(x.grad(), {0, 0, 1, 0.5, 0.5}, 1e-12);  // y is near 1000: its error is 1e-13
  expect_close(logcumsumexp(tensor({kNaN, 1}), 0), {kNaN, kNaN}, 0);
  expect_close(logcumsumexp(tensor({1, kNaN, kInfinity}), 0), {1, kNaN, kNaN}, 0);
  expect_close(logcumsumexp(tensor({kInfinity, 1, -kInfinity}), 0), {kInfinity, kInfinity, kInfinity}, 0);
}

TEST(CumsumOp, Errors) {
  expect_error<ShapeError>("cumsum: axis 2 is out of range; x is [2,3]", [] { cumsum(zeros({2, 3}), 2); });
  expect_error<ShapeError>("cumsum: axis 0 is out of range; x is []", [] { cumsum(scalar(1), 0); });
  expect_error<ShapeError>("cumprod: axis -2 is out of range; x is [2]", [] { cumprod(zeros({2}), -2); });
  expect_error<DTypeError>("cumprod: x must be float32, float64 or int64, it is boolean; to() converts it",
                           [] { cumprod(zeros({2}, {.dtype = boolean}), 0); });
  expect_error<DTypeError>("logcumsumexp: x must be float32 or float64, it is int64",
                           [] { logcumsumexp(zeros({2}, {.dtype = int64}), 0); });
}

}  // namespace
}  // namespace adjoint
