#pragma once
// The graph: nodes, what they keep, and record(), by which every op, a user's own included, enters it.

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

/// The gradients a backward rule returns, one for each input of its op in order; an undefined one stands for
/// zero.
class Grads : public SmallArray<Tensor, 4> {
 public:
  template <class... Tensors>
  requires(std::convertible_to<Tensors, Tensor>&&...) Grads(Tensors&&... tensors)
      : SmallArray(sizeof...(tensors)) {  // NOLINT: `return {da, db};` is how rules end
    std::size_t i = 0;
    (((*this)[i++] = static_cast<Tensor>(std::forward<Tensors>(tensors))), ...);
  }
  /// For ops with any number of inputs: count undefined gradients, to be assigned.
  static Grads with_size(std::size_t count) { return Grads(Count{count}); }

 private:
  struct Count {
    std::size_t value;
  };
  explicit Grads(Count count) : SmallArray(count.value) {}
};

/// A backward pass, for later ones that come upon what it freed.
struct Pass : RefCounted, Recycled {
  static void destroy(Pass* pass) noexcept { delete pass; }
  std::atomic<const char*> failed_in = nullptr;  ///< The op whose rule threw, if one did.
};

/// Which inputs' gradients are wanted: a rule skips the others' work. needs[i] may be true without need from
/// i = 64 on.
class Needs {
 public:
  explicit Needs(std::uint64_t bits) : bits_(bits) {}
  bool operator[](std::size_t input) const { return input >= 64 || ((bits_ >> input) & 1) != 0; }

 private:
  std::uint64_t bits_;
};

/// A step of the computation graph: an op that was carried out on tensors of which at least one requires a
/// gradient, or a leaf.
class Node : public RefCounted, public Recycled {
 public:
  Node(const char* op, const Shape& shape, DType dtype, std::size_t inputs);
  Node(const Node&) = delete;
  virtual ~Node();
  static void destroy(Node* node) noexcept;

  /// The gradients of the inputs from dy, the gradient of this node's result.
  virtual Grads apply(Tensor dy, Needs needs) = 0;

  enum class State : std::uint8_t { open, claimed, freed };
  State state() const { return state_.load(std::memory_order_acquire); }
  /// For a pass that will free this node: from now on other passes, in other threads too, fail here. False
  /// unless it was open.
  bool claim();
  /// Undoes claim().
  void reopen() { state_.store(State::open, std::memory_order_release); }
  /// Frees what apply() needs, which cannot be called again, and the way to the inputs. To be claimed before.
  void free(const Ref<Pass>& by);
  /// The pass that has freed this.
  const Ref<Pass>& freed_by() const { return freed_by_; }

  bool is_leaf() const { return inputs.size() == 0; }

  const char* const op;          ///< "" for a leaf.
  const std::uint64_t sequence;  ///< Later nodes have larger numbers, so a node's inputs have smaller ones.
  const Shape shape;             ///< Of the result and its gradient.
  const DType dtype;
  SmallArray<Ref<Node>, 3> inputs;               ///< Null where no gradient is wanted.
  std::atomic<std::uint32_t> backward_slot = 0;  ///< A hint for the backward pass, see engine.cpp.

 protected:
  virtual void free_rule() = 0;

 private:
  std::atomic<State> state_ = State::open;
  Node* next_to_destroy_ = nullptr;
  Ref<Pass> freed_by_;
};

/// Nodes alive in the process: zero when every graph and parameter is gone.
std::int64_t live_nodes();

/// What a leaf has beside its values. A constant gets one only when it needs it.
class LeafNode final : public Node {
 public:
  LeafNode(const Shape& shape, DType dtype) : Node("", shape, dtype, 0) {}
  Grads apply(Tensor, Needs) override { return {}; }

  Tensor grad;
  std::string name;
  /// Memory that data() has handed out and that an update then left behind, because it was shared.
  std::vector<Ref<Buffer>, BlockAllocator<Ref<Buffer>>> left_behind;

 private:
  void free_rule() override {}
};

/// A tensor kept by a backward rule. Reading it throws GraphError when it is a leaf that has been updated
/// since. Keep only what the rule will read: Saved(x, b.requires_grad()) is undefined where it is not wanted.
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

/// An input of an op, as record() takes it: a reference to a tensor that has a name.
struct Input {
  Input(const Tensor& tensor) : tensor(&tensor) {}  // NOLINT: record(..., {a, b}, ...)
  Input(const Tensor&&) = delete;
  const Tensor* tensor;
};

namespace detail {

template <class Rule>
concept RuleOfInputs = std::is_invocable_r_v<Grads, Rule&, Tensor, Needs>;
/// A rule that also wants y, the op's result. It must not capture y itself: the graph would own itself and
/// never be freed.
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

/// The tensor with these values, computed by op from inputs. When recording is on and an input requires a
/// gradient, the rule is kept to compute the inputs' gradients from dy, the result's:
///
///     record("mul", values, {a, b}, [a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Grads {
///       return {needs[0] ? dy * b : Tensor{}, needs[1] ? dy * a : Tensor{}};
///     });
///
/// A rule is written with ops, so that gradients can be differentiated again, and keeps tensors as Saved. A
/// rule with three parameters (dy, y, needs) is also given the op's result y. op is a string literal.
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

/// The result of an op that has nothing to do: x's values, in a tensor of its own, so that writing to either
/// leaves the other as it is. Nothing is copied, and what nobody can write to, an op's result or a temporary,
/// comes back as it is.
Tensor pass_through(const char* op, Tensor x);

}  // namespace adjoint
