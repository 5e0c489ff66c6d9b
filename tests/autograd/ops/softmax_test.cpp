#include "adjoint/ops/softmax.h"

#include <cmath>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/draw.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

/// Calls f(indices) for every line of elements along axis.
template <class F>
void for_each_line(const Shape& shape, int axis, const F& f) {
  std::int64_t inner = 1;
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  for (std::int64_t start = 0; start < shape.numel(); ++start) {
    if (start / inner % shape[axis] != 0) continue;
    std::vector<std::size_t> line;
    for (std::int64_t k = 0; k < shape[axis]; ++k)
      line.push_back(static_cast<std::size_t>(start + k * inner));
    f(line);
  }
}

RC_GTEST_PROP(Softmax, AgreesWithNaiveLoops, ()) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t rank = draw(1, 4); rank > 0; --rank) sizes.push_back(draw(1, rank == 1 ? 20 : 6));
  std::swap(sizes.front(), sizes.back());
  const Shape shape{std::span<const std::int64_t>(sizes)};
  const int axis = static_cast<int>(draw(0, shape.rank() - 1));
  const int given = draw(0, 1) ? axis : axis - shape.rank();
  const DType dtype = draw(0, 1) ? float32 : float64;
  const double tolerance = 4 * tolerance_of(dtype);

  Rng rng(5);
  const Tensor leaf = random_tensor(shape, rng, -4, 4, dtype).set_requires_grad();
  const bool interleaved = draw(0, 1) == 1;
  const auto x = [&] { return interleaved ? as_interleaved(leaf) : leaf; };
  const Tensor rows_dy = random_tensor(shape, rng, -1, 1, dtype);
  const Tensor dy = draw(0, 1) ? as_interleaved(rows_dy) : rows_dy;

  const std::vector<double> xs = numbers(leaf), dys = numbers(rows_dy);
  std::vector<double> s(xs.size()), log_s(xs.size()), dx(xs.size()), log_dx(xs.size());
  for_each_line(shape, axis, [&](const std::vector<std::size_t>& line) {
    double total = 0, weighted = 0, slopes = 0;
    for (const std::size_t k : line) total += std::exp(xs[k]);
    for (const std::size_t k : line) {
      s[k] = std::exp(xs[k]) / total;
      log_s[k] = xs[k] - std::log(total);
      weighted += dys[k] * s[k];
      slopes += dys[k];
    }
    for (const std::size_t k : line) {
      dx[k] = s[k] * (dys[k] - weighted);
      log_dx[k] = dys[k] - s[k] * slopes;
    }
  });

  for (const bool create_graph : {false, true}) {  // one kernel, or ops
    const Tensor y = softmax(x(), given), log_y = log_softmax(x(), given);
    ASSERT_EQ(y.shape(), shape);
    expect_close(y, s, tolerance);
    expect_close(log_y, log_s, tolerance);
    expect_close(grad(y, leaf, {.gradient = dy, .create_graph = create_graph}), dx, tolerance);
    expect_close(grad(log_y, leaf, {.gradient = dy, .create_graph = create_graph}), log_dx, tolerance);
  }
}

TEST(Softmax, HasRightDerivatives) {
  Rng rng(1);
  for (const int axis : {0, 1, -1}) {
    expect_gradients([axis](auto in) { return softmax(in[0], axis); }, {random_tensor({2, 3, 4}, rng)});
    expect_gradients([axis](auto in) { return log_softmax(in[0], axis); }, {random_tensor({2, 3, 4}, rng)});
    expect_gradients([axis](auto in) { return softmax(as_interleaved(in[0]), axis); },
                     {random_tensor({9, 3, 2}, rng)});
    expect_gradients([axis](auto in) { return log_softmax(as_interleaved(in[0]), axis); },
                     {random_tensor({9, 3, 2}, rng)});
  }
  expect_gradients([](auto in) { return softmax(in[0]); }, {random_tensor({5}, rng)});
}

TEST(Softmax, HasRightThirdDerivatives) {
  Rng rng(2);
  const Tensor x = random_tensor({2, 3}, rng);
  expect_third_derivatives([](auto in) { return softmax(in[0]); }, {x});
  expect_third_derivatives([](auto in) { return log_softmax(in[0]); }, {x});
}

TEST(Softmax, DoesNotOverflow) {
  const Tensor x = tensor({1000, 1000, -1000, 1e38, 0, -1e38}, {2, 3});
  expect_close(softmax(x), {.5, .5, 0, 1, 0, 0}, 1e-7);
  const double half = std::log(.5);
  expect_close(log_softmax(x), {half, half, half - 2000, 0, -1e38, -2e38}, 1e-6);
}

TEST(Softmax, GivesMinusInfinityNoProbability) {
  const Tensor x = tensor({0, -kInfinity, 0}, {1, 3}, {.dtype = float64}).set_requires_grad();
  const double half = std::log(.5);
  const Tensor y = softmax(x), log_y = log_softmax(x);
  expect_close(y, {.5, 0, .5}, 1e-15);
  expect_close(log_y, {half, -kInfinity, half}, 1e-15);
  const Tensor dy = tensor({1, 2, 3}, {1, 3}, {.dtype = float64});
  expect_close(grad(y, x, {.gradient = dy}), {-.5, 0, .5}, 1e-15);
  expect_close(grad(log_y, x, {.gradient = dy}), {-2, 2, 0}, 1e-15);
}

TEST(Softmax, PassesNotANumberOn) {
  const Tensor x = tensor({1, kNaN, 2, 3}, {2, 2});
  const std::vector<double> y = numbers(softmax(x));
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  EXPECT_NEAR(y[2] + y[3], 1, 1e-6);
}

TEST(Softmax, TakesOneClassAndNone) {
  const Tensor x = tensor({5, -5}, {2, 1}).set_requires_grad();
  const Tensor y = softmax(x);
  expect_close(y, {1, 1}, 0);
  expect_close(grad(y, x, {.gradient = ones({2, 1})}), {0, 0}, 0);
  expect_close(log_softmax(x), {0, 0}, 0);
  EXPECT_EQ(softmax(zeros({0, 3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(softmax(zeros({0, 3}), 0).shape(), (Shape{0, 3}));
  EXPECT_EQ(log_softmax(zeros({3, 0})).shape(), (Shape{3, 0}));
}

TEST(Softmax, RefusesWhatDoesNotFit) {
  expect_error<ShapeError>("softmax: axis 2 is out of range; x is [2,3]", [] { softmax(zeros({2, 3}), 2); });
  expect_error<ShapeError>("log_softmax: axis -1 is out of range; x is []", [] { log_softmax(scalar(1)); });
  expect_error<DTypeError>("softmax: x must be float32 or float64, it is int64", [] { softmax(arange(3)); });
  expect_error<DTypeError>("log_softmax: x must be float32 or float64, it is int64",
                           [] { log_softmax(arange(3)); });
}

}  // namespace
}  // namespace adjoint
