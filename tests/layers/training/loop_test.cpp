// The training loop: the updates, losses and accuracies that plain arithmetic gives, in any number of
// threads.

#include "adjoint/training/loop.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "adjoint/graph/grad_mode.h"
#include "adjoint/modules/activations.h"
#include "adjoint/modules/conv2d.h"
#include "adjoint/modules/dense.h"
#include "adjoint/modules/pooling.h"
#include "adjoint/modules/sequential.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/shape.h"
#include "adjoint/optim/sgd.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_near.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;
using Numbers = std::vector<double>;

/// The squared distance of each image's one output from the number of its class.
Tensor squared_error(const Tensor& output, const Tensor& label, const LossOptions& options) {
  return mse(flatten(output, {.start_axis = 0}), label.to(output.dtype()), options);
}

/// Images of one pixel, which are 1, 3/5, 1/5, 2/5, 4/5.
const LabeledImages kPixels = {
    .count = 5, .height = 1, .width = 1, .images = {255, 153, 51, 102, 204}, .labels = {3, 1, 0, 2, 9}};

/// Such images of three pixels, which Flatten makes logits.
LabeledImages logits_as_images(const std::vector<std::uint8_t>& pixels,
                               const std::vector<std::uint8_t>& labels) {
  return {.count = static_cast<std::int64_t>(labels.size()),
          .height = 1,
          .width = 3,
          .images = pixels,
          .labels = labels};
}

// The network is y = w x, the loss (w x - t)^2: batches of 2, 2 and 1 images, each with an update of w by
// the mean of 2 x (w x - t).
TEST(TrainEpoch, MakesTheUpdatesOfAHandWrittenLoop) {
  Rng rng(1);
  Sequential net(Flatten(), Dense(1, 1, {.bias = false, .dtype = float64}, rng));
  Tensor weight = net.parameters()[0];
  weight.assign(full({1, 1}, 0.5, {.dtype = float64}));
  constexpr double kRate = 0.25;
  Sgd sgd(net.parameters(), {.learning_rate = kRate});
  Batches batches(kPixels, {.batch_size = 2, .dtype = float64});

  double w = 0.5, total = 0;
  Numbers expected, seen;
  for (int epoch = 0; epoch < 3; ++epoch) {
    total = 0;
    for (std::size_t first = 0; first < 5; first += 2) {
      const std::size_t end = std::min<std::size_t>(first + 2, 5);
      double gradient = 0;
      for (std::size_t n = first; n < end; ++n) {
        const double x = kPixels.images[n] / 255.0, error = w * x - kPixels.labels[n];
        total += error * error;
        gradient += 2 * x * error;
      }
      w -= kRate * gradient / static_cast<double>(end - first);
      expected.insert(expected.end(), {w, static_cast<double>(end), total / static_cast<double>(end)});
    }
    const TrainResult result = train_epoch(net, sgd, batches, squared_error, [&](const TrainResult& so_far) {
      seen.insert(seen.end(), {weight.item(), static_cast<double>(so_far.examples), so_far.loss});
    });
    EXPECT_NEAR(result.loss, total / 5, 1e-12);
    EXPECT_EQ(result.examples, 5);
  }
  expect_near(seen, expected, 1e-12);
}

TEST(Evaluate, GivesTheMeanLossAndTheShareOfCorrectImages) {
  const LabeledImages data =
      logits_as_images({255, 0, 51, 0, 0, 255, 51, 102, 0, 0, 51, 51, 255, 255, 255}, {0, 1, 1, 2, 0});
  double loss = 0;
  for (std::size_t n = 0; n < 5; ++n) {
    double sum = 0;
    for (std::size_t k = 0; k < 3; ++k) sum += std::exp(data.images[3 * n + k] / 255.0);
    loss += std::log(sum) - data.images[3 * n + data.labels[n]] / 255.0;
  }
  Sequential net{Flatten()};
  for (const DType dtype : {float32, float64}) {
    Batches batches(data, {.batch_size = 2, .dtype = dtype});
    const EvaluationResult result = evaluate(net, batches, softmax_cross_entropy);
    EXPECT_NEAR(result.loss, loss / 5, tolerance_of(dtype));
    EXPECT_DOUBLE_EQ(result.accuracy, 3 / 5.0);  // the first, the third and the fifth
  }
}

