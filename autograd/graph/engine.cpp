#include "autograd/graph/engine.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <string>
#include <vector>

#include "adjoint/graph/anomaly.h"
#include "autograd/graph/node_extras.h"
#include "autograd/graph/reach.h"
#include "autograd/ops/elementwise/accumulate.h"

// A pass visits nodes in order of decreasing sequence number. A node that uses a result has a larger number
// than the node that made the result. So when a node is visited, its gradient is complete. A pass stores only
// its frontier and leaves no marks for visited nodes. Several passes, nested or in several threads, may run
// over the same nodes at once.

namespace adjoint::engine {
namespace {

constexpr std::size_t kUsualSize = 16;  // Vectors need not grow during the pass of a small network.

constinit thread_local const char* op_running = "";

struct RunningOp {
  explicit RunningOp(const char* op) : before(op_running) { op_running = op; }
  RunningOp(const RunningOp&) = delete;
  RunningOp& operator=(const RunningOp&) = delete;
  ~RunningOp() { op_running = before; }
  const char* before;
};

/// The gradients of nodes that are not visited yet.
class Frontier {
 public:
  Frontier() {
    slots_.reserve(kUsualSize);
    free_slots_.reserve(kUsualSize);
    heap_.reserve(kUsualSize);
  }

  bool empty() const { return heap_.empty(); }

