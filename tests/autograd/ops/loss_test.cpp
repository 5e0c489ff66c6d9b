#include "adjoint/ops/loss.h"

#include <cmath>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/softmax.h"
#include "adjoint/tensor/create.h"
#include "tests/support/draw.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

constexpr LossOptions kSum{.reduction = Reduction::sum};

Tensor classes(const std::vector<std::int64_t>& values) {
  return from_data<std::int64_t>(values, {static_cast<std::int64_t>(values.size())});
}

Tensor one_hot(const std::vector<std::int64_t>& values, std::int64_t count, DType dtype) {
  Tensor result = zeros({static_cast<std::int64_t>(values.size()), count}, {.dtype = float64});
  const std::span<double> data = result.mutable_data<double>();
  for (std::size_t n = 0; n < values.size(); ++n)
    data[n * static_cast<std::size_t>(count) + static_cast<std::size_t>(values[n])] = 1;
  return result.to(dtype);
}

RC_GTEST_PROP(SoftmaxCrossEntropy, AgreesWithSoftmaxAndLogarithm, ()) {
  const std::int64_t batch = draw(1, 40), count = draw(1, 12);
  const DType dtype = draw(0, 1) ? float32 : float64;
  const double tolerance = 10 * tolerance_of(dtype);
  const LossOptions options{draw(0, 1) ? Reduction::mean : Reduction::sum};
  const double scale = options.reduction == Reduction::mean ? 1 / static_cast<double>(batch) : 1;

  Rng rng(5);
  const Tensor leaf = random_tensor({batch, count}, rng, -3, 3, dtype).set_requires_grad();
  const bool interleaved = draw(0, 1) == 1;
  const auto logits = [&] { return interleaved ? as_interleaved(leaf) : leaf; };
  std::vector<std::int64_t> labels;
  for (std::int64_t n = 0; n < batch; ++n) labels.push_back(draw(0, count - 1));
  const Tensor targets = one_hot(labels, count, dtype);
  const Tensor probabilities = random_tensor({batch, count}, rng, 0, 1, dtype);  // not even adding up to 1

  // The Jacobians of softmax, logarithm and sum, one after the other.
  const auto composed = [&](const Tensor& t) { return sum(t * log(softmax(leaf, 1))) * -scale; };
  const auto gradient = [&](const Tensor& y, bool create_graph) {
    return grad(y, leaf, {.gradient = scalar(1.5, {.dtype = dtype}), .create_graph = create_graph});
  };
  for (const bool create_graph : {false, true}) {  // one kernel, or ops
    const Tensor by_class = softmax_cross_entropy(logits(), classes(labels), options);
    const Tensor by_probability = softmax_cross_entropy(logits(), probabilities, options);
    expect_close(by_class, composed(targets), tolerance);
    expect_close(by_probability, composed(probabilities), tolerance);
    expect_close(gradient(by_class, create_graph), gradient(composed(targets), false), tolerance);
    expect_close(gradient(by_probability, create_graph), gradient(composed(probabilities), false), tolerance);
  }
  const Tensor expected = (softmax(leaf, 1) - targets) * scale;  // S - y
  expect_close(grad(softmax_cross_entropy(logits(), classes(labels), options), leaf), expected, tolerance);
}

TEST(SoftmaxCrossEntropy, HasRightDerivatives) {
  Rng rng(1);
  for (const LossOptions options : {LossOptions{}, kSum}) {
    const Tensor labels = classes({2, 0, 1, 2, 2, 1, 0, 0, 1});
    expect_gradients([&](auto in) { return softmax_cross_entropy(in[0], labels, options); },
                     {random_tensor({9, 3}, rng)});
    expect_gradients([&](auto in) { return softmax_cross_entropy(as_interleaved(in[0]), labels, options); },
                     {random_tensor({9, 3}, rng)});
    // Targets that are not normalized have right derivatives too.
    expect_gradients([&](auto in) { return softmax_cross_entropy(in[0], in[1], options); },
                     {random_tensor({2, 3}, rng), random_tensor({2, 3}, rng, 0, 1)});
    expect_gradients(
        [&](auto in) { return softmax_cross_entropy(as_interleaved(in[0]), as_interleaved(in[1]), options); },
        {random_tensor({9, 2}, rng), random_tensor({9, 2}, rng, 0, 1)});
    expect_gradients([&](auto in) { return softmax_cross_entropy(in[0], in[0], options); },
                     {random_tensor({2, 3}, rng)});
  }
}

TEST(SoftmaxCrossEntropy, HasRightThirdDerivatives) {
  Rng rng(2);
  expect_third_derivatives(
      [](auto in) {
        return softmax_cross_entropy(in[0], classes({1, 0}));
      },
      {random_tensor({2, 3}, rng)});
}

TEST(SoftmaxCrossEntropy, DoesNotOverflow) {
  const Tensor logits = tensor({1000, 0, -1000, 1e38, -1e38, 0}, {2, 3}).set_requires_grad();
  const Tensor loss = softmax_cross_entropy(logits, classes({1, 0}), kSum);
  expect_close(loss, {1000}, 1e-6);
  expect_close(grad(loss, logits), {1, -1, 0, 0, 0, 0}, 1e-6);
}

