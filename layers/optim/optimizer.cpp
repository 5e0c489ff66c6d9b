#include "adjoint/optim/optimizer.h"

#include <cmath>
#include <set>

#include "adjoint/tensor/create.h"

namespace adjoint {
namespace {

void check_parameters(const char* optimizer, const std::vector<Tensor>& parameters) {
  check(!parameters.empty(), "{}: there are no parameters", optimizer);
  std::set<const Values*> seen;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& parameter = parameters[i];
    check(parameter.defined(), "{}: parameter {} is undefined", optimizer, i);
    check(parameter.is_leaf(), "{}: parameter {} was computed by {}; only leaves can be updated", optimizer,
          i, parameter.op());
    check(parameter.requires_grad(), "{}: parameter {}, {} {}, requires no gradient", optimizer, i,
          parameter.dtype(), parameter.shape());
    check(seen.insert(&parameter.values()).second, "{}: parameter {}{}{} comes twice", optimizer, i,
          parameter.name().empty() ? "" : " ", parameter.name());
  }
}

}  // namespace

Optimizer::Optimizer(const char* name, std::vector<Tensor> parameters, double learning_rate)
    : name_(name), parameters_(std::move(parameters)) {
  check_parameters(name, parameters_);
  set_learning_rate(learning_rate);
}

void Optimizer::zero_grad() {
  for (Tensor& parameter : parameters_) parameter.zero_grad();
}

void Optimizer::set_learning_rate(double learning_rate) {
  check_not_negative("learning_rate", learning_rate);
  learning_rate_ = learning_rate;
}

std::vector<Tensor> Optimizer::zeros_like_parameters() const {
  std::vector<Tensor> result;
  for (const Tensor& parameter : parameters_)
    result.push_back(zeros(parameter.shape(), {.dtype = parameter.dtype()}));
  return result;
}

void Optimizer::check_not_negative(const char* option, double value) const {
  check(std::isfinite(value) && value >= 0, "{}: {} must be finite and not negative, it is {}", name_, option,
        value);
}

void Optimizer::check_fraction(const char* option, double value) const {
  check(value >= 0 && value < 1, "{}: {} must be at least 0 and below 1, it is {}", name_, option, value);
}

void Optimizer::prepare_step(bool takes_outer_product) {
  for (Tensor& parameter : parameters_) {
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    const Values& g = gradient.values();
    if (!takes_outer_product || !g.has_outer_product()) g.make(Layout::row_major);
    parameter.prepare_update();
  }
}

}  // namespace adjoint