TEST(CountCorrect, ComparesTheLargestNumberOfEachRowWithItsLabel) {
  const auto count = [](const Numbers& logits, const std::vector<std::int64_t>& labels) {
    const auto rows = static_cast<std::int64_t>(labels.size());
    const Tensor label = from_data<std::int64_t>(labels, {rows});
    const Tensor rows64 = from_data<double>(logits, {rows, static_cast<std::int64_t>(logits.size()) / rows});
    EXPECT_EQ(count_correct(rows64, label), count_correct(rows64.to(float32), label));
    return count_correct(rows64, label);
  };
  EXPECT_EQ(count({1, 2, 3, 3, 2, 1, -1, -3, -2}, {2, 0, 0}), 3);
  EXPECT_EQ(count({1, 2, 3, 3, 2, 1, -1, -3, -2}, {1, 1, 1}), 0);
  EXPECT_EQ(count({5, 5, 1, 5, 5, 1, 0, 0, 0}, {0, 1, 2}), 1);
  EXPECT_EQ(count({-kInfinity, kInfinity, -kInfinity, -kInfinity}, {1, 0}), 2);
  EXPECT_EQ(count({kNaN, 1, 1, kNaN, kNaN, kNaN, 2, kNaN}, {1, 0, 0, 0}), 0);
  EXPECT_EQ(count({kNaN, 7}, {0, 0}), 1);
  EXPECT_EQ(count_correct(zeros({0, 3}), zeros({0}, {.dtype = int64})), 0);
}

TEST(CountCorrect, Refuses) {
  const Tensor label = zeros({2}, {.dtype = int64});
  const std::string rule = "count_correct: logits must be [N,K] and label [N], but ";
  expect_error<ShapeError>(rule + "logits is [2,3,1], label [2]", [&] {
    count_correct(zeros({2, 3, 1}), label);
  });
  expect_error<ShapeError>(rule + "logits is [3,3], label [2]", [&] { count_correct(zeros({3, 3}), label); });
  expect_error<ShapeError>(rule + "logits is [2,1], label [2,1]", [&] {
    count_correct(zeros({2, 1}), zeros({2, 1}, {.dtype = int64}));
  });
  expect_error<DTypeError>("count_correct: logits must be floating, but is int64", [&] {
    count_correct(zeros({2, 3}, {.dtype = int64}), label);
  });
  expect_error<DTypeError>("count_correct: label must be int64, but is float32", [&] {
    count_correct(zeros({2, 3}), zeros({2}));
  });
  for (const double wrong : {-1.0, 3.0}) {
    expect_error<Error>(fmt::format("count_correct: label 1 is {}, but must be in [0, 3)", wrong), [&] {
      count_correct(zeros({2, 3}), tensor({0, wrong}, {.dtype = int64}));
    });
  }
}

/// Notes how it is run.
class Probe : public Layer {
 public:
  Tensor forward(const Tensor& x) override {
    trains.push_back(is_training());
    records.push_back(grad_enabled());
    return flatten(x) * scale;
  }

  std::vector<bool> trains, records;
  Tensor scale = register_parameter("scale", ones({3}));
};

TEST(TrainEpoch, TrainsAndEvaluateMeasures) {
  const LabeledImages data = logits_as_images({1, 2, 3, 4, 5, 6}, {0, 1});
  Batches batches(data, {.batch_size = 1});
  Probe net;
  Sgd sgd(net.parameters(), {.learning_rate = 0.1});
  evaluate(net, batches, softmax_cross_entropy);
  EXPECT_FALSE(net.scale.grad().defined());
  train_epoch(net, sgd, batches, softmax_cross_entropy);
  evaluate(net, batches, softmax_cross_entropy);
  EXPECT_EQ(net.trains, (std::vector<bool>{false, false, true, true, false, false}));
  EXPECT_EQ(net.records, net.trains);
}

