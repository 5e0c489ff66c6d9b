// Cross-entropy and negative log-likelihood with all their options, against sums in plain numbers.
#include <cmath>
#include <gtest/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/loss.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/softmax.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;
using Numbers = std::vector<double>;

constexpr TensorOptions kDouble{.dtype = float64};
constexpr std::int64_t kIgnored = -100;

/// Where a row's classes lie in logits [N,K,...] or [K].
struct Rows {
  std::int64_t count = 1, classes = 1, inner = 1;

  explicit Rows(const Shape& shape) {
    const int axis = shape.rank() == 1 ? 0 : 1;
    classes = shape[axis];
    for (int i = 0; i < axis; ++i) count *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    count *= inner;
  }
  std::size_t index(std::int64_t row, std::int64_t k) const {
    return static_cast<std::size_t>((row / inner * classes + k) * inner + row % inner);
  }
  double log_probability(const Numbers& x, std::int64_t row, std::int64_t k) const {
    double total = 0;
    for (std::int64_t j = 0; j < classes; ++j) total += std::exp(x[index(row, j)]);
    return x[index(row, k)] - std::log(total);
  }
};

/// The losses of all rows, and what their mean divides by.
struct Expected {
  Numbers losses;
  double divisor = 0;
};

Expected of_classes(const Shape& shape, const Numbers& x, const Numbers& labels, const Numbers& w, double e) {
  const Rows rows(shape);
  Expected result;
  for (std::int64_t n = 0; n < rows.count; ++n) {
    const auto label = static_cast<std::int64_t>(labels[static_cast<std::size_t>(n)]);
    double loss = 0;
    for (std::int64_t k = 0; k < rows.classes && label != kIgnored; ++k) {
      const double t = (k == label ? 1 - e : 0) + e / static_cast<double>(rows.classes);
      loss -= w[static_cast<std::size_t>(k)] * t * rows.log_probability(x, n, k);
    }
    result.losses.push_back(loss);
    if (label != kIgnored) result.divisor += w[static_cast<std::size_t>(label)];
  }
  return result;
}

double total(const Numbers& numbers) {
  double result = 0;
  for (const double number : numbers) result += number;
  return result;
}

Shape without_classes(const Shape& shape) {
  if (shape.rank() == 1) return {};
  std::vector<std::int64_t> sizes(shape.begin(), shape.end());
  sizes.erase(sizes.begin() + 1);
  return Shape(sizes);
}

Tensor draw_labels(const Shape& logits, Rng& rng, bool ignore) {
  Tensor labels = zeros(without_classes(logits), {.dtype = int64});
  const std::int64_t classes = Rows(logits).classes;
  bool first = true;
  for (std::int64_t& label : labels.mutable_data<std::int64_t>()) {
    label = rng.below(classes);
    if (ignore && !first && rng.below(3) == 0) label = kIgnored;
    first = false;
  }
  return labels;
}

const Shape kShapes[] = {{5, 3}, {4}, {1, 1}, {2, 3, 4}, {2, 4, 1, 3}, {7, 1}, {0, 3}};

