// The main test of the project: autodiff's gradients of the documented CNN are those of the formulas in
// examples/documented_cnn/README.md.

#include <algorithm>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tuple>
#include <vector>

#include "examples/documented_cnn/hand_derived.h"
#include "examples/documented_cnn/model.h"
#include "examples/documented_cnn/verify.h"
#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace documented_cnn {
namespace {

using namespace adjoint;
using support::expect_error;

std::vector<std::string> names(const std::vector<Difference>& differences) {
  std::vector<std::string> result;
  for (const Difference& d : differences) result.push_back(d.name);
  return result;
}

class GradientEquivalence : public testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(GradientEquivalence, HoldsForEveryParameterAndDelta) {
  const auto [activation, batch] = GetParam();
  for (const DType dtype : {float64, float32}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const auto differences =
          verify_gradients({.activation = activation, .dtype = dtype, .batch = batch, .seed = seed});
      ASSERT_THAT(names(differences),
                  testing::ElementsAre("L", "K1", "b1", "K2", "b2", "W1", "b1'", "W2", "b2'", "delta_2",
                                       "delta_1", "delta_flatten", "delta_C2", "delta_P1", "delta_C1"));
      for (const Difference& d : differences) {
        EXPECT_LE(d.largest_relative, verification_bound(dtype))
            << d.name << ", " << name(dtype) << ", seed " << seed;
      }
    }
  }
}

// Batches of both of the kernels' layouts, and one that is no multiple of a block.
INSTANTIATE_TEST_SUITE_P(All, GradientEquivalence,
                         testing::Combine(testing::Values("sigmoid", "tanh", "relu"),
                                          testing::Values(1, 3, 29)));

TEST(GradientEquivalence, BoundsAreThosePromised) {
  EXPECT_EQ(verification_bound(float64), 1e-12);
  EXPECT_EQ(verification_bound(float32), 1e-5);
}

TEST(DocumentedCnn, Has6070Parameters) {
  const DocumentedCnn net;
  std::int64_t count = 0;
  for (const Tensor& parameter : net.parameters()) count += parameter.numel();
  EXPECT_EQ(count, 6070);
}

TEST(DocumentedCnn, NamesItsParameters) {
  const DocumentedCnn net;
  std::vector<std::string> found;
  for (const NamedTensor& parameter : net.named_parameters())
    found.push_back(parameter.name + to_string(parameter.tensor.shape()));
  EXPECT_THAT(found, testing::ElementsAre("conv1.weight[4,1,5,5]", "conv1.bias[4]", "conv2.weight[6,4,5,5]",
                                          "conv2.bias[6]", "hidden.weight[50,96]", "hidden.bias[50]",
                                          "output.weight[10,50]", "output.bias[10]"));
}

TEST(DocumentedCnn, StartsWithinTheNotesBoundsAndSpreadOverThem) {
  const double bounds[] = {std::sqrt(4.0 / (5 * 25)), 0, std::sqrt(6.0 / (10 * 25)), 0,
                           std::sqrt(6.0 / 146),      0, std::sqrt(6.0 / 60),        0};
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Rng rng(seed);
    const DocumentedCnn net({.dtype = float64}, rng);
    for (std::size_t i = 0; i < 8; ++i) {
      const Tensor parameter = net.parameters()[i];
      double largest = 0, sum = 0, squares = 0;
      for (const double value : parameter.data<double>()) {
        largest = std::max(largest, std::abs(value));
        sum += value;
        squares += value * value;
      }
      const auto n = static_cast<double>(parameter.numel());
      EXPECT_LE(largest, bounds[i]);
      EXPECT_GE(largest, 0.9 * bounds[i]);
      EXPECT_NEAR(sum / n, 0, 0.2 * bounds[i]);
      EXPECT_NEAR(squares / n, bounds[i] * bounds[i] / 3, 0.1 * bounds[i] * bounds[i]);
    }
  }
}

TEST(DocumentedCnn, ForwardGivesTheLogitsOfItsStages) {
  DocumentedCnn net({.pooling = Pooling::max});
  const Tensor image = uniform({2, 1, 28, 28}, 0, 1);
  const auto stages = net.stages(image);
  EXPECT_EQ(stages.c1.shape(), (Shape{2, 4, 24, 24}));
  EXPECT_EQ(stages.p1.shape(), (Shape{2, 4, 12, 12}));
  EXPECT_EQ(stages.c2.shape(), (Shape{2, 6, 8, 8}));
  EXPECT_EQ(stages.flat.shape(), (Shape{2, 96}));
  const Tensor logits = net(image);
  EXPECT_THAT(logits.data<float>(), testing::ElementsAreArray(stages.logits.data<float>()));
}

