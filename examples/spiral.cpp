// Two intertwined spirals told apart by a small multilayer perceptron: layers, a loss, an optimizer, a
// training loop.

#include <adjoint/adjoint.h>
#include <cmath>
#include <fmt/core.h>
#include <string>
#include <vector>

#include "examples/support/program.h"

using namespace adjoint;

constexpr std::int64_t kPoints = 200;  // of each spiral

struct Spirals {
  Tensor point;  // [2 kPoints, 2]
  Tensor label;  // int64 [2 kPoints]
};

Spirals spirals() {
  std::vector<float> points;
  std::vector<std::int64_t> labels;
  for (std::int64_t label = 0; label < 2; ++label) {
    for (std::int64_t i = 0; i < kPoints; ++i) {
      const double radius = (static_cast<double>(i) + 1) / kPoints;
      const double angle = 7 * radius + 3.14159265 * static_cast<double>(label);
      points.push_back(static_cast<float>(radius * std::cos(angle)));
      points.push_back(static_cast<float>(radius * std::sin(angle)));
      labels.push_back(label);
    }
  }
  return {from_data<float>(points, {2 * kPoints, 2}), from_data<std::int64_t>(labels, {2 * kPoints})};
}

// Draws the network's answer for points of the square around the spirals, one character per point.
void draw(Sequential& net) {
  const NoGrad no_grad;
  for (int row = 0; row < 17; ++row) {
    std::string line;
    for (int column = 0; column < 51; ++column) {
      const Tensor logits = net(tensor({(column - 25) / 22.0, (8 - row) / 7.0}, {1, 2}));
      line += logits.data<float>()[0] > logits.data<float>()[1] ? '.' : '#';
    }
    fmt::print("{}\n", line);
  }
}

void train_and_draw() {
  manual_seed(1);
  Sequential net(Dense(2, 32), Tanh(), Dense(32, 32), Tanh(), Dense(32, 2));
  Adam adam(net.parameters(), {.learning_rate = 0.01});
  const Spirals data = spirals();
  for (int step = 0; step <= 600; ++step) {
    const Tensor loss = softmax_cross_entropy(net(data.point), data.label);
    if (step % 100 == 0) fmt::print("step {:3}: loss {:.4f}\n", step, loss.item());
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  draw(net);
}

int main(int argc, char** argv) {
  return examples::run(
      {"spiral", "Trains a small multilayer perceptron to separate two intertwined spirals."}, argc, argv,
      train_and_draw);
}
