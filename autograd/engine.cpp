#include "autograd/engine.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "autograd/accumulate.h"

// Nodes are visited in order of falling sequence number: every node that uses a result has a larger number
// than the node that made it, so when a node's turn comes its gradient is complete. Only the frontier is
// stored, no visited marks are left behind, and several passes, nested or in several threads, may run over
// the same nodes at once.

namespace adjoint::engine {
namespace {

template <class T>
using PoolVector = std::vector<T, PoolAllocator<T>>;

constexpr std::size_t kUsualSize = 16;  // Vectors of a small network's pass need not grow step by step.

constinit thread_local const char* op_running = "";

struct RunningOp {
  explicit RunningOp(const char* op) : before(op_running) { op_running = op; }
  RunningOp(const RunningOp&) = delete;
  RunningOp& operator=(const RunningOp&) = delete;
  ~RunningOp() { op_running = before; }
  const char* before;
};

/// The gradients that wait for their node's turn.
class Frontier {
 public:
  Frontier() {
    slots_.reserve(kUsualSize);
    free_slots_.reserve(kUsualSize);
    heap_.reserve(kUsualSize);
  }

  bool empty() const { return heap_.empty(); }

  /// Adds a gradient to what waits for node.
  void add(const Ref<Node>& node, Tensor gradient) {
    const std::uint32_t hint = node->backward_slot.load(std::memory_order_relaxed);
    if (hint < slots_.size() && slots_[hint].node.get() == node.get())
      return accumulate(slots_[hint].gradient, std::move(gradient));
    // Not waiting yet, or another pass has overwritten the hint: a second entry does no harm, take() joins
    // them.
    const std::uint32_t slot = free_slot();
    slots_[slot] = {node, std::move(gradient)};
    node->backward_slot.store(slot, std::memory_order_relaxed);
    heap_.push_back({node->sequence, slot});
    std::push_heap(heap_.begin(), heap_.end());
  }

  struct Entry {
    Ref<Node> node;
    Tensor gradient;
  };

  /// Removes and returns the latest node and its whole gradient.
  Entry take() {
    Entry entry = take_one();
    while (!heap_.empty() && heap_.front().sequence == entry.node->sequence)
      accumulate(entry.gradient, take_one().gradient);
    return entry;
  }

 private:
  struct Waiting {
    std::uint64_t sequence;
    std::uint32_t slot;
    bool operator<(const Waiting& other) const { return sequence < other.sequence; }
  };

  Entry take_one() {
    std::pop_heap(heap_.begin(), heap_.end());
    const std::uint32_t slot = heap_.back().slot;
    heap_.pop_back();
    free_slots_.push_back(slot);
    return std::exchange(slots_[slot], Entry{});
  }