TEST(CrossEntropy, FollowsItsFormulaForClasses) {
  Rng rng(1);
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : kShapes) {
      for (const bool with_weight : {false, true}) {
        for (const bool ignore : {false, true}) {
          for (const double e : {0., .2, 1.}) {
            SCOPED_TRACE(to_string(shape) + (with_weight ? " weight" : "") + (ignore ? " ignore " : " ") +
                         std::to_string(e));
            const std::int64_t classes = Rows(shape).classes;
            const Tensor x = random_tensor(shape, rng, -3, 3, dtype), t = draw_labels(shape, rng, ignore);
            const Tensor w = random_tensor({classes}, rng, .5, 2, dtype);
            const Expected expected =
                of_classes(shape, numbers(x), numbers(t),
                           with_weight ? numbers(w) : Numbers(static_cast<std::size_t>(classes), 1), e);
            const auto op = [&](Reduction reduction) {
              return cross_entropy(
                  x, t, {.weight = with_weight ? w : Tensor(), .label_smoothing = e, .reduction = reduction});
            };
            const double sum = total(expected.losses), tolerance = 10 * tolerance_of(dtype);
            ASSERT_EQ(op(Reduction::none).shape(), t.shape());
            expect_close(op(Reduction::none), expected.losses, tolerance);
            expect_close(op(Reduction::sum), {sum}, tolerance);
            if (t.numel() == 0) continue;
            expect_close(op(Reduction::mean), {sum / expected.divisor}, tolerance);
            if (e != 0) continue;
            const Tensor log_p = log_softmax(x, shape.rank() == 1 ? 0 : 1);
            const auto nll = [&](Reduction reduction) {
              return nll_loss(log_p, t, {.weight = with_weight ? w : Tensor(), .reduction = reduction});
            };
            expect_close(nll(Reduction::none), expected.losses, tolerance);
            expect_close(nll(Reduction::mean), {sum / expected.divisor}, tolerance);
          }
        }
      }
    }
  }
}

TEST(CrossEntropy, FollowsItsFormulaForProbabilities) {
  Rng rng(2);
  for (const Shape& shape : kShapes) {
    for (const bool with_weight : {false, true}) {
      for (const double e : {0., .2}) {
        const Rows rows(shape);
        const Tensor x = random_tensor(shape, rng, -3, 3), t = random_tensor(shape, rng, 0, 1),
                     w = random_tensor({rows.classes}, rng, .5, 2);
        const Numbers xs = numbers(x), ts = numbers(t), ws = numbers(w);
        Numbers losses;
        for (std::int64_t n = 0; n < rows.count; ++n) {
          double loss = 0;
          for (std::int64_t k = 0; k < rows.classes; ++k) {
            const double weight = with_weight ? ws[static_cast<std::size_t>(k)] : 1;
            const double target = (1 - e) * ts[rows.index(n, k)] + e / static_cast<double>(rows.classes);
            loss -= weight * target * rows.log_probability(xs, n, k);
          }
          losses.push_back(loss);
        }
        const auto op = [&](Reduction reduction) {
          return cross_entropy(
              x, t, {.weight = with_weight ? w : Tensor(), .label_smoothing = e, .reduction = reduction});
        };
        expect_close(op(Reduction::none), losses, 1e-13);
        expect_close(op(Reduction::sum), {total(losses)}, 1e-13);
        if (rows.count != 0)
          expect_close(op(Reduction::mean), {total(losses) / static_cast<double>(rows.count)}, 1e-13);
      }
    }
  }
}

TEST(CrossEntropy, HasRightDerivatives) {
  Rng rng(3);
  const Shape shape{2, 3, 2};
  const Tensor x = random_tensor(shape, rng), w = random_tensor({3}, rng, .5, 2),
               p = random_tensor(shape, rng, .1, 1);
  const Tensor t = tensor({2, kIgnored, 0, 1}, {2, 2}, {.dtype = int64});
  for (const Reduction reduction :
       {Reduction::mean, Reduction::sum, Reduction::none, Reduction::batch_mean}) {
    expect_gradients(
        [&](auto in) {
          return cross_entropy(in[0], t, {.weight = in[1], .label_smoothing = .1, .reduction = reduction});
        },
        {x, w});
    expect_gradients(
        [&](auto in) {
          return cross_entropy(in[0], in[1],
                               {.weight = in[2], .label_smoothing = .1, .reduction = reduction});
        },
        {x, p, w});
    expect_gradients([&](auto in) { return nll_loss(in[0], t, {.weight = in[1], .reduction = reduction}); },
                     {x, w});
  }
  const Tensor rows = random_tensor({3, 2}, rng), labels = tensor({1, 0, 1}, {.dtype = int64});
  expect_gradients([&](auto in) { return cross_entropy(in[0], labels); }, {rows});
  expect_gradients([&](auto in) { return softmax_cross_entropy(in[0], labels, {Reduction::none}); }, {rows});
  expect_gradients([&](auto in) { return softmax_cross_entropy(in[0], in[0], {Reduction::none}); }, {rows});
}

