#include "layers/module.h"

#include <algorithm>
#include <fmt/core.h>
#include <map>
#include <string_view>

namespace adjoint {
namespace {

/// Whether two handles refer to one tensor.
bool same_tensor(const Tensor& a, const Tensor& b) { return &a.values() == &b.values(); }

/// The parameter of the list that is tensor itself, or nullptr.
const NamedTensor* find(const std::vector<NamedTensor>& parameters, const Tensor& tensor) {
  const auto found = std::ranges::find_if(
      parameters, [&](const NamedTensor& parameter) { return same_tensor(parameter.tensor, tensor); });
  return found != parameters.end() ? &*found : nullptr;
}

}  // namespace

Module::Module(Module&& other) : parameters_(std::move(other.parameters_)), training_(other.training_) {
  check(!other.is_child_, "move: the layer is part of another module, which would lose it");
}

std::vector<NamedTensor> Module::named_parameters() const {
  std::vector<NamedTensor> found;
  collect("", found);
  return found;
}

void Module::collect(const std::string& prefix, std::vector<NamedTensor>& found) const {
  for (const auto& [name, tensor] : parameters_) found.push_back({prefix + name, tensor});
  for (const auto& [name, module] : children_) module->collect(prefix + name + ".", found);
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> tensors;
  for (auto& [name, tensor] : named_parameters()) tensors.push_back(std::move(tensor));
  return tensors;
}

StateDict Module::state_dict() const {
  StateDict state = named_parameters();
  for (auto& [name, tensor] : state) tensor = tensor.detach();  // shared until an update copies
  return state;
}

void Module::load_state_dict(const StateDict& state) {
  std::string problems;
  const auto report = [&problems](const std::string& problem) {
    problems += (problems.empty() ? "" : "; ") + problem;
  };
  std::map<std::string_view, const Tensor*> given;
  for (const auto& [name, tensor] : state) {
    if (!tensor.defined()) report(fmt::format("{} is undefined", name));
    if (!given.emplace(name, &tensor).second) report(fmt::format("{} is given twice", name));
  }

  std::vector<NamedTensor> parameters = named_parameters();
  std::vector<const Tensor*> sources;
  for (const auto& [name, parameter] : parameters) {
    const auto found = given.find(name);
    if (found == given.end()) {
      report(fmt::format("{} is missing", name));
      continue;
    }
    const Tensor& source = *sources.emplace_back(found->second);
    given.erase(found);
    if (source.defined() && (source.shape() != parameter.shape() || source.dtype() != parameter.dtype()))
      report(fmt::format("{} must be {} {}, it is {} {}", name, parameter.dtype(), parameter.shape(),
                         source.dtype(), source.shape()));
  }
  for (const auto& [name, source] : given) report(fmt::format("{} is not a parameter", name));
  check(problems.empty(), "load_state_dict: {}", problems);

  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].tensor.assign(*sources[i]);
}

void Module::train(bool training) {
  training_ = training;
  for (const Child& child : children_) child.module->train(training);
}

void Module::check_registration(const char* caller, const std::string& name) const {
  check(!name.empty() && name.find('.') == std::string::npos,
        "{}: a name must have a character and no dot, got '{}'", caller, name);
  const bool taken =
      std::ranges::any_of(parameters_, [&](const NamedTensor& own) { return own.name == name; }) ||
      std::ranges::any_of(children_, [&](const Child& child) { return child.name == name; });
  check(!taken, "{}: the name {} is taken", caller, name);
  check(!is_child_,
        "{}: {} comes too late, the module is already part of another; register in the constructor", caller,
        name);
}

Tensor Module::register_parameter(std::string name, Tensor tensor) {
  check_registration("register_parameter", name);
  check(tensor.defined() && tensor.is_leaf() && is_floating(tensor.dtype()),
        "register_parameter: {} must be a floating leaf, it is {}", name,
        !tensor.defined()  ? "undefined"
        : tensor.is_leaf() ? adjoint::name(tensor.dtype())
                           : tensor.op());
  const NamedTensor* before = find(parameters_, tensor);
  check(before == nullptr, "register_parameter: {} is already registered as {}", name,
        before != nullptr ? before->name : "");
  tensor.set_requires_grad().set_name(name);
  return parameters_.emplace_back(NamedTensor{std::move(name), std::move(tensor)}).tensor;
}

void Module::register_child(std::string name, Module& child) {
  check_registration("register_child", name);
  check(&child != this, "register_child: {} is the module itself", name);
  check(!child.is_child_, "register_child: {} is already part of a module", name);
  const std::vector<NamedTensor> own = named_parameters();
  std::vector<NamedTensor> added;
  child.collect(name + ".", added);
  for (const auto& [path, tensor] : added) {
    const NamedTensor* before = find(own, tensor);
    check(before == nullptr, "register_child: {} is already registered as {}", path,
          before != nullptr ? before->name : "");
  }
  for (auto& [path, tensor] : added) {
    if (tensor.requires_grad()) tensor.set_name(path);  // a frozen parameter has no name to keep
  }
  children_.push_back({std::move(name), &child});
  child.is_child_ = true;
}

}  // namespace adjoint
