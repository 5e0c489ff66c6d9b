#include "adjoint/graph/hooks.h"

#include <algorithm>
#include <mutex>

#include "autograd/graph/engine.h"
#include "autograd/graph/node_extras.h"

namespace adjoint {

using detail::NodeExtras;

HookHandle::HookHandle(Ref<NodeExtras> extras, std::uint64_t id) : extras_(std::move(extras)), id_(id) {}
HookHandle::HookHandle(HookHandle&&) noexcept = default;
HookHandle& HookHandle::operator=(HookHandle&&) noexcept = default;
HookHandle::~HookHandle() = default;

void HookHandle::remove() {
  if (!extras_) return;
  std::shared_ptr<const GradientHook> removed;  // destroyed after the lock, because it may own anything
  {
    const std::lock_guard lock(engine::leaf_mutex());
    const auto found = std::ranges::find(extras_->hooks, id_, &NodeExtras::Hook::id);
    if (found == extras_->hooks.end()) return;
    removed = std::move(found->function);
    extras_->hooks.erase(found);
  }
  extras_ = {};
}

HookHandle register_hook(const Tensor& x, GradientHook hook) {
  check<GraphError>(x.requires_grad(),
                    "register_hook: the tensor {} requires no gradient, so no pass would run the hook",
                    x.shape());
  auto function = std::make_shared<const GradientHook>(std::move(hook));
  const std::lock_guard lock(engine::leaf_mutex());
  NodeExtras& extras = x.node()->make_extras();
  extras.hooks.push_back({++extras.hooks_so_far, std::move(function)});
  return {Ref<NodeExtras>(&extras), extras.hooks_so_far};
}

namespace engine {

Tensor run_hooks(const Node& node, Tensor gradient) {
  std::vector<NodeExtras::Hook> hooks;
  {
    const std::lock_guard lock(leaf_mutex());
    hooks = node.extras()->hooks;
  }
  for (const NodeExtras::Hook& hook : hooks) {
    Tensor replacement = (*hook.function)(gradient);
    if (!replacement.defined()) continue;
    check<GraphError>(replacement.shape() == node.shape && replacement.dtype() == node.dtype,
                      "register_hook: a hook must return a gradient like the tensor, a {} {}{}; it returned "
                      "a {} {}",
                      node.dtype, node.shape, node.is_leaf() ? "" : fmt::format(" computed by {}", node.op),
                      replacement.dtype(), replacement.shape());
    gradient = std::move(replacement);
  }
  return gradient;
}

void clear_hooks(NodeExtras& extras) {
  std::vector<NodeExtras::Hook> removed;  // destroyed after the lock, because they may own anything
  const std::lock_guard lock(leaf_mutex());
  removed.swap(extras.hooks);
}

}  // namespace engine
}  // namespace adjoint
