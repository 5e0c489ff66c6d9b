#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/draw.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/naive/gemm.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

RC_GTEST_PROP(Dense, AgreesWithNaiveLoops, ()) {
  const std::int64_t batch = draw(0, 40), inputs = draw(0, 40), outputs = draw(0, 40);
  const DType dtype = draw(0, 1) ? float32 : float64;
  const double tolerance = dtype == float32 ? 1e-5 : 1e-13;
  Rng rng(3);
  const Tensor leaf = random_tensor({batch, inputs}, rng, -1, 1, dtype).set_requires_grad();
  const Tensor x = draw(0, 1) ? as_interleaved(leaf) : leaf;
  const Tensor w = random_tensor({outputs, inputs}, rng, -1, 1, dtype).set_requires_grad();
  const Tensor b = random_tensor({outputs}, rng, -1, 1, dtype).set_requires_grad();
  const Tensor rows_dy = random_tensor({batch, outputs}, rng, -1, 1, dtype);
  const Tensor dy = draw(0, 1) ? as_interleaved(rows_dy) : rows_dy;
  const auto xs = numbers(x), ws = numbers(w), dys = numbers(dy);

  std::vector<double> expected = naive_gemm({batch, outputs, inputs, false, true}, xs, ws);
  expect_close(dense(x, w), expected, tolerance);
  const auto bs = numbers(b);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += bs[i % bs.size()];
  const Tensor y = dense(x, w, b);
  ASSERT_EQ(y.shape(), (Shape{batch, outputs}));
  expect_close(y, expected, tolerance);

  const std::vector<Tensor> gradients = grad(y, {leaf, w, b}, {.gradient = dy});
  expect_close(gradients[0], naive_gemm({batch, inputs, outputs}, dys, ws), tolerance);
  expect_close(gradients[1], naive_gemm({outputs, inputs, batch, true}, dys, xs), tolerance);
  const std::vector<double> ones(static_cast<std::size_t>(batch), 1);
  expect_close(gradients[2], naive_gemm({1, outputs, batch}, ones, dys), tolerance);
}

TEST(Dense, HasRightDerivatives) {
  Rng rng(1);
  const auto with_bias = [](auto in) { return dense(in[0], in[1], in[2]); };
  const auto interleaved = [](auto in) { return dense(as_interleaved(in[0]), in[1], in[2]); };
  expect_gradients(with_bias,
                   {random_tensor({3, 4}, rng), random_tensor({2, 4}, rng), random_tensor({2}, rng)});
  expect_gradients(interleaved,
                   {random_tensor({9, 3}, rng), random_tensor({4, 3}, rng), random_tensor({4}, rng)});
  expect_gradients([](auto in) { return dense(in[0], in[1]); },
                   {random_tensor({1, 4}, rng), random_tensor({2, 4}, rng)});
  expect_gradients([](auto in) { return dense(in[0], in[0]); }, {random_tensor({3, 2}, rng)});
}

TEST(Dense, TakesAnyNumberOfAxes) {
  Rng rng(11);
  const Tensor w = random_tensor({2, 4}, rng), b = random_tensor({2}, rng);
  for (const Shape& shape : {Shape{4}, {3, 4}, {1, 1, 4}, {2, 3, 4}, {17, 2, 4}, {2, 1, 3, 4}, {2, 0, 4}}) {
    const Tensor x = random_tensor(shape, rng);
    const std::int64_t rows = x.numel() / 4;
    std::vector<double> expected = naive_gemm({rows, 2, 4, false, true}, numbers(x), numbers(w));
    const Tensor y = dense(x, w);
    EXPECT_EQ(to_string(y.shape()), to_string(shape.with(-1, 2)));
    expect_close(y, expected, 1e-13);
    expect_close(dense(as_interleaved(x), w), expected, 1e-13);
    const auto bs = numbers(b);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += bs[i % 2];
    expect_close(dense(x, w, b), expected, 1e-13);
    expect_gradients([](auto in) { return dense(in[0], in[1], in[2]); }, {x, w, b});
  }
}

/// By its definition: one sum over i and j for each element.
TEST(Bilinear, AgreesWithNaiveLoops) {
  Rng rng(12);
  for (const Shape& front : {Shape{}, {3}, {2, 3}, {0}}) {
    const auto with_features = [&](std::int64_t features) {
      std::vector<std::int64_t> sizes(front.begin(), front.end());
      sizes.push_back(features);
      return Shape(std::span<const std::int64_t>(sizes));
    };
    const Tensor x1 = random_tensor(with_features(3), rng), x2 = random_tensor(with_features(2), rng),
                 w = random_tensor({4, 3, 2}, rng), b = random_tensor({4}, rng);
    const auto x1s = numbers(x1), x2s = numbers(x2), ws = numbers(w), bs = numbers(b);
    std::vector<double> without_b, with_b;
    for (std::size_t n = 0; n < static_cast<std::size_t>(front.numel()); ++n)
      for (std::size_t o = 0; o < 4; ++o) {
        double sum = 0;
        for (std::size_t i = 0; i < 3; ++i)
          for (std::size_t j = 0; j < 2; ++j) sum += x1s[3 * n + i] * ws[6 * o + 2 * i + j] * x2s[2 * n + j];
        without_b.push_back(sum);
        with_b.push_back(sum + bs[o]);
      }
    EXPECT_EQ(to_string(bilinear(x1, x2, w).shape()), to_string(with_features(4)));
    expect_close(bilinear(x1, x2, w), without_b, 1e-13);
    expect_close(bilinear(x1, x2, w, b), with_b, 1e-13);
    expect_gradients([](auto in) { return bilinear(in[0], in[1], in[2], in[3]); }, {x1, x2, w, b});
  }
}