TEST(SoftmaxCrossEntropy, TakesLogitsOfMinusInfinity) {
  const Tensor logits = tensor({0, -kInfinity, 0}, {1, 3}, {.dtype = float64}).set_requires_grad();
  const Tensor possible = softmax_cross_entropy(logits, classes({0}));
  expect_close(possible, {std::log(2.0)}, 1e-15);
  expect_close(grad(possible, logits), {-.5, 0, .5}, 1e-15);
  const Tensor by_probability =
      softmax_cross_entropy(logits, tensor({.5, 0, .5}, {1, 3}, {.dtype = float64}));
  expect_close(by_probability, {std::log(2.0)}, 1e-15);
  expect_close(grad(by_probability, logits), {0, 0, 0}, 1e-15);
  const Tensor impossible = softmax_cross_entropy(logits, classes({1}));
  expect_close(impossible, {kInfinity}, 0);
  expect_close(grad(impossible, logits), {.5, -1, .5}, 1e-15);
}

TEST(SoftmaxCrossEntropy, PassesNotANumberOn) {
  const Tensor logits = tensor({0, kNaN}, {1, 2});
  EXPECT_TRUE(std::isnan(softmax_cross_entropy(logits, classes({0})).item()));
}

TEST(SoftmaxCrossEntropy, TakesOneClass) {
  const Tensor logits = tensor({5, -5}, {2, 1}).set_requires_grad();
  const Tensor loss = softmax_cross_entropy(logits, classes({0, 0}));
  expect_close(loss, {0}, 0);
  expect_close(grad(loss, logits), {0, 0}, 0);
}

TEST(SoftmaxCrossEntropy, SumsAnEmptyBatchToZero) {
  const Tensor logits = zeros({0, 3}).set_requires_grad();
  const Tensor loss = softmax_cross_entropy(logits, classes({}), kSum);
  expect_close(loss, {0}, 0);
  EXPECT_EQ(grad(loss, logits).shape(), logits.shape());
  expect_error<ShapeError>(
      "softmax_cross_entropy: the mean over nothing is undefined, logits is [0,3]; Reduction::sum gives 0",
      [&] { softmax_cross_entropy(logits, classes({})); });
}

TEST(SoftmaxCrossEntropy, KeepsItsDigitsOverALargeBatch) {
  Rng rng(3);
  const std::int64_t batch = 4000;
  const Tensor logits = random_tensor({batch, 10}, rng, -3, 3, float32);
  const std::vector<std::int64_t> labels(static_cast<std::size_t>(batch), 7);
  const double exact = softmax_cross_entropy(logits.to(float64), classes(labels)).item();
  EXPECT_NEAR(softmax_cross_entropy(logits, classes(labels)).item(), exact, 2e-7 * exact);
}

TEST(SoftmaxCrossEntropy, KeepsOnlyWhatBackwardReads) {
  Tensor logits = tensor({1, 2}, {1, 2}).set_requires_grad();
  Tensor labels = classes({0});
  const Tensor loss = softmax_cross_entropy(logits, labels);
  labels.mutable_data<std::int64_t>()[0] = 1;
  EXPECT_THROW(loss.backward(), GraphError);
}

TEST(SoftmaxCrossEntropy, RefusesWhatDoesNotFit) {
  const auto refuses = [](const Tensor& logits, const Tensor& target, const char* text) {
    expect_error<ShapeError>(text, [&] { softmax_cross_entropy(logits, target); });
  };
  refuses(zeros({3}), classes({0}), "softmax_cross_entropy: logits must have 2 axes, it is [3]");
  refuses(zeros({2, 0}), classes({0, 0}),
          "softmax_cross_entropy: logits must have at least one class, it is [2,0]");
  refuses(zeros({2, 3}), classes({0}),
          "softmax_cross_entropy: target classes must be [2], one for each row of logits [2,3], it is [1]");
  refuses(zeros({2, 3}), zeros({2, 1}, {.dtype = int64}),
          "softmax_cross_entropy: target classes must be [2], one for each row of logits [2,3], it is [2,1]");
  refuses(
      zeros({2, 3}), zeros({3, 2}),
      "softmax_cross_entropy: target probabilities must have the shape of logits [2,3], it is [3,2]; class "
      "numbers are int64, target is float32");
  refuses(zeros({2, 3}), zeros({2}),
          "softmax_cross_entropy: target probabilities must have the shape of logits [2,3], it is [2]; class "
          "numbers are int64, target is float32");
  expect_error<DTypeError>(
      "softmax_cross_entropy: target must be int64 classes or probabilities of logits' "
      "dtype float32, it is float64",
      [] {
        softmax_cross_entropy(zeros({2, 3}), zeros({2, 3}, {.dtype = float64}));
      });
  expect_error<DTypeError>("softmax_cross_entropy: logits must be float32 or float64, it is int64", [] {
    softmax_cross_entropy(zeros({2, 3}, {.dtype = int64}), classes({0, 0}));
  });
  expect_error<Error>("softmax_cross_entropy: target[2] is class 10, logits [3,10] have classes 0 to 9", [] {
    softmax_cross_entropy(zeros({3, 10}), classes({9, 0, 10}));
  });
  expect_error<Error>("softmax_cross_entropy: target[1] is class -1, logits [3,10] have classes 0 to 9", [] {
    softmax_cross_entropy(zeros({3, 10}), classes({9, -1, 10}));
  });
}

