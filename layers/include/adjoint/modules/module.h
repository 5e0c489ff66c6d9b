#pragma once
// Module: a network or a part of one, with its parameters. Modules nest: the parts of a network are its
// children.

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
/// A module refers to its children by address, so a module with children can be neither copied nor moved. See
/// Layer for modules without children.
class Module {
 public:
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// The module's result for x.
  virtual Tensor forward(const Tensor& x) = 0;
  /// Calls forward(x). Use this, not forward(), to call one module from another. Throws Error for a module
  /// that was not registered, because its parameters would not be trained. This is checked while ops are
  /// recorded. The error occurs when the module runs inside another module's forward, is not a child of any
  /// module, and has a parameter that requires a gradient but belongs to none of the running modules.
  Tensor operator()(const Tensor& x);

  /// Every parameter, including the children's. They are handles: an optimizer updates the module itself.
  std::vector<Tensor> parameters() const;
  /// The same with their full names.
  std::vector<NamedTensor> named_parameters() const;

  /// The parameters' values as they are now; later updates do not change them.
  StateDict state_dict() const;
  /// Gives every parameter the value of its name in state. Throws Error unless both sides have
  /// the same names, each once, with equal shapes and dtypes; the message lists all differences. If anything
  /// is thrown, no parameter has changed.
  void load_state_dict(const StateDict& state);

  /// Switches this and all children between training and evaluation, for layers that behave differently in
  /// the two.
  void train(bool training = true);
  void eval() { train(false); }
  /// True at the start.
  bool is_training() const { return training_; }

 protected:
  Module() = default;

  /// Makes tensor a parameter that requires a gradient, and returns it. Throws Error when the name is
  /// empty, contains a dot or is taken, when the tensor is not a floating leaf or is already a parameter of
  /// this module, and when this module is already the child of another one. To freeze
  /// it later, call set_requires_grad(false): it stays a parameter and keeps its name.
  Tensor register_parameter(std::string name, Tensor tensor);
  /// Makes child, a member that lives as long as this module, a part of it. The names of its parameters get
  /// the prefix "name.". Throws Error when the name is empty, contains a dot or is taken, when the child
  /// belongs to a module already or is this module itself, when a parameter would appear twice, and when this
  /// module is already the child of another one.
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
  std::unordered_set<std::string> names_;          // The names in parameters_ and children_.
  std::unordered_set<const Values*> all_tensors_;  // The parameters, including the children's.
  // The type of the parent, null if there is none, and the name there. Not the parent itself, which may be
  // gone.
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
