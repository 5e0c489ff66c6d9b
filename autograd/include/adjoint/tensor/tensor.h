#pragma once
// Tensor: the one value type of the library.

#include <iosfwd>
#include <span>
#include <string>

#include "adjoint/memory/ref.h"
#include "adjoint/tensor/check.h"
#include "adjoint/tensor/dtype.h"
#include "adjoint/tensor/shape.h"
#include "adjoint/tensor/values.h"

namespace adjoint {

class LeafNode;
class Node;

namespace detail {

/// What tensors refer to.
struct TensorBody final : RefCounted, Recycled {
  TensorBody(Values&& values, Ref<Node>&& node);
  ~TensorBody();
  static void destroy(TensorBody* body) noexcept;

  /// The row-major values in memory that no other tensor shares, to be overwritten. Memory that was handed
  /// out is kept when it is left behind; a later update uses it again once nobody else shares it, so there
  /// is at most one piece of it for each tensor that shared memory at the same time.
  void* own_row_major();
  /// The leaf's own node, made when it is first asked for.
  LeafNode& leaf();

  bool requires_grad : 1;
  std::uint32_t version : 31 = 0;  ///< Updates of a leaf so far.
  Values values;
  Ref<Node> node;  ///< The op that computed the values, or the leaf's own; null for most constants.
};

}  // namespace detail

struct BackwardOptions {
  bool retain_graph = false;  ///< Keep the graph for another backward.
};

/// A cheap shared handle to a row-major array of float32, float64 or int64, and to the op that computed it
/// when something it was computed from wants a gradient. Values never change once made; the one exception is
/// a leaf's update by an optimizer, through mutable_data() or assign(). Tensors may share memory, but an
/// update of one never shows in another.
///
/// What refers into a tensor (data(), shape(), values(), ...) lives as long as the tensor. Of a temporary, it
/// comes as a copy or does not compile: give the tensor a name first.
class Tensor {
 public:
  /// An undefined tensor; every use but defined(), assignment and destruction throws Error.
  Tensor() = default;
  /// A constant with these values.
  explicit Tensor(Values values);
  /// A tensor computed by node; for record(), see autograd/include/adjoint/graph/node.h.
  Tensor(Values&& values, Ref<Node> node);

  bool defined() const { return static_cast<bool>(body_); }
  const Shape& shape() const& { return values().shape(); }
  Shape shape() const&& { return values().shape(); }
  /// Size of an axis, negative axes counted from the end. Throws ShapeError when out of range.
  std::int64_t size(int axis) const { return shape()[axis]; }
  int rank() const { return shape().rank(); }
  std::int64_t numel() const { return shape().numel(); }
  DType dtype() const { return values().dtype(); }

  /// All values, row-major. T is float, double or std::int64_t; throws DTypeError unless it is that of
  /// dtype(). The span is valid while this tensor, or another handle to it, lives. After an update it shows
  /// the values from before or those from after it.
  template <class T>
  std::span<const T> data() const& {
    if (dtype() != dtype_of<T>) [[unlikely]]
      raise_dtype("data", dtype_of<T>);
    return {static_cast<const T*>(values().hand_out()), static_cast<std::size_t>(numel())};
  }
  /// The span would outlive the values: `const Tensor y = softmax(x);` first, then `y.data<float>()`.
  template <class T>
  std::span<const T> data() const&& = delete;
  /// The only value of a one-element tensor. Throws ShapeError when there are more or none.
  double item() const;
  /// The same values in another element type; differentiable between floating types. To int64, fractions are
  /// cut off; throws Error where a value is NaN or not in [-2^63, 2^63).
  Tensor to(DType dtype) const;

  /// True when gradients flow to or through this tensor.
  bool requires_grad() const { return body_ && body_->requires_grad; }
  /// Makes a leaf one that gradients are kept for, or no longer; returns *this. Without, grad() is undefined;
  /// it comes back with it, and graphs recorded before still lead to the leaf. Throws GraphError on an op's
  /// result, DTypeError on int64.
  Tensor& set_requires_grad(bool requires_grad = true);
  /// True unless an op on tensors that require a gradient computed this.
  bool is_leaf() const;
  /// Name of the op that computed this, "" for a leaf.
  const char* op() const;

  /// The gradient that backward() has accumulated; undefined before. Throws GraphError on an op's result: ask
  /// grad() there.
  Tensor grad() const;
  /// Forgets the gradient.
  void zero_grad();
  /// The same values (shared, not copied) outside any graph.
  Tensor detach() const;