TEST(CrossEntropy, HasTheHessianOfSoftmax) {
  const Numbers expected = {.144564,  -.006856, -.137708, -.006856, .037583,
                            -.030727, -.137708, -.030727, .168434};
  for (const double label : {0., 1., 2.}) {
    for (const bool fused : {false, true}) {
      const Tensor x = tensor({.5, -1, 2}, {1, 3}, kDouble).set_requires_grad();
      const Tensor t = full({1}, label, {.dtype = int64});
      const Tensor loss =
          fused ? cross_entropy(x, t) : sum(cross_entropy(x, t, {.reduction = Reduction::none}));
      const Tensor dx = grad(loss, x, {.create_graph = true});
      for (std::size_t row = 0; row < 3; ++row) {
        Tensor pick = zeros({1, 3}, kDouble);
        pick.mutable_data<double>()[row] = 1;
        const auto from = expected.begin() + static_cast<std::ptrdiff_t>(3 * row);
        expect_close(grad(dx, x, {.gradient = pick, .retain_graph = true}), Numbers(from, from + 3), 2e-6);
      }
    }
  }
}

// A small model that is trained gives the same bits with either name.
TEST(CrossEntropy, IsSoftmaxCrossEntropyWhereBothApply) {
  Rng rng(4);
  const Tensor x = random_tensor({9, 5}, rng, -3, 3, float32).set_requires_grad();
  const Tensor t = draw_labels({9, 5}, rng, false);
  const Tensor a = cross_entropy(x, t), b = softmax_cross_entropy(x, t);
  EXPECT_EQ(a.item(), b.item());
  EXPECT_STREQ(a.op(), "cross_entropy");
  EXPECT_EQ(numbers(grad(a, x)), numbers(grad(b, x)));
}

TEST(CrossEntropy, LeavesNothingOfIgnoredRows) {
  for (const bool with_weight : {false, true}) {
    for (const double e : {0., .2}) {
      const CrossEntropyOptions options{.weight = with_weight ? ones({3}, kDouble) : Tensor(),
                                        .label_smoothing = e};
      const auto with = [&](Reduction reduction) {
        CrossEntropyOptions changed = options;
        changed.reduction = reduction;
        return changed;
      };
      const Tensor x = tensor({1, kNaN, kInfinity, 3, 1, 0}, {2, 3}, kDouble).set_requires_grad();
      const Tensor all = full({2}, kIgnored, {.dtype = int64});
      for (const bool create_graph : {false, true}) {
        const Tensor mean = cross_entropy(x, all, options);
        EXPECT_TRUE(std::isnan(mean.item()));
        expect_bits<double>(grad(mean, x, {.create_graph = create_graph}), Numbers(6, 0));
        const Tensor sum = cross_entropy(x, all, with(Reduction::sum));
        expect_close(sum, {0}, 0);
        expect_bits<double>(grad(sum, x, {.create_graph = create_graph}), Numbers(6, 0));
      }
      const Tensor one = tensor({kIgnored, 0}, {.dtype = int64});
      const Tensor loss = cross_entropy(x, one, options);
      const Numbers dx = numbers(grad(loss, x));
      EXPECT_EQ(Numbers(dx.begin(), dx.begin() + 3), Numbers(3, 0));
      EXPECT_NEAR(dx[3] + dx[4] + dx[5], 0, 1e-15);
      EXPECT_NE(dx[3], 0);
      EXPECT_EQ(numbers(cross_entropy(x, one, with(Reduction::none)))[0], 0);
    }
  }
  // The same of nll_loss, and with a class that exists.
  const Tensor x = tensor({-1, -2, -3, -4}, {2, 2}, kDouble).set_requires_grad();
  const Tensor loss = nll_loss(x, tensor({1, 0}, {.dtype = int64}), {.ignore_index = 1});
  expect_close(loss, {3}, 0);
  expect_close(grad(loss, x), {0, 0, -1, 0}, 0);
}

