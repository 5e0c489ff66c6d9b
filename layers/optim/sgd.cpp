#include "adjoint/optim/sgd.h"

#include "autograd/kernels/optim/optimizer_step.h"

namespace adjoint {

Sgd::Sgd(std::vector<Tensor> parameters, const SgdOptions& options)
    : Optimizer("Sgd", std::move(parameters), options.learning_rate), options_(options) {
  check_fraction("momentum", options.momentum);
  check_not_negative("weight_decay", options.weight_decay);
  if (options.momentum != 0) velocity_ = zeros_like_parameters();
}

void Sgd::step() {
  prepare_step(/*takes_outer_product=*/true);
  const kernels::SgdStep step{learning_rate(), options_.momentum, options_.weight_decay};
  for (std::size_t i = 0; i < parameters().size(); ++i) {
    Tensor& parameter = parameters()[i];
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    const Values& g = gradient.values();
    visit_floating(parameter.dtype(), [&]<class T>() {
      T* velocity = velocity_.empty() ? nullptr : static_cast<T*>(velocity_[i].start_update());
      if (g.has_outer_product()) {
        const auto [column, row] = g.outer_product<T>();
        kernels::sgd_step_outer(parameter.size(0), parameter.size(1), step, column, row, velocity,
                                static_cast<T*>(parameter.start_update()));
      } else {
        kernels::sgd_step(parameter.numel(), step, g.row_major<T>(), velocity,
                          static_cast<T*>(parameter.start_update()));
      }
    });
  }
}

}  // namespace adjoint
