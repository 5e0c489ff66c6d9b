// CTC against the sum over all sequences of classes.
#include <cmath>
#include <gtest/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/loss.h"
#include "adjoint/ops/reduce.h"
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
using Labels = std::vector<std::int64_t>;

constexpr TensorOptions kDouble{.dtype = float64};
constexpr TensorOptions kInteger{.dtype = int64};

/// -ln of the probability of all sequences of `steps` classes of image n that give these labels.
double naive(const Tensor& x, std::int64_t n, std::int64_t steps, const Labels& labels, std::int64_t blank) {
  const std::int64_t batch = x.size(1), classes = x.size(2);
  const Numbers xs = numbers(x);
  std::int64_t sequences = 1;
  for (std::int64_t t = 0; t < steps; ++t) sequences *= classes;
  double total = 0;
  for (std::int64_t sequence = 0; sequence < sequences; ++sequence) {
    Labels merged;
    double log_p = 0;
    std::int64_t before = -1, rest = sequence;
    for (std::int64_t t = 0; t < steps; ++t, rest /= classes) {
      const std::int64_t k = rest % classes;
      log_p += xs[static_cast<std::size_t>((t * batch + n) * classes + k)];
      if (k != before && k != blank) merged.push_back(k);
      before = k;
    }
    if (merged == labels) total += std::exp(log_p);
  }
  return -std::log(total);
}

TEST(CtcLoss, SumsOverAllSequences) {
  Rng rng(1);
  const std::vector<Labels> labels = {{1, 2}, {1, 1}, {2}, {}, {0, 1, 0}, {2, 2, 1}};
  const Labels steps = {5, 4, 3, 5, 5, 5};
  for (const std::int64_t blank : {0, 3}) {
    const Tensor x = log_softmax(random_tensor({5, 6, 4}, rng, -2, 2));
    std::vector<double> padded;
    Numbers losses, lengths;
    for (std::size_t n = 0; n < labels.size(); ++n) {
      Labels own = labels[n];
      if (blank == 0)
        for (std::int64_t& label : own) label = label == 0 ? 3 : label;
      losses.push_back(naive(x, static_cast<std::int64_t>(n), steps[n], own, blank));
      lengths.push_back(static_cast<double>(own.size()));
      own.resize(3, -7);  // Not read.
      padded.insert(padded.end(), own.begin(), own.end());
    }
    const Tensor target = from_data<double>(padded, {6, 3}).to(int64);
    const Tensor inputs = from_data<std::int64_t>(steps, {6}),
                 counts = from_data<double>(lengths, {6}).to(int64);
    const auto op = [&](const Tensor& x, Reduction reduction) {
      return ctc_loss(x, target, inputs, counts, {.blank = blank, .reduction = reduction});
    };
    expect_close(op(x, Reduction::none), losses, 1e-12);
    double mean = 0;
    for (std::size_t n = 0; n < 6; ++n) mean += losses[n] / std::max(1.0, lengths[n]) / 6;
    expect_close(op(x, Reduction::mean), {mean}, 1e-12);
    expect_gradients([&](auto in) { return op(in[0], Reduction::none); }, {x});
  }
}

TEST(CtcLoss, TakesNoLabelsAndNoSteps) {
  const Tensor logits = tensor({0, 1, 2, 2, 1, 0}, {2, 1, 3}, kDouble).set_requires_grad();
  const Tensor none = zeros({1, 0}, kInteger), zero = zeros({1}, kInteger), two = full({1}, 2, kInteger);
  const Tensor loss = ctc_loss(log_softmax(logits), none, two, zero);
  expect_close(loss, {2.815212}, 1e-6);
  expect_close(grad(loss, logits), {-.909969, .244728, .665241, -.334759, .244728, .090031}, 1e-6);
  expect_close(ctc_loss(log_softmax(logits), none, zero, zero), {0}, 0);
  const Tensor label = ones({1, 1}, kInteger), one = ones({1}, kInteger);
  const Tensor infinite = ctc_loss(log_softmax(logits), label, zero, one);
  expect_close(infinite, {kInfinity}, 0);
  expect_close(grad(infinite, logits), Numbers(6, 0), 0);
  expect_close(ctc_loss(log_softmax(logits), label, zero, one, {.zero_infinity = true}), {0}, 0);
}

TEST(CtcLoss, RefusesWhatDoesNotFit) {
  const Tensor x = zeros({4, 2, 3}), target = ones({2, 2}, kInteger), inputs = full({2}, 4, kInteger),
               lengths = full({2}, 2, kInteger);
  expect_error<ShapeError>("ctc_loss: x must have 3 axes, it is [3]",
                           [&] { ctc_loss(ones({3}), target, inputs, lengths); });
  expect_error<Error>("ctc_loss: blank must be a class of x [4,2,3], it is 3",
                      [&] { ctc_loss(x, target, inputs, lengths, {.blank = 3}); });
  expect_error<ShapeError>("ctc_loss: target must be [2,S], it is [4]",
                           [&] { ctc_loss(x, ones({4}, kInteger), inputs, lengths); });
  expect_error<Error>("ctc_loss: target[0,0] is class 1; it must be in [0, 3) and not the blank 1",
                      [&] { ctc_loss(x, target, inputs, lengths, {.blank = 1}); });
  expect_error<Error>("ctc_loss: input_lengths[0] must be in [0, 4], it is 5",
                      [&] { ctc_loss(x, target, inputs + ones({2}, kInteger), lengths); });
  expect_error<Error>("ctc_loss: target_lengths[0] must be in [0, 2], it is 4",
                      [&] { ctc_loss(x, target, inputs, inputs); });
  expect_error<ShapeError>("ctc_loss: input_lengths must be [2], it is [3]",
                           [&] { ctc_loss(x, target, ones({3}, kInteger), lengths); });
  expect_error<DTypeError>("ctc_loss: target_lengths must be int64, it is float32",
                           [&] { ctc_loss(x, target, inputs, ones({2})); });
}

}  // namespace
}  // namespace adjoint