  /// Adds a gradient to the sum for node.
  void add(const Ref<Node>& node, Tensor gradient) {
    const std::uint32_t hint = node->backward_slot.load(std::memory_order_relaxed);
    if (hint < slots_.size() && slots_[hint].node.get() == node.get())
      return accumulate(slots_[hint].gradient, std::move(gradient));
    // The node has no entry yet, or another pass has overwritten the hint. A second entry does no harm:
    // take() adds them up.
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

  /// Removes and returns the latest node and its complete gradient.
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

  RecycledVector<Entry> slots_;
  RecycledVector<std::uint32_t> free_slots_;
  RecycledVector<Waiting> heap_;
};

/// The visit of a pass to a node. If the pass frees nodes, no other pass can start a visit to this node
/// during or after this visit, unless the rule throws.
class Visit {
 public:
  Visit(Node& node, const Ref<Pass>& freeing) : node_(node), freeing_(freeing) {
    if (!(freeing ? node.claim() : node.state() == Node::State::open)) [[unlikely]]
      raise_not_open(node);
  }
  ~Visit() {
    if (freeing_ && node_.state() == Node::State::claimed) node_.reopen();
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  void finish() {
    if (freeing_) node_.free(freeing_);
  }

 private:
  Node& node_;
  const Ref<Pass>& freeing_;
};

/// Throws unless all elements are finite, or nobody looks; what() tells what the gradient is.
template <class What>
void check_finite(const Tensor& gradient, const What& what) {
  if (!detects_anomalies()) [[likely]]
    return;
  visit_floating(gradient.dtype(), [&]<class T>() {
    const std::span elements(gradient.values().row_major<T>(), static_cast<std::size_t>(gradient.numel()));
    const auto found = std::ranges::find_if(elements, [](T element) { return !std::isfinite(element); });
    if (found == elements.end()) return;
    throw GraphError(
        fmt::format("anomaly: {} is {} at element {}", what(), *found, found - elements.begin()));
  });
}

/// A node as errors name it.
std::string name_of(const Node& node) {
  if (!node.is_leaf()) return fmt::format("{} {}", node.op, node.shape);
  const std::string& name = static_cast<const LeafNode&>(node).name;
  return fmt::format("{} {}", name.empty() ? "a leaf" : name, node.shape);
}

/// Applies node's rule to dy and checks what it returns.
Grads checked_apply(Node& node, Tensor dy, Needs needs) {
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
    check_finite(grads[i], [&] {
      return fmt::format("the gradient that the rule of {} made of finite ones for input {}, {},",
                         name_of(node), i, name_of(*input));
    });
  }
  return grads;
}

constexpr const char* kNoGradient =
    "requires no gradient and was computed from none that does; under NoGrad nothing is recorded, and only a "
    "gradient from grad(y, x, {.create_graph = true}) can be differentiated";

/// Throws unless sum(y * dy) can be differentiated; y_name is caller's name for y.
void check_start(const char* caller, const std::string& y_name, const Tensor& y, const Tensor& dy) {
  check<GraphError>(y.requires_grad(), "{}: {} {} {}", caller, y_name, y.shape(), kNoGradient);
  check_shape(dy.shape() == y.shape(), "{}: the gradient must have the shape of {}; it is {}, {} {}", caller,
              y_name, dy.shape(), y_name, y.shape());
  check<DTypeError>(dy.dtype() == y.dtype(), "{}: the gradient must have the dtype of {}; it is {}, {} {}",
                    caller, y_name, dy.dtype(), y_name, y.dtype());
}

/// The gradient, a constant unless its derivatives are wanted. A leaf's owner, a hook and a rule may write to
/// the gradient that they get, so there is no other handle to it.
Tensor as_own(Tensor gradient, bool create_graph) {
  if (!create_graph && gradient.requires_grad()) gradient = gradient.detach();
  if (!gradient.is_only_handle()) gradient = pass_through("identity", std::move(gradient));
  return gradient;
}

/// Runs over the graphs of ys. wanted(node) returns whether gradients must be passed on to node. take(node,
/// gradient) gets the complete gradient of every visited node, and returns whether the pass must go on to the
/// node's inputs.
template <class Wanted, class Take>
void run(std::span<const Tensor> ys, std::span<const Tensor> dys, bool retain_graph, bool create_graph,
         const Wanted& wanted, const Take& take) {
  const GradMode mode(create_graph);
  const Ref<Pass> pass(retain_graph || create_graph ? nullptr : new Pass);
  const char* op = "";
  Frontier frontier;
  try {
    for (std::size_t i = 0; i < ys.size(); ++i) {
      check_finite(dys[i], [&] { return "the gradient given for " + name_of(*ys[i].node()); });
      if (wanted(*ys[i].node())) frontier.add(ys[i].node(), dys[i]);
    }
    while (!frontier.empty()) {
      auto [node, gradient] = frontier.take();
      op = node->op;
      gradient = as_own(std::move(gradient), create_graph);
      check_finite(gradient, [&at = *node] { return "the sum of finite gradients of " + name_of(at); });
      if (node->extras() != nullptr) [[unlikely]] {
        op = "a hook";
        gradient = as_own(run_hooks(*node, std::move(gradient)), create_graph);
        check_finite(gradient,
                     [&at = *node] { return "the gradient that hooks returned for " + name_of(at); });
        op = node->op;
      }
      if (!take(node, gradient) || node->is_leaf()) continue;

      Visit visit(*node, pass);
      std::uint64_t needs = 0;
      for (std::size_t i = 0; i < node->inputs.size() && i < 64; ++i) {
        if (node->inputs[i] && wanted(*node->inputs[i])) needs |= std::uint64_t{1} << i;
      }
      Grads grads = checked_apply(*node, std::move(gradient), Needs(needs));
      for (std::size_t i = 0; i < grads.size(); ++i) {
        if (grads[i].defined() && node->inputs[i] && wanted(*node->inputs[i]))
          frontier.add(node->inputs[i], std::move(grads[i]));
      }
      visit.finish();
    }
  } catch (...) {
    if (pass) pass->failed_in = op;
    throw;
  }
}

constinit std::mutex mutex_of_leaves;

}  // namespace

void raise_not_open(const Node& node) {
  check<GraphError>(
      node.state() == Node::State::freed,
      "backward: another thread's backward is freeing {}; pass {{.retain_graph = true}} to both", node.op);
  const char* failed_in = node.freed_by()->failed_in;
  check<GraphError>(
      failed_in == nullptr,
      "backward: an earlier backward over this graph failed in {} after it had freed {}; compute "
      "the graph anew, or pass {{.retain_graph = true}} there",
      failed_in, node.op);
  detail::raise<GraphError>(
      "backward: the graph of {} was already freed by an earlier backward; pass {{.retain_graph = true}} "
      "there",
      fmt::make_format_args(node.op));
}

std::mutex& leaf_mutex() { return mutex_of_leaves; }

const char* running_op() { return op_running; }

LeafGradients leaf_gradients(const Tensor& y, const Tensor& dy, bool retain_graph) {
  check_start("backward", "the tensor", y, dy);
  LeafGradients leaves;
  leaves.reserve(kUsualSize);
  run(
      std::span(&y, 1), std::span(&dy, 1), retain_graph, false, [](const Node&) { return true; },
      [&](const Ref<Node>& node, Tensor& gradient) {
        if (node->is_leaf()) {
          leaves.push_back({node, std::move(gradient)});
        } else if (node->extras() != nullptr && node->extras()->retains_grad) {
          leaves.push_back({node, pass_through("identity", gradient)});
        }
        return true;
      });
  return leaves;
}

void add(LeafGradients& total, LeafGradients&& part) {
  const NoGrad no_grad;
  LeafGradients sum;
  sum.reserve(total.size() + part.size());
  auto other = part.begin();
  const auto take_others_until = [&](std::uint64_t sequence) {
    while (other != part.end() && other->leaf->sequence > sequence) sum.push_back(std::move(*other++));
  };
  for (LeafGradient& entry : total) {
    take_others_until(entry.leaf->sequence);
    if (other != part.end() && other->leaf.get() == entry.leaf.get())
      accumulate(entry.gradient, std::move((other++)->gradient));
    sum.push_back(std::move(entry));
  }
  take_others_until(0);
  total = std::move(sum);
}

namespace {

Tensor& total_of(Node& node) {
  return node.is_leaf() ? static_cast<LeafNode&>(node).grad : node.extras()->grad;
}

}  // namespace

void add_to_leaves(LeafGradients&& gradients) {
  const std::lock_guard lock(mutex_of_leaves);
  const NoGrad no_grad;
  // This first loop does all that may throw, because memory may run out. It changes no grad().
  for (auto& [leaf, gradient, replaces] : gradients) {
    const Tensor& total = total_of(*leaf);
    replaces = !total.defined() || !total.is_unique();
    if (!replaces) {
      gradient.values().make(total.values().cheapest_layout());
    } else if (total.defined()) {
      accumulate(gradient, total);
    }
  }
  for (auto& [leaf, gradient, replaces] : gradients) {
    Tensor& total = total_of(*leaf);
    if (replaces) {
      total = std::move(gradient);
    } else {
      accumulate(total, std::move(gradient));
    }
  }
}

void check_output(const std::string& name, const Tensor& y, const Tensor& dy) {
  check_start("grad", name, y, dy);
}

Node* node_to_differentiate(const Tensor& x, std::size_t index) {
  if (!x.requires_grad()) [[unlikely]]
    throw GraphError(
        fmt::format("grad: input {}{} {} {}", index, in_brackets(x.name()), x.shape(), kNoGradient));
  return x.node().get();
}

void gradients_of(std::span<const Tensor> ys, std::span<const Tensor> dys, std::span<Node* const> asked,
                  std::span<Tensor> gradients, const GradientsOptions& options) {
  const bool freeing = !options.retain_graph && !options.create_graph;
  Reach reach(ys, asked, {.freeing = freeing, .outside = options.outside});
  run(
      ys, dys, options.retain_graph, options.create_graph,
      [&](const Node& node) { return reach.wants(node); },
      [&](const Ref<Node>& node, Tensor& gradient) {
        const bool goes_on = reach.advance_to(*node);
        for (const Reach::Asked* entry = reach.first_of(*node); entry != nullptr;) {
          const Reach::Asked* next = reach.next_of(entry);
          const bool is_last_use = next == nullptr && !goes_on;
          gradients[entry->index] =
              is_last_use ? std::move(gradient)  // NOLINT(bugprone-use-after-move): the loop ends then
                          : pass_through("identity", gradient);
          entry = next;
        }
        return goes_on;
      });
}

}  // namespace adjoint::engine
