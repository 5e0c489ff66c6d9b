#include "adjoint/graph/checkpoint.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "adjoint/graph/grad_mode.h"
#include "adjoint/graph/node.h"
#include "autograd/graph/arguments.h"
#include "autograd/graph/engine.h"
#include "autograd/graph/reach.h"
#include "autograd/graph/rng_scope.h"

namespace adjoint {
namespace {

constinit thread_local bool recomputing = false;

struct Recomputing {
  Recomputing() : before(std::exchange(recomputing, true)) {}
  Recomputing(const Recomputing&) = delete;
  Recomputing& operator=(const Recomputing&) = delete;
  ~Recomputing() { recomputing = before; }
  bool before;
};

using Nodes = engine::RecycledVector<Ref<Node>>;

/// A call of f whose graph ends at the arguments, and at the nodes of other tensors that f uses.
struct Call {
  Call(const TensorFunction& f, std::span<const Tensor> inputs, bool connected) {
    const GradMode recording(true);
    for (const Tensor& input : inputs)
      arguments.push_back(input.requires_grad() ? engine::as_argument(input, connected) : input);
    start = LeafNode(Shape{}, DType::float32).sequence;
    y = f(arguments);
    if (y.requires_grad()) find_captured();
  }

  std::vector<Tensor> arguments;
  std::uint64_t start;  ///< Nodes of the call have larger sequence numbers.
  Tensor y;
  Nodes captured;  ///< By decreasing sequence number.

 private:
  /// The call's own nodes were just made in this thread, so no other thread can free them.
  void find_captured() {
    const auto is_earlier = [](const Ref<Node>& a, const Ref<Node>& b) { return a->sequence < b->sequence; };
    Nodes waiting = {y.node()};
    Ref<Node> last;
    while (!waiting.empty()) {
      std::pop_heap(waiting.begin(), waiting.end(), is_earlier);
      const Ref<Node> node = std::move(waiting.back());
      waiting.pop_back();
      if (node.get() == std::exchange(last, node).get()) continue;
      if (node->sequence < start) {
        if (!is_argument(node)) captured.push_back(node);
        continue;
      }
      for (const Ref<Node>& input : node->inputs) {
        if (!input) continue;
        waiting.push_back(input);
        std::push_heap(waiting.begin(), waiting.end(), is_earlier);
      }
    }
  }
  bool is_argument(const Ref<Node>& node) const {
    return std::ranges::any_of(arguments, [&](const Tensor& a) { return a.node().get() == node.get(); });
  }
};

/// The backward rule. The inputs of its node are the inputs of the call, and then the captured nodes.
struct CallAgain {
  TensorFunction f;
  Rng rng;
  std::vector<Saved> inputs;
  Nodes captured;

  Grads operator()(const Tensor& dy, Needs needs) const {
    const bool create_graph = grad_enabled();
    const std::vector<Tensor> values(inputs.begin(), inputs.end());
    const Call call = [&] {
      const RngScope same_numbers(rng);
      const Recomputing flag;
      return Call(f, values, create_graph);
    }();
    check_same(call, dy);
    engine::RecycledVector<Node*> asked;
    engine::RecycledVector<std::size_t> places;
    const auto ask = [&](std::size_t i, Node* node) {
      if (!needs[i]) return;
      asked.push_back(node);
      places.push_back(i);
    };
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (values[i].requires_grad()) ask(i, call.arguments[i].node().get());
    }
    for (std::size_t i = 0; i < captured.size(); ++i) ask(inputs.size() + i, captured[i].get());
    engine::RecycledVector<Tensor> found(asked.size());
    engine::gradients_of(std::span(&call.y, 1), std::span(&dy, 1), asked, found,
                         {.create_graph = create_graph, .outside = call.start});
    Grads grads = Grads::with_size(inputs.size() + captured.size());
    for (std::size_t i = 0; i < places.size(); ++i) grads[places[i]] = std::move(found[i]);
    return grads;
  }

  void check_same(const Call& call, const Tensor& dy) const {
    check<GraphError>(call.y.shape() == dy.shape() && call.y.dtype() == dy.dtype(),
                      "checkpoint: f must compute the same each time; it returned a {} {}, then a {} {}",
                      dy.dtype(), dy.shape(), call.y.dtype(), call.y.shape());
    const bool same = std::ranges::equal(call.captured, captured, {}, &Ref<Node>::get, &Ref<Node>::get);
    check<GraphError>(same && call.y.requires_grad(),
                      "checkpoint: f must compute the same each time; in backward it used other tensors that "
                      "require gradients");
  }
};

}  // namespace

bool is_recomputing() { return recomputing; }

Tensor checkpoint(const TensorFunction& f, std::span<const Tensor> inputs) {
  if (!grad_enabled()) return f(inputs);
  CallAgain rule{f, default_rng(), {}, {}};
  Call call(f, inputs, false);
  const auto requires_grad = [](const Tensor& input) { return input.requires_grad(); };
  if (!call.y.requires_grad() || (call.captured.empty() && std::ranges::none_of(inputs, requires_grad)))
    return call.y;
  for (const Tensor& input : inputs) rule.inputs.emplace_back(input);
  rule.captured = call.captured;
  auto* node = new detail::OpNode<CallAgain>("checkpoint", call.y.values(),
                                             inputs.size() + call.captured.size(), std::move(rule));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].requires_grad()) node->inputs[i] = inputs[i].node();
  }
  for (std::size_t i = 0; i < call.captured.size(); ++i) node->inputs[inputs.size() + i] = call.captured[i];
  return Tensor(Values(call.y.values()), Ref<Node>(node));
}

Tensor checkpoint(const TensorFunction& f, std::initializer_list<Tensor> inputs) {
  return checkpoint(f, std::span(inputs.begin(), inputs.size()));
}

}  // namespace adjoint