TEST(CrossEntropy, SmoothingLeavesIgnoredRowsOut) {
  const Tensor x = tensor({1, 2, 3, 3, 1, 0}, {2, 3}, kDouble);
  const Tensor t = tensor({kIgnored, 0}, {.dtype = int64});
  expect_close(cross_entropy(x, t, {.label_smoothing = .2}), {.503179}, 1e-6);
}

TEST(CrossEntropy, ImpossibleClassesOfProbabilityZeroCountNothing) {
  const Tensor x = tensor({0, -kInfinity, 0}, {1, 3}, kDouble).set_requires_grad();
  const Tensor t = tensor({.5, 0, .5}, {1, 3}, kDouble);
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const Tensor loss = cross_entropy(x, t, {.reduction = reduction});
    expect_close(loss, {std::log(2.0)}, 1e-15);
    expect_close(grad(sum(loss), x), {0, 0, 0}, 1e-15);
  }
}

TEST(CrossEntropy, RefusesWhatDoesNotFit) {
  const auto labels = [](std::initializer_list<double> values) { return tensor(values, {.dtype = int64}); };
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const auto op = [&](const Tensor& x, const Tensor& t) { cross_entropy(x, t, {.reduction = reduction}); };
    expect_error<Error>("cross_entropy: target[1] is class -4, logits [2,3] have classes 0 to 2", [&] {
      op(ones({2, 3}), labels({0, -4}));
    });
    expect_error<Error>("cross_entropy: target[0] is class 3, logits [2,3] have classes 0 to 2", [&] {
      op(ones({2, 3}), labels({3, 0}));
    });
    expect_error<ShapeError>(
        "cross_entropy: target classes must be [2,4], one for each row of logits [2,3,4], it is [2]", [&] {
          op(ones({2, 3, 4}), labels({0, 1}));
        });
    expect_error<ShapeError>("cross_entropy: logits must have at least one class, it is [2,0]", [&] {
      op(ones({2, 0}), labels({0, 1}));
    });
    expect_error<ShapeError>("cross_entropy: logits must be [N,K,...] or [K], it is []",
                             [&] { op(ones({}), labels({0})); });
    expect_error<ShapeError>(
        "cross_entropy: target probabilities must have the shape of logits [2,3], it is [2]; class numbers "
        "are int64, target is float32",
        [&] {
          op(ones({2, 3}), ones({2}));
        });
    expect_error<DTypeError>(
        "cross_entropy: target must be int64 classes or probabilities of logits' dtype float32, it is "
        "float64",
        [&] {
          op(ones({2, 3}), ones({2, 3}, kDouble));
        });
  }
  expect_error<ShapeError>(
      "cross_entropy: the mean over nothing is undefined, logits is [0,3]; Reduction::sum gives 0", [&] {
        cross_entropy(ones({0, 3}), labels({}));
      });
  expect_error<ShapeError>("cross_entropy: weight must be [3], one for each class of logits [1,3], it is [2]",
                           [&] {
                             cross_entropy(ones({1, 3}), labels({0}), {.weight = ones({2})});
                           });
  expect_error<DTypeError>(
      "cross_entropy: logits and weight must have the same dtype; logits is float32, weight is float64", [&] {
        cross_entropy(ones({1, 3}), labels({0}), {.weight = ones({3}, kDouble)});
      });
  expect_error<Error>("cross_entropy: label_smoothing must be in [0, 1], it is 1.5", [&] {
    cross_entropy(ones({1, 3}), labels({0}), {.label_smoothing = 1.5});
  });
  expect_error<DTypeError>("nll_loss: target must be int64 classes, it is float32", [&] {
    nll_loss(ones({1, 3}), ones({1}));
  });
}

}  // namespace
}  // namespace adjoint
