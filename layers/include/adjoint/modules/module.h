#pragma once
// Module: a part of a network, with the parameters it learns. Parts nest: a network is a module whose
// children are modules.

#include <string>
#include <typeinfo>
#include <unordered_set>
#include <utility>
#include <vector>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// The values of a network's parameters under their full names, such as "conv1.weight", in the order of
/// registration.
using StateDict = std::vector<NamedTensor>;

/// Base of every layer and network. A derived class keeps its parts as members and registers them at the end
/// of its constructor:
///
///     class Mlp : public Module {
///      public:
///       explicit Mlp(Rng& rng) : hidden(2, 16, {}, rng), output(16, 1, {}, rng) {
///         register_child("hidden", hidden);
///         register_child("output", output);
///       }
///       Tensor forward(const Tensor& x) override { return output(tanh(hidden(x))); }
///
///      private:
///       Dense hidden, output;
///     };
///
/// It stays where it was made, since it knows its children by address: a module with children can be neither
/// copied nor moved. See Layer for those without.
class Module {
 public:
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// The module's result for x.
  virtual Tensor forward(const Tensor& x) = 0;
  /// Calls forward(x). Use this, not forward(), to call one module from another. Throws Error when that would
  /// record parameters that nobody trains: when this runs inside another module's forward, is no module's
  /// child and has parameters that require a gradient and are none of that module's.
  Tensor operator()(const Tensor& x);

  /// Every parameter, the children's included: handles, so that an optimizer updates the module itself.
  std::vector<Tensor> parameters() const;
  /// The same with their full names.
  std::vector<NamedTensor> named_parameters() const;

  /// The parameters' values as they are now; later updates do not reach them.
  StateDict state_dict() const;
  /// Gives every parameter the value of its name in state. Throws Error unless the names are the same on both
  /// sides, once each, and shapes and dtypes equal; the message lists all that differs. Whatever is thrown,
  /// no parameter has changed.
  void load_state_dict(const StateDict& state);

  /// Switches between training and evaluation, for layers that behave differently in the two; so for all
  /// children.
  void train(bool training = true);
  void eval() { train(false); }
  /// True at the start.
  bool is_training() const { return training_; }

 protected:
  Module() = default;

  /// Makes tensor a parameter, one that requires a gradient, and returns it. Throws Error when the name is
  /// empty, contains a dot or is taken, when the tensor is no floating leaf or already a parameter of this
  /// module, and when this module is already another's child. Its gradient can be switched off and on later
  /// (set_requires_grad), to freeze it: it stays a parameter and keeps its name.
  Tensor register_parameter(std::string name, Tensor tensor);
  /// Makes child, a member that lives as long as this module, a part of it; its parameters' names get
  /// "name." in front. Throws Error when the name is empty, contains a dot or is taken, when the child
  /// belongs to a module already or is this module itself, when a parameter would appear twice, and when this
  /// module is already another's child.
  void register_child(std::string name, Module& child);

 private:
  friend class Layer;
  Module(Module&& other);

  class Running;
  void check_is_part_of(const Running& outer) const;
  void check_registration(const char* caller, const std::string& name) const;
  void check_is_new(const char* caller, const std::string& name, const Tensor& tensor) const;
  void collect(const std::string& prefix, std::vector<NamedTensor>& found) const;

  struct Child {
    std::string name;
    Module* module;
  };
  std::vector<NamedTensor> parameters_;
  std::vector<Child> children_;
  std::unordered_set<std::string> names_;          // Of parameters_ and children_.
  std::unordered_set<const Values*> all_tensors_;  // The parameters, the children's included.
  // What this is a child of, null for nothing, and its name there. Not the parent itself, which may be gone.
  const std::type_info* parent_ = nullptr;
  std::string name_;
  bool training_ = true;
};

/// A module without children. Its parameters are handles, so it can be moved until it is registered as a
/// child: Sequential net(Dense(2, 16), Tanh()). Moving one that is a child throws Error.
class Layer : public Module {
 protected:
  Layer() = default;
  Layer(Layer&& other) : Module(std::move(other)) {}

 private:
  using Module::register_child;
};

}  // namespace adjoint