  std::uint32_t free_slot() {
    if (free_slots_.empty()) {
      slots_.emplace_back();
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }

  PoolVector<Entry> slots_;
  PoolVector<std::uint32_t> free_slots_;
  PoolVector<Waiting> heap_;
};

/// Applies node's rule to dy and checks what it returns.
Grads checked_apply(Node& node, Tensor dy, Needs needs) {
  check<GraphError>(!node.freed(),
                    "backward: the graph of {} was already freed by an earlier backward; pass "
                    "{{.retain_graph = true}} there",
                    node.op);
  RunningOp running(node.op);
  Grads grads = node.apply(std::move(dy), needs);
  check<GraphError>(grads.size() == node.inputs.size(),
                    "{}: its backward rule returned {} gradients for {} inputs", node.op, grads.size(),
                    node.inputs.size());
  for (std::size_t i = 0; i < grads.size(); ++i) {
    const Node* input = node.inputs[i].get();
    if (input == nullptr || !grads[i].defined()) continue;
    check<GraphError>(grads[i].shape() == input->shape && grads[i].dtype() == input->dtype,
                      "{}: its backward rule returned a {} gradient of shape {} for input {}, which is {} {}",
                      node.op, grads[i].dtype(), grads[i].shape(), i, input->dtype, input->shape);
  }
  return grads;
}

void check_start(const Tensor& y, const Tensor& dy) {
  check<GraphError>(y.requires_grad(),
                    "backward: the tensor requires no gradient and was computed from none that does");
  check_shape(dy.shape() == y.shape(),
              "backward: the gradient must have the shape of the tensor; it is {}, the tensor {}", dy.shape(),
              y.shape());
  check<DTypeError>(dy.dtype() == y.dtype(),
                    "backward: the gradient must have the dtype of the tensor; it is {}, the tensor {}",
                    dy.dtype(), y.dtype());
}

/// Runs over the graph of y. wanted(node) says whether gradients shall go on to node; take(node, gradient)
/// sees every visited node's whole gradient and returns false when the pass shall not go through it.
template <class Wanted, class Take>
void run(const Tensor& y, const Tensor& dy, const BackwardOptions& options, const Wanted& wanted,
         const Take& take) {
  check_start(y, dy);
  const bool retain = options.retain_graph || options.create_graph;
  const GradMode mode(options.create_graph);
  Frontier frontier;
  frontier.add(y.node(), dy);
  while (!frontier.empty()) {
    auto [node, gradient] = frontier.take();
    if (!options.create_graph && gradient.requires_grad()) gradient = gradient.detach();
    if (!take(node, gradient) || node->is_leaf()) continue;

    std::uint64_t needs = 0;
    for (std::size_t i = 0; i < node->inputs.size() && i < 64; ++i) {
      if (node->inputs[i] && wanted(*node->inputs[i])) needs |= std::uint64_t{1} << i;
    }
    Grads grads = checked_apply(*node, std::move(gradient), Needs(needs));
    for (std::size_t i = 0; i < grads.size(); ++i) {
      if (grads[i].defined() && node->inputs[i] && wanted(*node->inputs[i]))
        frontier.add(node->inputs[i], std::move(grads[i]));
    }
    if (!retain) node->free();
  }
}

constinit std::mutex mutex_of_leaves;

}  // namespace

std::mutex& leaf_mutex() { return mutex_of_leaves; }

const char* running_op() { return op_running; }

LeafGradients leaf_gradients(const Tensor& y, const Tensor& dy, const BackwardOptions& options) {
  LeafGradients leaves;
  leaves.reserve(kUsualSize);
  run(
      y, dy, options, [](const Node&) { return true; },
      [&](const Ref<Node>& node, Tensor& gradient) {
        if (node->is_leaf()) leaves.push_back({node, std::move(gradient)});
        return true;
      });
  return leaves;
}

void add(LeafGradients& total, LeafGradients&& part) {
  const NoGrad no_grad;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const Node* leaf = part[i].leaf.get();
    const auto is_it = [leaf](const LeafGradient& other) { return other.leaf.get() == leaf; };
    // Passes over like graphs meet the leaves in the same order.
    const auto found = i < total.size() && is_it(total[i]) ? total.begin() + static_cast<std::ptrdiff_t>(i)
                                                           : std::ranges::find_if(total, is_it);
    if (found != total.end()) {
      accumulate(found->gradient, std::move(part[i].gradient));
    } else {
      total.push_back(std::move(part[i]));
    }
  }
}

void add_to_leaves(LeafGradients&& gradients, bool create_graph) {
  const std::lock_guard lock(mutex_of_leaves);
  const GradMode mode(create_graph);
  for (auto& [leaf, gradient] : gradients) {
    Tensor& total = static_cast<LeafNode&>(*leaf).grad;
    if (total.defined()) {
      accumulate(total, std::move(gradient));
    } else {
      total = std::move(gradient);
    }
  }
}

void gradients_of(const Tensor& y, const Tensor& dy, std::span<const Tensor> xs, std::span<Tensor> gradients,
                  const BackwardOptions& options) {
  std::uint64_t earliest = UINT64_MAX;
  for (const Tensor& x : xs) {
    check<GraphError>(x.requires_grad(),
                      "grad: an input requires no gradient and was computed from none that does");
    earliest = std::min(earliest, x.node()->sequence);
  }
  const auto asked_for = [&](const Node* node) {
    return std::any_of(xs.begin(), xs.end(), [&](const Tensor& x) { return x.node().get() == node; });
  };
  run(
      y, dy, options,
      [&](const Node& node) { return node.is_leaf() ? asked_for(&node) : node.sequence >= earliest; },
      [&](const Ref<Node>& node, const Tensor& gradient) {
        for (std::size_t i = 0; i < xs.size(); ++i) {
          if (xs[i].node().get() == node.get()) gradients[i] = gradient;
        }
        return node->sequence > earliest;
      });
}

}  // namespace adjoint::engine
