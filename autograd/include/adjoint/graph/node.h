#pragma once
// The graph: its nodes, the tensors that they keep, and record(), which adds an op to the graph. Every op
// calls it, your own included.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "adjoint/graph/grad_mode.h"
#include "adjoint/memory/small_array.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// The result of a backward rule: one gradient for each input of its op, in order. An undefined tensor stands
/// for zero.
class Grads : public SmallArray<Tensor, 4> {
 public:
  template <class... Tensors>
  requires(std::convertible_to<Tensors, Tensor>&&...) Grads(Tensors&&... tensors)
      : SmallArray(sizeof...(tensors)) {  // NOLINT: `return {da, db};` is how rules end
    std::size_t i = 0;
    (((*this)[i++] = static_cast<Tensor>(std::forward<Tensors>(tensors))), ...);
  }
  /// `count` undefined gradients, to be assigned later. For ops with any number of inputs.
  static Grads with_size(std::size_t count) { return Grads(Count{count}); }

 private:
  struct Count {
    std::size_t value;
  };
  explicit Grads(Count count) : SmallArray(count.value) {}
};

/// A backward pass that frees nodes. Later passes that reach a freed node read this object for their error
/// message.
struct Pass : RefCounted, Recycled {
  static void destroy(Pass* pass) noexcept { delete pass; }
  std::atomic<const char*> failed_in = nullptr;  ///< The op whose rule threw, if one did.
};

/// Which inputs need a gradient. A rule skips the work for the others. For i >= 64, needs[i] is always true.
class Needs {
 public:
  explicit Needs(std::uint64_t bits) : bits_(bits) {}
  bool operator[](std::size_t input) const { return input >= 64 || ((bits_ >> input) & 1) != 0; }

 private:
  std::uint64_t bits_;
};

namespace detail {
struct NodeExtras;
}

/// A node of the computation graph: a leaf, or a recorded op with at least one input that requires a
/// gradient.
class Node : public RefCounted, public Recycled {
 public:
  Node(const char* op, const Shape& shape, DType dtype, std::size_t inputs);
  Node(const Node&) = delete;
  virtual ~Node();
  static void destroy(Node* node) noexcept;

  /// Computes the gradients of the inputs from dy, the gradient of this node's result.
  virtual Grads apply(Tensor dy, Needs needs) = 0;

  enum class State : std::uint8_t { open, claimed, freed };
  State state() const { return state_.load(std::memory_order_acquire); }
  /// Called by a pass that will free this node. From then on, all other passes fail at this node, in other
  /// threads, too. Returns false, and changes nothing, unless the node was open.
  bool claim();
  /// Undoes claim().
  void reopen() { state_.store(State::open, std::memory_order_release); }
  /// Frees the rule and the references to the inputs. apply() cannot be called afterwards. The node must have
  /// been claimed.
  void free(const Ref<Pass>& by);
  /// The pass that freed this node.
  const Ref<Pass>& freed_by() const { return freed_by_; }

  bool is_leaf() const { return inputs.size() == 0; }

  /// Hooks and a result's own gradient; null for most nodes.
  detail::NodeExtras* extras() const { return extras_.load(std::memory_order_acquire); }
  /// The same, made when it is first asked for. The mutex of the leaves must be locked.
  detail::NodeExtras& make_extras();

  const char* const op;          ///< "" for a leaf.
  const std::uint64_t sequence;  ///< Later nodes have larger numbers, so a node's inputs have smaller ones.
  const Shape shape;             ///< Of the result and its gradient.
  const DType dtype;
  SmallArray<Ref<Node>, 3> inputs;               ///< Null for inputs that require no gradient.
  std::atomic<std::uint32_t> backward_slot = 0;  ///< A hint for the backward pass, see engine.cpp.

 protected:
  virtual void free_rule() = 0;

 private:
  std::atomic<State> state_ = State::open;
  Node* next_to_destroy_ = nullptr;
  Ref<Pass> freed_by_;
  std::atomic<detail::NodeExtras*> extras_ = nullptr;
};

/// The number of nodes in the process: 0 when all graphs and parameters have been destroyed.
std::int64_t live_nodes();

/// The data of a leaf apart from its values. A constant gets a LeafNode only when it needs one.
class LeafNode final : public Node {
 public:
  LeafNode(const Shape& shape, DType dtype) : Node("", shape, dtype, 0) {}
  Grads apply(Tensor, Needs) override { return {}; }

