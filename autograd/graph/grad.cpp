#include "adjoint/graph/grad.h"

#include "adjoint/tensor/create.h"
#include "autograd/graph/engine.h"
#include "autograd/graph/reach.h"

namespace adjoint {
namespace {

struct Outputs {
  std::span<const Tensor> ys;
  std::span<const Tensor> gradients;  ///< As given by the caller; undefined ones stand for 1.
  bool are_several;                   ///< Then errors say which.
};

std::string name_of(const Outputs& outputs, std::size_t i) {
  return outputs.are_several ? fmt::format("output {}{}", i, in_brackets(outputs.ys[i].name())) : "y";
}

/// The gradient at the start of a pass.
Tensor start(const Outputs& outputs, std::size_t i) {
  const Tensor& y = outputs.ys[i];
  if (outputs.gradients[i].defined()) return outputs.gradients[i];
  check_shape(y.numel() == 1,
              "grad: without a gradient {} must be a single number, it is {}; give dL/dy as {}",
              name_of(outputs, i), y.shape(),
              outputs.are_several ? "one of {.gradients = {...}}" : "{.gradient = ...}");
  return ones(y.shape(), {.dtype = y.dtype()});
}

void grad_into(const Outputs& outputs, std::span<const Tensor> xs, std::span<Tensor> gradients,
               const engine::GradientsOptions& options, bool undefined_if_unused) {
  engine::RecycledVector<Tensor> starts;
  starts.reserve(outputs.ys.size());
  for (std::size_t i = 0; i < outputs.ys.size(); ++i) {
    starts.push_back(start(outputs, i));
    engine::check_output(name_of(outputs, i), outputs.ys[i], starts.back());
  }
  engine::RecycledVector<Node*> nodes;
  nodes.reserve(xs.size());
  for (const Tensor& x : xs) nodes.push_back(engine::node_to_differentiate(x, nodes.size()));
  engine::gradients_of(outputs.ys, starts, nodes, gradients, options);
  if (undefined_if_unused) return;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = zeros(xs[i].shape(), {.dtype = xs[i].dtype()});
  }
}

void grad_of_one(const Tensor& y, std::span<const Tensor> xs, std::span<Tensor> gradients,
                 const GradOptions& options) {
  grad_into({std::span(&y, 1), std::span(&options.gradient, 1), false}, xs, gradients,
            {.retain_graph = options.retain_graph, .create_graph = options.create_graph},
            options.undefined_if_unused);
}

}  // namespace

Tensor grad(const Tensor& y, const Tensor& x, const GradOptions& options) {
  Tensor gradient;
  grad_of_one(y, std::span(&x, 1), std::span(&gradient, 1), options);
  return gradient;
}

std::vector<Tensor> grad(const Tensor& y, std::span<const Tensor> xs, const GradOptions& options) {
  std::vector<Tensor> gradients(xs.size());
  grad_of_one(y, xs, gradients, options);
  return gradients;
}

std::vector<Tensor> grad(const Tensor& y, std::initializer_list<Tensor> xs, const GradOptions& options) {
  return grad(y, std::span(xs.begin(), xs.size()), options);
}

std::vector<Tensor> grad(std::span<const Tensor> ys, std::span<const Tensor> xs,
                         const JointGradOptions& options) {
  check(options.gradients.empty() || options.gradients.size() == ys.size(),
        "grad: there must be one gradient for each output; there are {} gradients and {} outputs",
        options.gradients.size(), ys.size());
  const std::vector<Tensor> none(options.gradients.empty() ? ys.size() : 0);
  std::vector<Tensor> gradients(xs.size());
  grad_into({ys, options.gradients.empty() ? none : options.gradients, true}, xs, gradients,
            {.retain_graph = options.retain_graph, .create_graph = options.create_graph},
            options.undefined_if_unused);
  return gradients;
}

std::vector<Tensor> grad(std::initializer_list<Tensor> ys, std::initializer_list<Tensor> xs,
                         const JointGradOptions& options) {
  return grad(std::span(ys.begin(), ys.size()), std::span(xs.begin(), xs.size()), options);
}

}  // namespace adjoint
