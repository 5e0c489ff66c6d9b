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
  expect_error<ShapeError>("dense: x must have 2 axes, it is [8,3,1]", [] {
    dense(zeros({8, 3, 1}), zeros({16, 3}));
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
