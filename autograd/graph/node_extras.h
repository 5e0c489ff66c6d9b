#pragma once
// What few nodes have: hooks, and the gradient of an op's result.

#include <cstdint>
#include <memory>
#include <vector>

#include "adjoint/graph/hooks.h"
#include "adjoint/graph/node.h"

namespace adjoint {

/// Changed while engine::leaf_mutex() is locked.
struct detail::NodeExtras final : RefCounted {
  static void destroy(NodeExtras* extras) noexcept { delete extras; }

  struct Hook {
    std::uint64_t id;
    std::shared_ptr<const GradientHook> function;  ///< Shared, because a hook may remove itself.
  };
  std::vector<Hook> hooks;
  std::uint64_t hooks_so_far = 0;
  bool retains_grad = false;
  Tensor grad;  ///< Of an op's result that retains it.
};

namespace engine {

/// The gradient that node's hooks make of gradient, which has no other handle.
Tensor run_hooks(const Node& node, Tensor gradient);
/// Removes all hooks.
void clear_hooks(detail::NodeExtras& extras);

}  // namespace engine
}  // namespace adjoint
