// A training step in parts is the step of the whole batch.

#include "examples/documented_cnn/training.h"

#include <gtest/gtest.h>
#include <vector>

#include "examples/documented_cnn/model.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_near.h"
#include "tests/support/threads.h"

namespace documented_cnn {
namespace {

using namespace adjoint;
using support::numbers;

constexpr double kRate = 0.5;

struct Net {
  explicit Net(DType dtype) : dtype(dtype) {}

  DType dtype;
  Rng rng{7};
  DocumentedCnn cnn{{.dtype = dtype}, rng};
  Sgd sgd{cnn.parameters(), {.learning_rate = kRate}};
};

/// What three batches of this size make of the network in parts: the losses, then the parameters.
std::vector<double> trained(Net& net, const Mnist& data, std::int64_t batch_size) {
  Batches batches(data.train, {.batch_size = batch_size, .limit = 3 * batch_size, .dtype = net.dtype});
  std::vector<double> result;
  for (auto batch = batches.begin(); batch != batches.end(); ++batch)
    result.push_back(train_step(net.cnn, net.sgd, batch));
  const std::vector<double> parameters = numbers(net.cnn.parameters());
  result.insert(result.end(), parameters.begin(), parameters.end());
  return result;
}

TEST(TrainStep, IsAStepAlongTheGradientOfTheMeanLoss) {
  const Mnist data = embedded_mnist();
  for (const std::int64_t batch_size : {1, 16, 21, 32, 63, 64, 100}) {
    Net whole(float64), parts(float64);
    std::vector<double> expected;
    for (const auto& [image, label] :
         Batches(data.train, {.batch_size = batch_size, .limit = 3 * batch_size, .dtype = float64})) {
      const Tensor loss = softmax_cross_entropy(whole.cnn(image), label);
      whole.sgd.zero_grad();
      loss.backward();
      whole.sgd.step();
      expected.push_back(loss.item());
    }
    const std::vector<double> parameters = numbers(whole.cnn.parameters());
    expected.insert(expected.end(), parameters.begin(), parameters.end());
    support::expect_near(trained(parts, data, batch_size), expected, 1e-12,
                         "batch " + std::to_string(batch_size));
  }
}

TEST(TrainStep, GivesTheSameBitsWithAnyNumberOfThreads) {
  const Mnist data = embedded_mnist();
  for (const std::int64_t batch_size : {1, 32, 33, 200}) {
    SCOPED_TRACE(batch_size);
    support::expect_same_bits_for_any_number_of_threads([&] {
      Net net(float32);
      return trained(net, data, batch_size);
    });
  }
}

}  // namespace
}  // namespace documented_cnn
