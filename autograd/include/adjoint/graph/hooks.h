#pragma once
// Functions that see or replace the gradient of a tensor during a backward pass.

#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include "adjoint/memory/ref.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

namespace detail {
struct NodeExtras;
}

/// Removes a hook. A handle that goes out of scope removes nothing.
class HookHandle {
 public:
  HookHandle(Ref<detail::NodeExtras> extras, std::uint64_t id);
  HookHandle(HookHandle&&) noexcept;
  HookHandle& operator=(HookHandle&&) noexcept;
  ~HookHandle();
  /// From now on, the hook does not run, and what it captured is freed. A second call does nothing. A hook
  /// may remove itself.
  void remove();

 private:
  Ref<detail::NodeExtras> extras_;
  std::uint64_t id_;
};

/// Gets the gradient of a tensor, and returns the one to use in its place, or an undefined tensor to keep it.
using GradientHook = std::function<Tensor(const Tensor& gradient)>;

/// Calls hook in every backward pass that computes x's gradient, once, with the complete gradient, before it
/// is stored or passed on: grad(), retain_grad() and the function grad() show what the hook returned. Several
/// hooks of a tensor run in the order of registration, each with the result of the one before. With
/// create_graph, what a hook computes is recorded.
///
/// backward_in_parts() runs a pass, and so the hooks, for each part, in several threads at once. Hooks of an
/// op's result end when a pass frees its graph. A hook must not capture x if x is an op's result: the graph
/// would own itself until a pass frees it. An exception from a hook ends the pass as one from a rule does.
///
/// Throws GraphError when x requires no gradient. The pass throws GraphError when a hook returns a gradient
/// of another shape or dtype.
HookHandle register_hook(const Tensor& x, GradientHook hook);

/// The same for a function that returns nothing.
template <class Hook>
requires std::is_void_v<std::invoke_result_t<Hook&, const Tensor&>> HookHandle register_hook(const Tensor& x,
                                                                                             Hook hook) {
  return register_hook(x, GradientHook([hook = std::move(hook)](const Tensor& gradient) mutable {
                         hook(gradient);
                         return Tensor();
                       }));
}

}  // namespace adjoint
