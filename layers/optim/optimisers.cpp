#include "adjoint/optim/optimisers.h"

#include <cmath>
#include <set>

#include "adjoint/tensor/create.h"
#include "autograd/kernels/optim/optimiser_step.h"

namespace adjoint {
namespace {

void check_not_negative(const char* optimiser, const char* option, double value) {
  check(std::isfinite(value) && value >= 0, "{}: {} must be finite and not negative, it is {}", optimiser,
        option, value);
}

void check_fraction(const char* optimiser, const char* option, double value) {
  check(value >= 0 && value < 1, "{}: {} must be at least 0 and below 1, it is {}", optimiser, option, value);
}

void check_parameters(const char* optimiser, const std::vector<Tensor>& parameters) {
  check(!parameters.empty(), "{}: there are no parameters", optimiser);
  std::set<const Values*> seen;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& parameter = parameters[i];
    check(parameter.defined(), "{}: parameter {} is undefined", optimiser, i);
    check(parameter.is_leaf(), "{}: parameter {} was computed by {}; only leaves can be updated", optimiser,
          i, parameter.op());
    check(parameter.requires_grad(), "{}: parameter {}, {} {}, requires no gradient", optimiser, i,
          parameter.dtype(), parameter.shape());
    check(seen.insert(&parameter.values()).second, "{}: parameter {}{}{} comes twice", optimiser, i,
          parameter.name().empty() ? "" : " ", parameter.name());
  }
}

/// Allocates all that a step will need before it changes anything: rows of the gradients, or the factors
/// where there are any and the step takes them, and memory for the updated values.
void prepare_step(std::span<Tensor> parameters, bool takes_factors) {
  for (Tensor& parameter : parameters) {
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    const Values& g = gradient.values();
    if (!takes_factors || !g.has(Values::Layout::factors)) g.make(Values::Layout::rows);
    parameter.prepare_update();
  }
}

template <class T>
T* writable(Tensor& tensor) {
  return static_cast<T*>(tensor.start_update());
}

}  // namespace

Optimiser::Optimiser(const char* name, std::vector<Tensor> parameters, double learning_rate)
    : name_(name), parameters_(std::move(parameters)) {
  check_parameters(name, parameters_);
  set_learning_rate(learning_rate);
}

void Optimiser::zero_grad() {
  for (Tensor& parameter : parameters_) parameter.zero_grad();
}

void Optimiser::set_learning_rate(double learning_rate) {
  check_not_negative(name_, "learning_rate", learning_rate);
  learning_rate_ = learning_rate;
}

std::vector<Tensor> Optimiser::zeros_like_parameters() const {
  std::vector<Tensor> result;
  for (const Tensor& parameter : parameters_)
    result.push_back(zeros(parameter.shape(), {.dtype = parameter.dtype()}));
  return result;
}

Sgd::Sgd(std::vector<Tensor> parameters, const SgdOptions& options)
    : Optimiser("Sgd", std::move(parameters), options.learning_rate), options_(options) {
  check_fraction("Sgd", "momentum", options.momentum);
  check_not_negative("Sgd", "weight_decay", options.weight_decay);
  if (options.momentum != 0) velocity_ = zeros_like_parameters();
}

void Sgd::step() {
  prepare_step(parameters(), /*takes_factors=*/true);
  const kernels::SgdStep step{learning_rate(), options_.momentum, options_.weight_decay};
  for (std::size_t i = 0; i < parameters().size(); ++i) {
    Tensor& parameter = parameters()[i];
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    const Values& g = gradient.values();
    visit_floating(parameter.dtype(), [&]<class T>() {
      T* velocity = velocity_.empty() ? nullptr : writable<T>(velocity_[i]);
      if (const T* b = g.factors<T>()) {
        const std::int64_t rows = parameter.size(0), columns = parameter.size(1);
        kernels::sgd_step_outer(rows, columns, step, b + columns, b, velocity, writable<T>(parameter));
      } else {
        kernels::sgd_step(parameter.numel(), step, g.rows<T>(), velocity, writable<T>(parameter));
      }
    });
  }
}

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Optimiser("Adam", std::move(parameters), options.learning_rate),
      options_(options),
      m_(zeros_like_parameters()),
      v_(zeros_like_parameters()),
      steps_(m_.size(), 0) {
  check_fraction("Adam", "beta1", options.beta1);
  check_fraction("Adam", "beta2", options.beta2);
  check(std::isfinite(options.epsilon) && options.epsilon > 0,
        "Adam: epsilon must be finite and positive, it is {}", options.epsilon);
  check_not_negative("Adam", "weight_decay", options.weight_decay);
}

void Adam::step() {
  prepare_step(parameters(), /*takes_factors=*/false);
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
      kernels::adam_step(parameter.numel(), step, gradient.values().rows<T>(), writable<T>(m_[i]),
                         writable<T>(v_[i]), writable<T>(parameter));
    });
    steps_[i] = t;
  }
}

}  // namespace adjoint
