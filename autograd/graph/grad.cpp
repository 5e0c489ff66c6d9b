#include "adjoint/graph/grad.h"

#include "adjoint/tensor/create.h"
#include "autograd/graph/engine.h"

namespace adjoint {
namespace {

void grad_into(const Tensor& y, std::span<const Tensor> xs, std::span<Tensor> gradients,
               const GradOptions& options) {
  check_shape(
      options.gradient.defined() || y.numel() == 1,
      "grad: without a gradient y must be a single number, it is {}; give dL/dy as {{.gradient = ...}}",
      y.shape());
  const Tensor dy = options.gradient.defined() ? options.gradient : ones(y.shape(), {.dtype = y.dtype()});
  engine::gradients_of(y, dy, xs, gradients, options);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = zeros(xs[i].shape(), {.dtype = xs[i].dtype()});
  }
}

}  // namespace

Tensor grad(const Tensor& y, const Tensor& x, const GradOptions& options) {
  Tensor gradient;
  grad_into(y, std::span(&x, 1), std::span(&gradient, 1), options);
  return gradient;
}

std::vector<Tensor> grad(const Tensor& y, std::span<const Tensor> xs, const GradOptions& options) {
  std::vector<Tensor> gradients(xs.size());
  grad_into(y, xs, gradients, options);
  return gradients;
}

std::vector<Tensor> grad(const Tensor& y, std::initializer_list<Tensor> xs, const GradOptions& options) {
  return grad(y, std::span(xs.begin(), xs.size()), options);
}

}  // namespace adjoint
