// The 5x5 network in all readings, autodiff against the sums in examples/five_by_five/README.md.

#include <algorithm>
#include <cmath>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <vector>

#include "examples/five_by_five/hand_derived.h"
#include "examples/five_by_five/network.h"
#include "tests/support/expect_near.h"

namespace five_by_five {
namespace {

using namespace adjoint;
using testing::ElementsAreArray;

struct Sample {
  explicit Sample(std::uint64_t seed) {
    Rng rng(seed);
    const TensorOptions options = {.dtype = float64, .requires_grad = true};
    image = uniform({1, 1, 5, 5}, 0, 1, {.dtype = float64}, rng);
    network.filter = uniform({1, 1, 3, 3}, -1, 1, options, rng);
    network.dense_weight = uniform({1, 4}, -1, 1, options, rng);
    network.dense_bias = uniform({1}, -1, 1, options, rng);
    std::ranges::copy(image.data<double>(), a.values.begin());
    std::ranges::copy(network.filter.data<double>(), w.values.begin());
    std::ranges::copy(network.dense_weight.data<double>(), dense.v.values.begin());
    dense.c = network.dense_bias.item();
  }

  Tensor image;
  Network network;
  hand_derived::Image a;
  hand_derived::Filter w;
  hand_derived::Dense dense;
};

void expect_near(const Tensor& found, std::span<const double> expected) {
  support::expect_near(found.data<double>(), expected, 1e-14);
}

TEST(FiveByFive, ValuesAreTheNotes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Sample s(seed);
    expect_near(pooled(s.image, s.network.filter, Reading::stride_two),
                hand_derived::forward(s.a, s.w).values);
    const auto O = hand_derived::convolve(s.a, s.w);
    expect_near(pooled(s.image, s.network.filter, Reading::average),
                hand_derived::pool(O, hand_derived::Pooling::average).values);
    expect_near(pooled(s.image, s.network.filter, Reading::maximum),
                hand_derived::pool(O, hand_derived::Pooling::max).values);
  }
}

TEST(FiveByFive, ReadingsAAndBAreEqualToTheLastBit) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Sample s(seed);
    const Tensor a = pooled(s.image, s.network.filter, Reading::stride_two);
    const Tensor b = pooled(s.image, s.network.filter, Reading::subsample);
    EXPECT_THAT(a.data<double>(), ElementsAreArray(b.data<double>()));
    const Tensor da = grad(loss(predict(a, s.network), 1), s.network.filter);
    const Tensor db = grad(loss(predict(b, s.network), 1), s.network.filter);
    EXPECT_THAT(da.data<double>(), ElementsAreArray(db.data<double>()));
  }
}

TEST(FiveByFive, GradientsAreTheNotesSums) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Sample s(seed);
    const Tensor y_hat = predict(pooled(s.image, s.network.filter, Reading::stride_two), s.network);
    const double by_hand = hand_derived::predict(s.dense, hand_derived::forward(s.a, s.w));
    EXPECT_NEAR(y_hat.item(), by_hand, 1e-14);
    const Tensor l = loss(y_hat, 1);
    EXPECT_NEAR(l.item(), hand_derived::loss(by_hand, 1), 1e-14);

    const double dy = hand_derived::loss_gradient(by_hand, 1);
    const auto dZ = hand_derived::predict_gradient(s.dense, dy);
    const auto d_dense = hand_derived::dense_gradient(hand_derived::forward(s.a, s.w), dy);
    const auto gradients = grad(l, {s.network.filter, s.network.dense_weight, s.network.dense_bias});
    expect_near(gradients[0], hand_derived::gradient(s.a, dZ).values);
    expect_near(gradients[1], d_dense.v.values);
    EXPECT_NEAR(gradients[2].item(), d_dense.c, 1e-14);
  }
}

TEST(FiveByFive, GradientsOfThePictureWithRealPooling) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Sample s(seed);
    const auto O = hand_derived::convolve(s.a, s.w);
    for (const auto& [reading, pooling] : {std::pair(Reading::average, hand_derived::Pooling::average),
                                           std::pair(Reading::maximum, hand_derived::Pooling::max)}) {
      const double y_hat = hand_derived::predict(s.dense, hand_derived::pool(O, pooling));
      const auto dZ = hand_derived::predict_gradient(s.dense, hand_derived::loss_gradient(y_hat, 1));
      const Tensor l = loss(predict(pooled(s.image, s.network.filter, reading), s.network), 1);
      expect_near(grad(l, s.network.filter),
                  hand_derived::convolve_gradient(s.a, hand_derived::pool_gradient(O, dZ, pooling)).values);
    }
  }
}

TEST(FiveByFive, TheSumsHoldForAnyLoss) {
  const Sample s(4);
  const std::vector<std::function<Tensor(const Tensor&)>> losses = {
      [](const Tensor& y) { return sum(abs(y - 3.0)); },
      [](const Tensor& y) { return sum(softplus(-y)); },
      [](const Tensor& y) { return sum(exp(0.3 * y) * tanh(y)); },
  };
  for (const auto& any_loss : losses) {
    const Tensor z = pooled(s.image, s.network.filter, Reading::stride_two);
    const auto gradients = grad(any_loss(predict(z, s.network)), {z, s.network.filter});
    hand_derived::Pooled dZ;
    std::ranges::copy(gradients[0].data<double>(), dZ.values.begin());
    expect_near(gradients[1], hand_derived::gradient(s.a, dZ).values);
  }
}

TEST(FiveByFive, UpdatesLowerTheLoss) {
  Sample s(1);
  Sgd sgd({s.network.filter}, {.learning_rate = 0.02});
  double before = INFINITY;
  for (int step = 0; step < 10; ++step) {
    const Tensor l = loss(predict(pooled(s.image, s.network.filter, Reading::stride_two), s.network), 1);
    EXPECT_LT(l.item(), before);
    before = l.item();
    const auto dw = grad(l, s.network.filter, {.retain_graph = true});
    hand_derived::Filter dw_by_hand;
    std::ranges::copy(dw.data<double>(), dw_by_hand.values.begin());
    s.w = hand_derived::updated(s.w, dw_by_hand, 0.02);
    sgd.zero_grad();
    l.backward();
    sgd.step();
    expect_near(s.network.filter, s.w.values);
  }
}

}  // namespace
}  // namespace five_by_five
