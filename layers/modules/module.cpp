#include "adjoint/modules/module.h"

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <fmt/core.h>
#include <map>
#include <memory>
#include <string_view>

#include "adjoint/graph/grad_mode.h"
#include "layers/io/quote.h"

namespace adjoint {
namespace {

/// A type's name as C++ writes it.
std::string name_of(const std::type_info& type) {
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, nullptr), std::free);
  return name ? name.get() : type.name();
}

}  // namespace

/// The modules whose operator() runs in this thread, the innermost first.
class Module::Running {
 public:
  explicit Running(const Module& module) : module_(module), outer_(innermost) {
    if (outer_ != nullptr && module.parent_ == nullptr && !module.all_tensors_.empty() && grad_enabled())
      module.check_is_part_of(*outer_);
    innermost = this;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { innermost = outer_; }

  const Module& module() const { return module_; }
  /// True when tensor is a parameter of one of these modules.
  bool have(const Tensor& tensor) const {
    const auto has = [&](const Running* r) { return r->module_.all_tensors_.contains(&tensor.values()); };
    const Running* running = this;
    while (running != nullptr && !has(running)) running = running->outer_;
    return running != nullptr;
  }

 private:
  static constinit thread_local const Running* innermost;
  const Module& module_;
  const Running* const outer_;
};
constinit thread_local const Module::Running* Module::Running::innermost = nullptr;

Tensor Module::operator()(const Tensor& x) {
  const Running running(*this);
  return forward(x);
}

void Module::check_is_part_of(const Running& outer) const {
  for (const auto& [name, tensor] : named_parameters()) {
    if (!tensor.requires_grad() || outer.have(tensor)) continue;
    const Module& parent = outer.module();
    throw Error(
        fmt::format("forward: {0} runs inside {1}, which does not know it: its {2} {3} would be neither "
                    "trained nor saved; call register_child(\"name\", member) in the constructor of {1}",
                    name_of(typeid(*this)), name_of(typeid(parent)), name, tensor.shape()));
  }
}

Module::Module(Module&& other) : training_(other.training_) {
  if (other.parent_ != nullptr) [[unlikely]]
    throw Error(fmt::format("move: the {} is part of {} as {}, which would lose it", name_of(typeid(other)),
                            name_of(*other.parent_), other.name_));
  parameters_ = std::move(other.parameters_);
  names_ = std::move(other.names_);
  all_tensors_ = std::move(other.all_tensors_);
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
  constexpr int kMostListed = 20;
  std::string problems;
  int count = 0;
  const auto report = [&](const std::string& problem) {
    if (++count <= kMostListed) problems += (problems.empty() ? "" : "; ") + problem;
  };
  std::map<std::string_view, const Tensor*> given;
  for (const auto& [name, tensor] : state) {
    if (!tensor.defined()) report(fmt::format("{} is undefined", Quoted(name)));
    if (!given.emplace(name, &tensor).second) report(fmt::format("{} is given twice", Quoted(name)));
  }

  std::vector<NamedTensor> parameters = named_parameters();
  std::vector<const Tensor*> sources;
  for (const auto& [name, parameter] : parameters) {
    const auto found = given.find(name);
    if (found == given.end()) {
      report(fmt::format("{} is missing", Quoted(name)));
      continue;
    }
    const Tensor& source = *sources.emplace_back(found->second);
    given.erase(found);
    if (source.defined() && (source.shape() != parameter.shape() || source.dtype() != parameter.dtype()))
      report(fmt::format("{} must be {} {}, it is {} {}", Quoted(name), parameter.dtype(), parameter.shape(),
                         source.dtype(), source.shape()));
  }
  for (const auto& [name, source] : given) report(fmt::format("{} is not a parameter", Quoted(name)));
  check(count == 0, "load_state_dict: {}{}", problems,
        count > kMostListed ? fmt::format("; and {} more", count - kMostListed) : "");

  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].tensor.prepare_assign(*sources[i]);
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].tensor.assign(*sources[i]);
}

void Module::train(bool training) {
  training_ = training;
  for (const Child& child : children_) child.module->train(training);
}

void Module::check_registration(const char* caller, const std::string& name) const {
  check(!name.empty() && name.find('.') == std::string::npos,
        "{}: a name must have a character and no dot, got '{}'", caller, name);
  check(!names_.contains(name), "{}: the name {} is taken", caller, name);
  if (parent_ != nullptr) [[unlikely]]
    throw Error(
        fmt::format("{}: {} comes too late, the module is already part of {} as {}; register in the "
                    "constructor",
                    caller, name, name_of(*parent_), name_));
}

/// Throws if tensor, which is to get this name, is already a parameter.
void Module::check_is_new(const char* caller, const std::string& name, const Tensor& tensor) const {
  if (!all_tensors_.contains(&tensor.values())) return;
  const std::vector<NamedTensor> known = named_parameters();
  const auto found = std::ranges::find_if(
      known, [&](const NamedTensor& parameter) { return parameter.tensor.is_same(tensor); });
  throw Error(fmt::format("{}: {} is already registered as {}", caller, name, found->name));
}

Tensor Module::register_parameter(std::string name, Tensor tensor) {
  check_registration("register_parameter", name);
  check(tensor.defined() && tensor.is_leaf() && is_floating(tensor.dtype()),
        "register_parameter: {} must be a floating leaf, it is {}", name,
        !tensor.defined()  ? "undefined"
        : tensor.is_leaf() ? adjoint::name(tensor.dtype())
                           : tensor.op());
  check_is_new("register_parameter", name, tensor);
  tensor.set_requires_grad().set_name(name);
  names_.insert(name);
  all_tensors_.insert(&tensor.values());
  return parameters_.emplace_back(NamedTensor{std::move(name), std::move(tensor)}).tensor;
}

void Module::register_child(std::string name, Module& child) {
  check_registration("register_child", name);
  check(&child != this, "register_child: {} is the module itself", name);
  if (child.parent_ != nullptr) [[unlikely]]
    throw Error(fmt::format("register_child: {} is already part of {} as {}", name, name_of(*child.parent_),
                            child.name_));
  std::vector<NamedTensor> added;
  child.collect(name + ".", added);
  for (const auto& [path, tensor] : added) check_is_new("register_child", path, tensor);
  for (auto& [path, tensor] : added) {
    tensor.set_name(path);
    all_tensors_.insert(&tensor.values());
  }
  names_.insert(name);
  child.parent_ = &typeid(*this);
  child.name_ = name;
  children_.push_back({std::move(name), &child});
}

}  // namespace adjoint
