// A batch, the update (U), and the parameters as a list.

#include "examples/documented_cnn/hand_derived.h"

#include <cstddef>
#include <stdexcept>
#include <type_traits>

namespace documented_cnn::hand_derived {
namespace {

// The note prints 6170 (erratum): 4*5*5 + 4 + 24*5*5 + 6 + 50*96 + 50 + 10*50 + 10 is 6070.
static_assert(4 * 5 * 5 + 4 + 24 * 5 * 5 + 6 + 50 * 96 + 50 + 10 * 50 + 10 == kParameterCount);
static_assert(sizeof(Parameters) == kParameterCount * sizeof(double));

auto list_tensors(auto& p) {
  using Number = std::remove_reference_t<decltype(p.K1.values[0])>;
  return std::array<NamedTensor<Number>, 8>{{{"K1", p.K1.values},
                                             {"b1", p.b1.values},
                                             {"K2", p.K2.values},
                                             {"b2", p.b2.values},
                                             {"W1", p.W1.values},
                                             {"b1'", p.b1_prime.values},
                                             {"W2", p.W2.values},
                                             {"b2'", p.b2_prime.values}}};
}

// p <- p + scale q, tensor by tensor.
void add_scaled(Parameters& parameters, double scale, const Parameters& others) {
  const auto p = tensors(parameters);
  const auto q = tensors(others);
  for (std::size_t t = 0; t < p.size(); ++t)
    for (std::size_t i = 0; i < p[t].values.size(); ++i) p[t].values[i] += scale * q[t].values[i];
}

}  // namespace

// The note has no batch, it takes one image a step: N = 1.
LossAndGradient mean_over_batch(const Parameters& parameters, std::span<const Example> batch, Activation f) {
  if (batch.empty()) throw std::invalid_argument("mean_over_batch: the batch is empty");
  const double N = static_cast<double>(batch.size());
  LossAndGradient mean;
  for (const Example& example : batch) {
    const Forward pass = forward(parameters, example, f);
    mean.loss += pass.L / N;
    add_scaled(mean.gradient, 1, backward(parameters, example, pass, f).gradient);
  }
  for (const auto& d : tensors(mean.gradient))
    for (double& value : d.values) value /= N;
  return mean;
}

// (U)  p <- p - lambda dp
// The note's updates of b1, W1 and b1' are garbled: b2 twice, W - lambda db (erratum).
void sgd_step(Parameters& parameters, const Gradient& gradient, double lambda) {
  add_scaled(parameters, -lambda, gradient);
}

std::array<NamedTensor<double>, 8> tensors(Parameters& parameters) { return list_tensors(parameters); }
std::array<NamedTensor<const double>, 8> tensors(const Parameters& parameters) {
  return list_tensors(parameters);
}

Target one_hot(int digit) {
  if (digit < 0 || digit > 9) throw std::out_of_range("one_hot: the digit must be 0..9");
  Target y;
  y(digit + 1) = 1;
  return y;
}

}  // namespace documented_cnn::hand_derived