  Tensor grad;
  std::string name;
  /// Memory that data() handed out and that an update then replaced, because other tensors shared it.
  std::vector<Ref<Buffer>, BlockAllocator<Ref<Buffer>>> left_behind;

 private:
  void free_rule() override {}
};

/// A tensor that a backward rule keeps. Reading it throws GraphError if it is a leaf that has been updated
/// since. Keep only tensors that the rule will read: Saved(x, b.requires_grad()) is undefined if b requires
/// no gradient.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& tensor, bool wanted = true) {
    if (!wanted) return;
    tensor_ = tensor;
    version_ = tensor.version();
  }
  operator const Tensor&() const& {  // NOLINT: a rule uses it like the tensor it is
    if (tensor_.defined() && tensor_.version() != version_) [[unlikely]]
      raise_changed();
    return tensor_;
  }
  operator const Tensor&() const&& = delete;

 private:
  [[noreturn]] void raise_changed() const;
  Tensor tensor_;
  std::uint32_t version_ = 0;
};

/// An input of an op, for record(): a reference to a tensor that is not a temporary.
struct Input {
  Input(const Tensor& tensor) : tensor(&tensor) {}  // NOLINT: record(..., {a, b}, ...)
  Input(const Tensor&&) = delete;
  const Tensor* tensor;
};

namespace detail {

template <class Rule>
concept RuleOfInputs = std::is_invocable_r_v<Grads, Rule&, Tensor, Needs>;
/// A rule that also takes y, the op's result. It must not capture y: the graph would own itself and never be
/// freed.
template <class Rule>
concept RuleOfResult = std::is_invocable_r_v<Grads, Rule&, Tensor, const Tensor&, Needs>;

template <class Rule>
class OpNode final : public Node {
 public:
  template <class R>
  OpNode(const char* op, const Values& result, std::size_t inputs, R&& rule)
      : Node(op, result.shape(), result.dtype(), inputs), rule_(std::forward<R>(rule)) {
    if constexpr (RuleOfResult<Rule>) result_ = result;
  }
  Grads apply(Tensor dy, Needs needs) override {
    if constexpr (RuleOfResult<Rule>) {
      return (*rule_)(std::move(dy), Tensor(Values(result_), Ref<Node>(this)), needs);
    } else {
      return (*rule_)(std::move(dy), needs);
    }
  }

 private:
  struct Nothing {};
  void free_rule() override {
    rule_.reset();
    result_ = {};
  }
  std::optional<Rule> rule_;
  [[no_unique_address]] std::conditional_t<RuleOfResult<Rule>, Values, Nothing> result_;
};

bool any_requires_grad(std::span<const Input> inputs);
Tensor attach(Values&& values, Node* node, std::span<const Input> inputs);

}  // namespace detail

/// Returns a tensor with these values, which op computed from inputs. If recording is on and an input
/// requires a gradient, the graph keeps the rule. The rule computes the inputs' gradients from dy, the
/// gradient of the result:
///
///     record("mul", values, {a, b}, [a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Grads {
///       return {needs[0] ? dy * b : Tensor{}, needs[1] ? dy * a : Tensor{}};
///     });
///
/// A rule consists of ops, so that gradients can be differentiated again. It keeps tensors as Saved. A rule
/// with three parameters (dy, y, needs) also gets y, the op's result. op must be a string literal.
template <class Rule>
requires detail::RuleOfInputs<std::decay_t<Rule>> || detail::RuleOfResult<std::decay_t<Rule>> Tensor
record(const char* op, Values values, std::span<const Input> inputs, Rule&& rule) {
  if (!grad_enabled() || !detail::any_requires_grad(inputs)) return Tensor(std::move(values), Ref<Node>());
  auto* node = new detail::OpNode<std::decay_t<Rule>>(op, values, inputs.size(), std::forward<Rule>(rule));
  return detail::attach(std::move(values), node, inputs);
}
template <class Rule>
Tensor record(const char* op, Values values, std::initializer_list<Input> inputs, Rule&& rule) {
  return record(op, std::move(values), std::span(inputs.begin(), inputs.size()), std::forward<Rule>(rule));
}

/// The result of an op that has nothing to compute: a new tensor with x's values. Writing to one of the two
/// tensors does not change the other. No values are copied. If no other code can write to x, because it is an
/// op's result or a temporary, x itself is returned.
Tensor pass_through(const char* op, Tensor x);

}  // namespace adjoint