TEST(Mse, AgreesWithItsDefinition) {
  for (const DType dtype : {float32, float64}) {
    const TensorOptions options{.dtype = dtype};
    const Tensor x = tensor({1, 2, 3, 4, 5, 6}, {3, 2}, options).set_requires_grad();
    const Tensor target = tensor({1, 0, 3, 7, 5, 5}, {3, 2}, options);
    expect_close(mse(x, target, kSum), {14}, 1e-6);
    for (const bool create_graph : {false, true}) {
      const Tensor loss = mse(as_interleaved(x), target);
      expect_close(loss, {14.0 / 6}, 1e-6);
      const Tensor dx = grad(loss, x, {.gradient = scalar(3, options), .create_graph = create_graph});
      expect_close(dx, {0, 2, 0, -3, 0, 1}, 1e-6);
    }
  }
}

TEST(Mse, HasRightDerivatives) {
  Rng rng(4);
  for (const LossOptions options : {LossOptions{}, kSum}) {
    expect_gradients([&](auto in) { return mse(in[0], in[1], options); },
                     {random_tensor({2, 3}, rng), random_tensor({2, 3}, rng)});
    expect_gradients([&](auto in) { return mse(as_interleaved(in[0]), in[0] * in[0], options); },
                     {random_tensor({9, 2}, rng)});
    expect_gradients([&](auto in) { return mse(in[0], in[1], options); },
                     {random_tensor({}, rng), random_tensor({}, rng)});
  }
}

// With logits (0, -1000) a loss is 0 or 1000 and a gradient 1 or 0, exactly; with equal ones it is 1/2.
TEST(SoftmaxCrossEntropy, ItsMeanDivides) {
  for (std::int64_t n = 1; n <= 100; ++n) {
    const auto count = static_cast<double>(n);
    std::vector<double> far;
    std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) far.insert(far.end(), {0, -1000});
    labels[0] = 1;
    const Tensor logits = from_data<double>(far, {n, 2});
    EXPECT_EQ(softmax_cross_entropy(logits, classes(labels)).item(), 1000 / count);
    const Tensor level = zeros({n, 2}, {.dtype = float64, .requires_grad = true}),
                 dy = scalar(3, {.dtype = float64});
    for (const bool create_graph : {false, true}) {
      const Tensor loss = softmax_cross_entropy(level, classes(labels));
      const Tensor dlogits = grad(loss, level, {.gradient = dy, .create_graph = create_graph});
      EXPECT_EQ(dlogits.data<double>()[0], 0.5 * (3 / count));
      EXPECT_EQ(dlogits.data<double>()[1], -0.5 * (3 / count));
    }
  }
}

TEST(Mse, ItsMeanDivides) {
  for (std::int64_t n = 1; n <= 100; ++n) {
    const auto count = static_cast<double>(n);
    const Tensor zero = zeros({n}, {.dtype = float64}), dy = scalar(3, {.dtype = float64});
    const Tensor x = full({n}, 1, {.dtype = float64, .requires_grad = true});
    EXPECT_EQ(mse(x * 3, zero).item(), 9 * count / count);
    for (const bool create_graph : {false, true}) {
      const Tensor dx = grad(mse(x, zero), x, {.gradient = dy, .create_graph = create_graph});
      EXPECT_EQ(dx.data<double>()[0], 6 / count);
    }
  }
}

TEST(Mse, KeepsItsDigitsOverManyElements) {
  Rng rng(5);
  const Tensor x = random_tensor({1000, 100}, rng, -1, 1, float32), y = zeros({1000, 100});
  const double exact = mse(x.to(float64), y.to(float64)).item();
  EXPECT_NEAR(mse(x, y).item(), exact, 3e-7 * exact);
}

TEST(Mse, RefusesWhatDoesNotFit) {
  expect_error<ShapeError>("mse: x and target must have the same shape; x is [2,3], target is [3]", [] {
    mse(zeros({2, 3}), zeros({3}));
  });
  expect_error<ShapeError>("mse: the mean over nothing is undefined, x is [0,3]; Reduction::sum gives 0", [] {
    mse(zeros({0, 3}), zeros({0, 3}));
  });
  expect_close(mse(zeros({0, 3}), zeros({0, 3}), kSum), {0}, 0);
  expect_error<DTypeError>("mse: x and target must have the same dtype; x is float32, target is float64",
                           [] { mse(zeros({3}), zeros({3}, {.dtype = float64})); });
  expect_error<DTypeError>("mse: x must be float32 or float64, it is int64",
                           [] { mse(arange(3), arange(3)); });
}

}  // namespace
}  // namespace adjoint