TEST(Bilinear, Errors) {
  const Tensor x1 = zeros({5, 3}), x2 = zeros({5, 2}), w = zeros({4, 3, 2});
  expect_error<ShapeError>(
      "bilinear: x1 has 2 features and x2 has 3, w expects 3 and 2 (x1 [5,2], x2 [5,3], w [4,3,2])",
      [&] { bilinear(x2, x1, w); });
  expect_error<ShapeError>(
      "bilinear: x1 and x2 must be the same except for the last axis; x1 is [5,3], x2 is [6,2]", [&] {
        bilinear(x1, zeros({6, 2}), w);
      });
  expect_error<ShapeError>("bilinear: w must have 3 axes, it is [4,6]", [&] {
    bilinear(x1, x2, zeros({4, 6}));
  });
  expect_error<ShapeError>("bilinear: b must be [4], a number for each output of w [4,3,2], it is [3]",
                           [&] { bilinear(x1, x2, w, zeros({3})); });
  expect_error<DTypeError>("bilinear: x1 and x2 must have the same dtype; x1 is float32, x2 is int64",
                           [&] { bilinear(x1, arange(2), w); });
}

TEST(Dense, HasRightThirdDerivatives) {
  Rng rng(2);
  expect_third_derivatives([](auto in) { return dense(in[0], in[1]); },
                           {random_tensor({2, 3}, rng), random_tensor({2, 3}, rng)});
}

TEST(Dense, KeepsOnlyWhatBackwardReads) {
  Rng rng(7);
  const Tensor x = random_tensor({2, 3}, rng);
  Tensor w = random_tensor({1, 3}, rng).set_requires_grad();
  const Tensor loss = sum(dense(x, w));
  w.mutable_data<double>()[0] = 5;  // no gradient of x is wanted: w is not read again
  loss.backward();
  EXPECT_TRUE(w.grad().defined());
}

TEST(Dense, TakesEmptyArguments) {
  const Tensor w = ones({2, 3}).set_requires_grad(), b = ones({2}).set_requires_grad();
  const Tensor y = dense(zeros({0, 3}), w, b);
  EXPECT_EQ(y.shape(), (Shape{0, 2}));
  sum(y).backward();
  expect_close(w.grad(), std::vector<double>(6), 0);
  expect_close(b.grad(), {0, 0}, 0);
  expect_close(dense(zeros({2, 0}), zeros({1, 0}), ones({1})), {1, 1}, 0);
}

TEST(Dense, RefusesArgumentsThatDoNotFit) {
  expect_error<ShapeError>("dense: x has 3 features, w expects 4 (x [8,3], w [16,4])", [] {
    dense(zeros({8, 3}), zeros({16, 4}));
  });
  expect_error<ShapeError>("dense: x has 3 features, w (hidden.weight) expects 4 (x [8,3], w [16,4])", [] {
    Tensor w = zeros({16, 4});
    w.set_name("hidden.weight");
    dense(zeros({8, 3}), w);
  });
  expect_error<ShapeError>("dense: x has 1 features, w expects 3 (x [8,3,1], w [16,3])", [] {
    dense(zeros({8, 3, 1}), zeros({16, 3}));
  });
  expect_error<ShapeError>("dense: x must have at least 1 axis, it is []", [] {
    dense(scalar(1), zeros({16, 1}));
  });
  expect_error<ShapeError>("dense: w must have 2 axes, it is [3]", [] { dense(zeros({8, 3}), zeros({3})); });
  expect_error<ShapeError>("dense: b must be [16], a number for each output of w [16,3], it is [3]", [] {
    dense(zeros({8, 3}), zeros({16, 3}), zeros({3}));
  });
  expect_error<ShapeError>("dense: b must be [16], a number for each output of w [16,3], it is [16,1]", [] {
    dense(zeros({8, 3}), zeros({16, 3}), zeros({16, 1}));
  });
  expect_error<DTypeError>("dense: x and w must have the same dtype; x is float32, w is float64", [] {
    dense(zeros({8, 3}), zeros({16, 3}, {.dtype = float64}));
  });
  expect_error<DTypeError>("dense: x and b must have the same dtype; x is float32, b is float64", [] {
    dense(zeros({8, 3}), zeros({16, 3}), zeros({16}, {.dtype = float64}));
  });
  expect_error<DTypeError>("dense: x must be float32 or float64, it is int64",
                           [] { dense(arange(1), arange(1)); });
}

}  // namespace
}  // namespace adjoint
