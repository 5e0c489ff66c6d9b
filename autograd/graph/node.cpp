#include "adjoint/graph/node.h"

#include "autograd/graph/engine.h"
#include "autograd/graph/node_extras.h"

namespace adjoint {
namespace {

Counter<std::uint64_t> last_sequence{0};
Counter<std::int64_t> nodes_alive{0};

}  // namespace

Node::Node(const char* op, const Shape& shape, DType dtype, std::size_t inputs)
    : op(op), sequence(last_sequence.add(1)), shape(shape), dtype(dtype), inputs(inputs) {
  nodes_alive.add(1);
}

Node::~Node() {
  nodes_alive.add(-1);
  if (detail::NodeExtras* rare = extras()) {
    engine::clear_hooks(*rare);  // a handle may keep the rest
    if (rare->drop_ref()) detail::NodeExtras::destroy(rare);
  }
}

detail::NodeExtras& Node::make_extras() {
  if (extras() == nullptr) {
    auto* made = new detail::NodeExtras;
    made->add_ref();
    extras_.store(made, std::memory_order_release);
  }
  return *extras();
}

// A node may own the last reference to the node before it, and so on for millions of nodes. Recursion would
// overflow the stack. So nodes that die while another one is being destroyed wait in a list.
void Node::destroy(Node* node) noexcept {
  constinit static thread_local Node* waiting = nullptr;
  constinit static thread_local bool destroying = false;
  node->next_to_destroy_ = waiting;
  waiting = node;
  if (destroying) return;
  destroying = true;
  while (waiting != nullptr) {
    Node* next = waiting;
    waiting = next->next_to_destroy_;
    delete next;
  }
  destroying = false;
}

bool Node::claim() {
  State expected = State::open;
  return state_.compare_exchange_strong(expected, State::claimed, std::memory_order_acquire);
}

void Node::free(const Ref<Pass>& by) {
  freed_by_ = by;
  free_rule();
  for (Ref<Node>& input : inputs) input = {};
  if (extras() != nullptr) engine::clear_hooks(*extras());
  state_.store(State::freed, std::memory_order_release);
}

std::int64_t live_nodes() { return nodes_alive.load(); }

void Saved::raise_changed() const {
  const std::string& name = tensor_.name();
  detail::raise<GraphError>(
      "{}: {} was changed after it was used in this graph (updates since: {})",
      fmt::make_format_args(*engine::running_op() != '\0' ? engine::running_op() : "backward",
                            name.empty() ? std::string("a parameter") : name, tensor_.version() - version_));
}

namespace detail {

bool any_requires_grad(std::span<const Input> inputs) {
  for (const Input& input : inputs) {
    if (input.tensor->requires_grad()) return true;
  }
  return false;
}

Tensor attach(Values&& values, Node* node, std::span<const Input> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].tensor->requires_grad()) node->inputs[i] = inputs[i].tensor->node();
  }
  return Tensor(std::move(values), Ref<Node>(node));
}

}  // namespace detail

Tensor pass_through(const char* op, Tensor x) {
  const bool stays_recorded = grad_enabled() || !x.requires_grad();
  if (stays_recorded && (x.is_only_handle() || !x.is_leaf())) return x;
  return record(op, x.values(), {x}, [](Tensor dy, Needs) -> Grads { return {std::move(dy)}; });
}

}  // namespace adjoint
