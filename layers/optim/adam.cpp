#include "adjoint/optim/adam.h"

#include <cmath>

#include "autograd/kernels/optim/optimizer_step.h"

namespace adjoint {

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Optimizer("Adam", std::move(parameters), options.learning_rate),
      options_(options),
      m_(zeros_like_parameters()),
      v_(zeros_like_parameters()),
      steps_(m_.size(), 0) {
  check_fraction("beta1", options.beta1);
  check_fraction("beta2", options.beta2);
  check(std::isfinite(options.epsilon) && options.epsilon > 0,
        "Adam: epsilon must be finite and positive, it is {}", options.epsilon);
  check_not_negative("weight_decay", options.weight_decay);
}

void Adam::step() {
  prepare_step(/*takes_outer_product=*/false);
  for (std::size_t i = 0; i < parameters().size(); ++i) {
    Tensor& parameter = parameters()[i];
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    const double t = steps_[i] + 1;
    const kernels::AdamStep step{.learning_rate = learning_rate(),
                                 .beta1 = options_.beta1,
                                 .beta2 = options_.beta2,
                                 .epsilon = options_.epsilon,
                                 .weight_decay = options_.weight_decay,
                                 .bias_correction1 = 1 - std::pow(options_.beta1, t),
                                 .bias_correction2 = 1 - std::pow(options_.beta2, t)};
    visit_floating(parameter.dtype(), [&]<class T>() {
      kernels::adam_step(parameter.numel(), step, gradient.values().row_major<T>(),
                         static_cast<T*>(m_[i].start_update()), static_cast<T*>(v_[i].start_update()),
                         static_cast<T*>(parameter.start_update()));
    });
    steps_[i] = t;
  }
}

}  // namespace adjoint