/// A small network of every kind of layer, which starts the same each time.
struct Net {
  explicit Net(DType dtype)
      : net(Conv2d(1, 4, 5, {.stride = 2, .dtype = dtype}, rng), Relu(), AvgPool2d({.window = 2}), Flatten(),
            Dense(4 * 6 * 6, 10, {.dtype = dtype}, rng)) {}

  Rng rng{7};
  Sequential net;
  Sgd sgd{net.parameters(), {.learning_rate = 0.5}};
};

/// The losses of three batches of this size, and then the parameters.
Numbers trained(DType dtype, const Mnist& data, std::int64_t batch_size) {
  Net made(dtype);
  Batches batches(data.train, {.batch_size = batch_size, .limit = 3 * batch_size, .dtype = dtype});
  Numbers result;
  for (auto batch = batches.begin(); batch != batches.end(); ++batch)
    result.push_back(train_step(made.net, made.sgd, batch, softmax_cross_entropy));
  const Numbers parameters = numbers(made.net.parameters());
  result.insert(result.end(), parameters.begin(), parameters.end());
  return result;
}

TEST(TrainStep, IsAStepAlongTheGradientOfTheMeanLoss) {
  const Mnist data = embedded_mnist();
  for (const std::int64_t batch_size : {1, 16, 21, 32, 63, 64, 100}) {
    Net whole(float64);
    Numbers expected;
    for (const auto& [image, label] :
         Batches(data.train, {.batch_size = batch_size, .limit = 3 * batch_size, .dtype = float64})) {
      const Tensor loss = softmax_cross_entropy(whole.net(image), label);
      whole.sgd.zero_grad();
      loss.backward();
      whole.sgd.step();
      expected.push_back(loss.item());
    }
    const Numbers parameters = numbers(whole.net.parameters());
    expected.insert(expected.end(), parameters.begin(), parameters.end());
    expect_near(trained(float64, data, batch_size), expected, 1e-12, "batch " + std::to_string(batch_size));
  }
}

TEST(TrainStep, GivesTheSameBitsWithAnyNumberOfThreads) {
  const Mnist data = embedded_mnist();
  for (const std::int64_t batch_size : {1, 32, 33, 200}) {
    SCOPED_TRACE(batch_size);
    expect_same_bits_for_any_number_of_threads([&] { return trained(float32, data, batch_size); });
  }
}

TEST(Training, RefusesLossesThatAreNone) {
  Batches batches(kPixels, {.batch_size = 2});
  Sequential net(Flatten(), Dense(1, 1));
  Sgd sgd(net.parameters(), {.learning_rate = 0.1});
  const Numbers before = numbers(net.parameters());
  expect_error<Error>("train_epoch: loss must be a function, but is empty",
                      [&] { train_epoch(net, sgd, batches, nullptr); });
  expect_error<Error>("train_step: loss must be a function, but is empty",
                      [&] { train_step(net, sgd, batches.begin(), nullptr); });
  expect_error<Error>("evaluate: loss must be a function, but is empty",
                      [&] { evaluate(net, batches, nullptr); });
  const LossFunction one_for_each = [](const Tensor& output, const Tensor& label, const LossOptions&) {
    return square(flatten(output, {.start_axis = 0}) - label.to(float32));
  };
  const LossFunction none = [](const Tensor&, const Tensor&, const LossOptions&) { return Tensor(); };
  const LossFunction whole = [](const Tensor&, const Tensor&, const LossOptions&) {
    return scalar(1, {.dtype = int64});
  };
  const auto expect_both = [&]<class E>(E, const char* rule, const LossFunction& loss) {
    expect_error<E>(std::string("train_step: loss ") + rule, [&] { train_epoch(net, sgd, batches, loss); });
    expect_error<E>(std::string("evaluate: loss ") + rule, [&] { evaluate(net, batches, loss); });
  };
  expect_both(ShapeError(""),
              "must return a single number, but its result is [2]; output is [2,1], label [2]", one_for_each);
  expect_both(Error(""), "returned an undefined tensor", none);
  expect_both(DTypeError(""), "must return a floating number, but its result is int64", whole);
  EXPECT_EQ(numbers(net.parameters()), before);
}

}  // namespace
}  // namespace adjoint