  /// Adds d(this)/d(leaf) to the grad() of every leaf this was computed from, and frees the graph unless it
  /// is retained. Throws GraphError when this requires no gradient, is no single number, or its graph was
  /// already freed. Gradients are constants here: those that shall be differentiated come from
  /// grad(y, x, {.create_graph = true}), which stores nothing in leaves, so that no graph can own itself.
  ///
  /// Threads may go backward over graphs that share a part when all of them retain it. Of two that free it,
  /// one throws GraphError where the other has been; one that frees it beside one that retains it may crash.
  ///
  /// When a backward rule throws or memory runs out, no grad() has changed, and the part of the graph that
  /// was already visited is freed unless it is retained: a later backward over it throws GraphError and says
  /// so.
  void backward(const BackwardOptions& options = {}) const;
  /// The same for sum(this * gradient); gradient has this tensor's shape and dtype.
  void backward(const Tensor& gradient, const BackwardOptions& options = {}) const;

  /// A leaf's name, shown in error messages, such as "conv1.weight"; "" when it has none. Throws GraphError
  /// when an op's result is to be given one.
  const std::string& name() const&;
  std::string name() const&& { return name(); }
  void set_name(std::string name);

  /// The values of a leaf, to be overwritten: for optimizers. Graphs that still need the old values notice
  /// and throw. Copies first when the memory is shared with another tensor. The span is valid as that of
  /// data(), but is there to be written to at once: after the tensor's next use ask again, since from then on
  /// others may share the memory. Throws GraphError on an op's result, DTypeError as data().
  template <class T>
  std::span<T> mutable_data() & {
    if (dtype() != dtype_of<T>) [[unlikely]]
      raise_dtype("mutable_data", dtype_of<T>);
    auto* values = static_cast<T*>(start_update());
    body_->values.hand_out();
    return {values, static_cast<std::size_t>(numel())};
  }
  /// As for data(): `Tensor w = layer.weight();` first, then `w.mutable_data<float>()`.
  template <class T>
  std::span<T> mutable_data() && = delete;
  /// Gives a leaf the values of another tensor of its shape and dtype. Throws as mutable_data, and
  /// ShapeError.
  void assign(const Tensor& source);

  /// True when both are handles to the same tensor.
  bool is_same(const Tensor& other) const { return body_.get() == other.body_.get(); }

  // For op writers.

  const Values& values() const& { return body().values; }
  Values values() const&& { return body().values; }
  /// How often a leaf has been updated.
  std::uint32_t version() const { return body().version; }
  /// The op that computed this or a leaf's own node; gradients go to it only while requires_grad().
  const Ref<Node>& node() const& { return body().node; }
  Ref<Node> node() const&&;
  /// True when this is the only handle to the tensor.
  bool is_only_handle() const { return body().is_unique(); }
  /// True when this is the only handle, to memory that nobody else shares.
  bool is_unique() const { return body().is_unique() && body_->values.is_unique(); }
  /// mutable_data() of any dtype, for use before anything else happens to the tensor: the memory is not kept
  /// when a later update leaves it behind.
  void* start_update();
  /// Allocates what start_update() would, which then cannot throw, for those who update several tensors or
  /// none. Changes neither values nor version(). This must be a leaf.
  void prepare_update() { body().own_row_major(); }
  /// The same for assign(source).
  void prepare_assign(const Tensor& source);

 private:
  detail::TensorBody& body() const {
    check(defined(), "tensor: it is undefined; nothing was assigned to it");
    return *body_;
  }
  [[noreturn]] void raise_dtype(const char* caller, DType asked) const;

  Ref<detail::TensorBody> body_;
};

/// A tensor's name as messages show it behind an argument: " (conv1.weight)", nothing when there is none.
inline std::string in_brackets(const std::string& name) { return name.empty() ? name : " (" + name + ")"; }

struct PrintOptions {
  int digits = 7;  ///< Significant digits of floating numbers, 1 to 17; 17 tell all float64 apart.
  std::int64_t elements = 1000;  ///< About how many elements are shown at most.
};

/// What a person wants to see: shape, dtype, the op that made it, and the values. Axes of more than 8
/// elements show their first and last 3; where that would still be more than options.elements in all, axes of
/// more than 5 show 2 and 2, and if need be axes of more than 2 show 1 and 1. Throws Error when an option is
/// out of range.
std::string to_string(const Tensor& tensor, const PrintOptions& options = {});
/// With the default options.
std::ostream& operator<<(std::ostream& stream, const Tensor& tensor);

}  // namespace adjoint
