// The 5x5 network: the gradient of every weight beside its sum written out, and a few updates. README.md in
// this folder states the network and the sums.

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <stdexcept>
#include <string>
#include <vector>

#include "examples/five_by_five/hand_derived.h"
#include "examples/five_by_five/network.h"
#include "examples/support/program.h"

namespace five_by_five {
namespace {

using namespace adjoint;

constexpr double kTarget = 1;

struct NamedReading {
  const char* name;
  Reading reading;
  hand_derived::Pooling by_hand;
};
constexpr NamedReading kReadings[] = {
    {"(a) convolution with stride 2", Reading::stride_two, hand_derived::Pooling::subsample},
    {"(b) convolution, then 1x1 pooling with stride 2", Reading::subsample, hand_derived::Pooling::subsample},
    {"(c1) convolution, then 2x2 average pooling with stride 1", Reading::average,
     hand_derived::Pooling::average},
    {"(c2) convolution, then 2x2 maximum pooling with stride 1", Reading::maximum,
     hand_derived::Pooling::max},
};

Network random_network(Rng& rng) {
  const TensorOptions options = {.dtype = float64, .requires_grad = true};
  return {uniform({1, 1, 3, 3}, -1, 1, options, rng), uniform({1, 4}, -1, 1, options, rng),
          uniform({1}, -1, 1, options, rng)};
}

template <int N>
hand_derived::Numbered<N> numbered(const Tensor& tensor) {
  hand_derived::Numbered<N> copy;
  std::ranges::copy(tensor.data<double>(), copy.values.begin());
  return copy;
}

/// dL/dw1..dL/dw9 by the sums, from dZ as the dense layer and the loss give it.
hand_derived::Filter gradient_by_hand(const Tensor& image, const Network& network,
                                      const NamedReading& reading) {
  const auto a = numbered<25>(image);
  const auto O = hand_derived::convolve(a, numbered<9>(network.filter));
  const hand_derived::Dense dense = {numbered<4>(network.dense_weight), network.dense_bias.item()};
  const double y_hat = hand_derived::predict(dense, hand_derived::pool(O, reading.by_hand));
  const auto dZ = hand_derived::predict_gradient(dense, hand_derived::loss_gradient(y_hat, kTarget));
  if (reading.by_hand == hand_derived::Pooling::subsample) return hand_derived::gradient(a, dZ);
  return hand_derived::convolve_gradient(a, hand_derived::pool_gradient(O, dZ, reading.by_hand));
}

/// Prints one reading's gradients by both routes; returns their largest difference.
double compare(const Tensor& image, const Network& network, const NamedReading& reading) {
  const Tensor l = loss(predict(pooled(image, network.filter, reading.reading), network), kTarget);
  const auto autodiff = numbered<9>(grad(l, network.filter));
  const auto by_hand = gradient_by_hand(image, network, reading);
  const bool formulas = reading.by_hand == hand_derived::Pooling::subsample;

  fmt::print("\n{}\n         autodiff       by hand{}\n", reading.name, formulas ? "   written out" : "");
  double largest = 0;
  for (int k = 1; k <= 9; ++k) {
    fmt::print("dL/dw{} {:>11.8f} {:>13.8f}{}\n", k, autodiff(k), by_hand(k),
               formulas ? "   " + hand_derived::gradient_text(k) : "");
    const double difference = std::abs(autodiff(k) - by_hand(k));
    largest = std::isnan(difference) ? difference : std::max(largest, difference);  // a NaN stays
  }
  fmt::print("largest difference {:.1e}\n", largest);
  return largest;
}

/// w* = w - alpha dL/dw, a few times over.
void update(const Tensor& image, const Network& network) {
  constexpr double kAlpha = 0.02;
  fmt::print("\nUpdates w* = w - alpha dL/dw with alpha = {}, reading (a)\n", kAlpha);
  Sgd sgd({network.filter}, {.learning_rate = kAlpha});
  for (int step = 0; step <= 5; ++step) {
    const Tensor y_hat = predict(pooled(image, network.filter, Reading::stride_two), network);
    const Tensor l = loss(y_hat, kTarget);
    fmt::print("step {}: y-hat {:9.6f}, loss {:.6f}\n", step, y_hat.item(), l.item());
    sgd.zero_grad();
    l.backward();
    sgd.step();
  }
}

void compare_and_update() {
  constexpr double kBound = 1e-14;
  Rng rng(1);
  const Tensor image = uniform({1, 1, 5, 5}, 0, 1, {.dtype = float64}, rng);
  const Network network = random_network(rng);
  fmt::print("A 5x5 image, one 3x3 filter, pooling to Z1..Z4, a dense layer; L = 1/2 (y-hat - {})^2\n",
             kTarget);
  std::string wrong;
  for (const NamedReading& reading : kReadings) {
    if (!(compare(image, network, reading) < kBound)) wrong += fmt::format(" {}", reading.name);
  }
  update(image, network);
  if (!wrong.empty())
    throw std::runtime_error(
        fmt::format("autodiff and the sums by hand differ by {} or more:{}", kBound, wrong));
}

}  // namespace
}  // namespace five_by_five

int main(int argc, char** argv) {
  return examples::run({"five_by_five",
                        "Prints the gradient of each weight of a 3x3 filter on a 5x5 image, by autodiff\n"
                        "and by hand, for four kinds of pooling; then updates the weights a few times.\n"
                        "examples/five_by_five/README.md describes the network."},
                       argc, argv, five_by_five::compare_and_update);
}