TEST(DocumentedCnn, ActivationsByName) {
  EXPECT_EQ(activation_named("tanh"), static_cast<Activation>(adjoint::tanh));
  expect_error<Error>("activation: there is no \"gelu\"; choose sigmoid, tanh or relu",
                      [&] { activation_named("gelu"); });
}

TEST(DocumentedCnn, TwoHundredStepsAlongBothRoutesStayTogether) {
  constexpr int kBatch = 2;
  constexpr double kRate = 0.1;
  for (const char* activation : {"sigmoid", "relu"}) {
    Rng rng(7);
    DocumentedCnn net({.activation = activation_named(activation), .dtype = float64}, rng);
    hand_derived::Parameters by_hand;
    auto tensors = hand_derived::tensors(by_hand);
    for (std::size_t i = 0; i < 8; ++i) {
      const Tensor parameter = net.parameters()[i];
      std::ranges::copy(parameter.data<double>(), tensors[i].values.begin());
    }
    const auto f = activation[0] == 's' ? hand_derived::Activation::sigmoid : hand_derived::Activation::relu;
    Sgd sgd(net.parameters(), {.learning_rate = kRate});
    for (int step = 0; step < 200; ++step) {
      std::vector<hand_derived::Example> examples(kBatch);
      Tensor label = zeros({kBatch}, {.dtype = int64});
      const Tensor image = uniform({kBatch, 1, 28, 28}, 0, 1, {.dtype = float64}, rng);
      for (std::size_t n = 0; n < kBatch; ++n) {
        const auto digit = rng.below(10);
        label.mutable_data<std::int64_t>()[n] = digit;
        std::ranges::copy(image.data<double>().subspan(n * 784, 784), examples[n].image.values.begin());
        examples[n].y = hand_derived::one_hot(static_cast<int>(digit));
      }
      const Tensor loss = softmax_cross_entropy(net(image), label);
      sgd.zero_grad();
      loss.backward();
      sgd.step();
      hand_derived::sgd_step(by_hand, hand_derived::mean_over_batch(by_hand, examples, f).gradient, kRate);
    }
    const std::vector<double> found = support::numbers(net.parameters());
    std::size_t at = 0;
    double furthest = 0;
    for (const auto& tensor : tensors) {
      for (const double value : tensor.values) furthest = std::max(furthest, std::abs(value - found[at++]));
    }
    EXPECT_EQ(at, 6070u);
    EXPECT_LE(furthest, 1e-9) << activation;
  }
}

TEST(SoftmaxCrossEntropy, GradientIsThatOfTheFullJacobian) {
  Rng rng(3);
  const Tensor logits = normal({5, 10}, 0, 2, {.dtype = float64, .requires_grad = true}, rng);
  const Tensor target = softmax(normal({5, 10}, 0, 1, {.dtype = float64}, rng));  // any probabilities
  const Tensor fused = grad(softmax_cross_entropy(logits, target, {.reduction = Reduction::sum}), logits);

  // The same through softmax's own backward, that is J^T dL/dS, and with J written out by hand.
  const Tensor s = softmax(logits);
  const Tensor composed = grad(-sum(target * log(s)), logits);
  for (std::size_t n = 0; n < 5; ++n) {
    hand_derived::Vector<10> S;
    hand_derived::Target y;
    for (std::size_t k = 0; k < 10; ++k) {
      S.values[k] = s.data<double>()[n * 10 + k];
      y.values[k] = target.data<double>()[n * 10 + k];
    }
    const auto by_jacobian = hand_derived::output_delta_by_jacobian(S, y);
    for (std::size_t k = 0; k < 10; ++k) {
      EXPECT_NEAR(fused.data<double>()[n * 10 + k], S.values[k] - y.values[k], 1e-14);
      EXPECT_NEAR(fused.data<double>()[n * 10 + k], by_jacobian.values[k], 1e-14);
      EXPECT_NEAR(composed.data<double>()[n * 10 + k], by_jacobian.values[k], 1e-14);
    }
  }
}

}  // namespace
}  // namespace documented_cnn
