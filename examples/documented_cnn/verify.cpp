#include "examples/documented_cnn/verify.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "examples/documented_cnn/hand_derived.h"

namespace documented_cnn {

using namespace adjoint;

namespace {

hand_derived::Activation by_hand(const std::string& name) {
  return name == "sigmoid" ? hand_derived::Activation::sigmoid
         : name == "tanh"  ? hand_derived::Activation::tanh
                           : hand_derived::Activation::relu;
}

Difference compare(const char* name, const Tensor& autodiff, std::span<const double> by_hand) {
  const Tensor found = autodiff.to(float64);
  double difference = 0, magnitude = 0;
  for (std::size_t i = 0; i < by_hand.size(); ++i) {
    const double here = std::abs(found.data<double>()[i] - by_hand[i]);
    difference = std::isnan(here) ? here : std::max(difference, here);
    magnitude = std::max(magnitude, std::abs(by_hand[i]));
  }
  return {name, found.numel(), difference, difference / magnitude};
}

/// A batch of uniform noise with random labels, for both routes.
struct RandomBatch {
  RandomBatch(const VerifyOptions& options, Rng& rng)
      : image(uniform({options.batch, 1, 28, 28}, 0, 1, {.dtype = options.dtype}, rng)),
        label(zeros({options.batch}, {.dtype = int64})) {
    const Tensor pixels = image.to(float64);
    for (std::int64_t n = 0; n < options.batch; ++n) {
      const std::int64_t digit = rng.below(10);
      label.mutable_data<std::int64_t>()[static_cast<std::size_t>(n)] = digit;
      hand_derived::Example example;
      std::ranges::copy(pixels.data<double>().subspan(static_cast<std::size_t>(n) * 784, 784),
                        example.image.values.begin());
      example.y = hand_derived::one_hot(static_cast<int>(digit));
      examples.push_back(example);
    }
  }

  Tensor image, label;
  std::vector<hand_derived::Example> examples;
};

/// The network's parameters as the formulas take them.
hand_derived::Parameters copy_parameters(const DocumentedCnn& net) {
  hand_derived::Parameters copy;
  const std::vector<Tensor> from = net.parameters();
  const auto to = hand_derived::tensors(copy);
  for (std::size_t i = 0; i < to.size(); ++i) {
    const Tensor values = from[i].to(float64);
    std::ranges::copy(values.data<double>(), to[i].values.begin());
  }
  return copy;
}

/// The deltas of all images, one after the other, divided by the batch size.
struct Deltas {
  std::vector<double> delta_2, delta_1, delta_flat, delta_C2, delta_P1, delta_C1;
};

Deltas deltas_by_hand(const hand_derived::Parameters& parameters,
                      std::span<const hand_derived::Example> examples, hand_derived::Activation f) {
  Deltas deltas;
  const auto n = static_cast<double>(examples.size());
  const auto append = [n](std::vector<double>& all, const auto& one) {
    for (const double value : one.values) all.push_back(value / n);
  };
  for (const hand_derived::Example& example : examples) {
    const auto back =
        hand_derived::backward(parameters, example, hand_derived::forward(parameters, example, f), f);
    append(deltas.delta_2, back.delta_2);
    append(deltas.delta_1, back.delta_1);
    append(deltas.delta_flat, back.delta_flat);
    append(deltas.delta_C2, back.delta_C2);
    append(deltas.delta_P1, back.delta_P1);
    append(deltas.delta_C1, back.delta_C1);
  }
  return deltas;
}

}  // namespace

double verification_bound(DType dtype) { return dtype == float64 ? 1e-12 : 1e-5; }

std::vector<Difference> verify_gradients(const VerifyOptions& options) {
  Rng rng(options.seed);
  DocumentedCnn net({.activation = activation_named(options.activation), .dtype = options.dtype}, rng);
  for (Tensor& parameter : net.parameters()) {
    if (parameter.rank() == 1)
      parameter.assign(uniform(parameter.shape(), -0.3, 0.3, {.dtype = options.dtype}, rng));
  }
  const RandomBatch batch(options, rng);

  const DocumentedCnn::Stages stages = net.stages(batch.image);
  const Tensor loss = softmax_cross_entropy(stages.logits, batch.label);
  const std::vector<Tensor> deltas =
      grad(loss, {stages.logits, stages.hidden, stages.flat, stages.c2, stages.p1, stages.c1},
           {.retain_graph = true});
  const std::vector<Tensor> gradients = grad(loss, net.parameters());

  const hand_derived::Parameters parameters = copy_parameters(net);
  const hand_derived::Activation f = by_hand(options.activation);
  const hand_derived::LossAndGradient expected = hand_derived::mean_over_batch(parameters, batch.examples, f);
  const Deltas expected_deltas = deltas_by_hand(parameters, batch.examples, f);

  std::vector<Difference> differences = {compare("L", loss, {&expected.loss, 1})};
  const auto expected_gradients = hand_derived::tensors(expected.gradient);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    differences.push_back(compare(expected_gradients[i].name, gradients[i], expected_gradients[i].values));
  }
  differences.push_back(compare("delta_2", deltas[0], expected_deltas.delta_2));
  differences.push_back(compare("delta_1", deltas[1], expected_deltas.delta_1));
  differences.push_back(compare("delta_flatten", deltas[2], expected_deltas.delta_flat));
  differences.push_back(compare("delta_C2", deltas[3], expected_deltas.delta_C2));
  differences.push_back(compare("delta_P1", deltas[4], expected_deltas.delta_P1));
  differences.push_back(compare("delta_C1", deltas[5], expected_deltas.delta_C1));
  return differences;
}

}  // namespace documented_cnn
