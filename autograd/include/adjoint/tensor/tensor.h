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

/// The object that tensors refer to.
struct TensorBody final : RefCounted, Recycled {
  TensorBody(Values&& values, Ref<Node>&& node);
  ~TensorBody();
  static void destroy(TensorBody* body) noexcept;

  /// Returns the row-major values, to be overwritten, in memory that no other tensor shares. If memory that
  /// was handed out is replaced, it is kept. A later update uses it again when no other tensor shares it any
  /// more. So the number of kept pieces is at most the number of tensors that shared memory at the same time.
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

/// A shared handle to a row-major array of float32, float64, int64 or boolean; copies are cheap. If the array
/// was computed from a tensor that requires a gradient, the handle also refers to the op that computed it.
/// Values never change after they are made, with one exception: an optimizer updates a leaf, through
/// mutable_data() or assign(). Tensors may share memory, but an update of one never changes another.
///
/// References and spans into a tensor (data(), shape(), values(), ...) are valid as long as the tensor
/// exists. On a temporary, such a call returns a copy or does not compile: give the tensor a name first.
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

  /// All values, row-major. T is float, double, std::int64_t or bool; throws DTypeError unless T is the
  /// type of dtype(). The span is valid while this tensor, or another handle to it, exists. After an update,
  /// it shows either the old or the new values.
  template <class T>
  std::span<const T> data() const& {
    if (dtype() != dtype_of<T>) [[unlikely]]
      raise_dtype("data", dtype_of<T>);
    return {static_cast<const T*>(values().hand_out()), static_cast<std::size_t>(numel())};
  }
  /// Deleted for temporaries, because the span would outlive the values. Write `const Tensor y = softmax(x);`
  /// first, then `y.data<float>()`.
  template <class T>
  std::span<const T> data() const&& = delete;
  /// The only value of a one-element tensor; 1 for true, 0 for false. Throws ShapeError when there are more
  /// elements or none.
  double item() const;
  /// The same values in another element type; differentiable between floating types. A conversion to int64
  /// cuts off fractions, and throws Error if a value is NaN or not in [-2^63, 2^63). To boolean, every number
  /// but 0 is true; true becomes 1.
  Tensor to(DType dtype) const;

  /// True when gradients flow to or through this tensor.
  bool requires_grad() const { return body_ && body_->requires_grad; }
  /// Sets whether a leaf requires a gradient, and returns *this. While it requires none, grad() is undefined.
  /// When it requires one again, grad() is what it was, and graphs recorded earlier still lead to the leaf.
  /// Throws GraphError on an op's result, and DTypeError if an int64 or boolean tensor is to require a
  /// gradient.
  Tensor& set_requires_grad(bool requires_grad = true);
  /// True unless a recorded op computed this.
  bool is_leaf() const;
  /// Name of the op that computed this, "" for a leaf.
  const char* op() const;

  /// The gradient that backward() has accumulated; undefined before the first backward(). Throws GraphError
  /// on an op's result that does not retain it: use the function grad(y, x), or retain_grad().
  Tensor grad() const;
  /// From now on, backward() also accumulates the gradient of this op's result in its grad(). Does nothing on
  /// a leaf. Throws GraphError when this requires no gradient.
  const Tensor& retain_grad() const&;
  /// Makes grad() undefined. Throws as grad().
  void zero_grad();
  /// The same values (shared, not copied) outside any graph.
  Tensor detach() const;

  /// Adds d(this)/d(leaf) to the grad() of every leaf from which this was computed, and frees the graph
  /// unless it is retained. Throws ShapeError when this is not a single number, and GraphError when it
  /// requires no gradient or its graph was already freed. The gradients are constants. Gradients that can be
  /// differentiated come from grad(y, x, {.create_graph = true}). That function stores nothing in leaves, so
  /// no graph can own itself.
  ///
  /// Several threads may run backward over graphs that share a part if all of them retain it. If two of them
  /// free it, one throws GraphError at a node that the other has visited. If one frees it and another retains
  /// it, the program may crash.
  ///
  /// When a backward rule throws or memory runs out, no grad() has changed. The part of the graph that was
  /// already visited is freed, unless it is retained. A later backward over this part throws a GraphError
  /// that says so.
  void backward(const BackwardOptions& options = {}) const;
  /// The same for sum(this * gradient). Throws ShapeError or DTypeError unless gradient has this tensor's
  /// shape and dtype.
  void backward(const Tensor& gradient, const BackwardOptions& options = {}) const;

  /// The name of a leaf, such as "conv1.weight", which error messages show; "" if it has none. set_name()
  /// throws GraphError on an op's result.
  const std::string& name() const&;
  std::string name() const&& { return name(); }
  void set_name(std::string name);

  /// The values of a leaf, to be overwritten by optimizers. Graphs that still need the old values notice the
  /// change and throw GraphError. If another tensor shares the memory, the values are copied first. The span
  /// is valid as long as that of data(), but write to it at once: after the next use of the tensor, other
  /// tensors may share the memory, so call mutable_data() again. Throws GraphError on an op's result, and
  /// DTypeError as data().
  template <class T>
  std::span<T> mutable_data() & {
    if (dtype() != dtype_of<T>) [[unlikely]]
      raise_dtype("mutable_data", dtype_of<T>);
    auto* values = static_cast<T*>(start_update());
    body_->values.hand_out();
    return {values, static_cast<std::size_t>(numel())};
  }
  /// Deleted for temporaries, as for data(). Write `Tensor w = layer.weight();` first, then
  /// `w.mutable_data<float>()`.
  template <class T>
  std::span<T> mutable_data() && = delete;
  /// Gives a leaf the values of source. Throws GraphError on an op's result, and ShapeError or DTypeError
  /// unless source has this tensor's shape and dtype.
  void assign(const Tensor& source);

  /// True when both are handles to the same tensor.
  bool is_same(const Tensor& other) const { return body_.get() == other.body_.get(); }

  // For op writers.

  const Values& values() const& { return body().values; }
  Values values() const&& { return body().values; }
  /// The number of updates of a leaf.
  std::uint32_t version() const { return body().version; }
  /// The node of the op that computed this, or a leaf's own node. Ops record it as an input only while
  /// requires_grad().
  const Ref<Node>& node() const& { return body().node; }
  Ref<Node> node() const&&;
  /// True when this is the only handle to the tensor.
  bool is_only_handle() const { return body().is_unique(); }
  /// True when this is the only handle, and values().is_unique().
  bool is_unique() const { return body().is_unique() && body_->values.is_unique(); }
  /// mutable_data() for any dtype. The pointer is valid only until the next use of the tensor: this memory is
  /// not kept when a later update replaces it.
  void* start_update();
  /// Allocates the memory that start_update() needs, which then cannot throw. For code that must update
  /// either all of several tensors or none. Changes neither the values nor version(). This must be a leaf.
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

/// A tensor's name as messages show it after an argument: " (conv1.weight)", or "" if it has none.
inline std::string in_brackets(const std::string& name) { return name.empty() ? name : " (" + name + ")"; }

struct PrintOptions {
  int digits = 7;  ///< Significant digits of floating numbers, 1 to 17; 17 distinguish all float64.
  std::int64_t elements = 1000;  ///< The approximate limit on the elements that are shown.
};

/// A text for people: shape, dtype, the op that computed the tensor, and the values. An axis of more than 8
/// elements shows its first 3 and last 3. If this gives more than options.elements in total, an axis of more
/// than 5 elements shows 2 and 2. If this is still too many, an axis of more than 2 elements shows 1 and 1.
/// Throws Error when an option is out of range.
std::string to_string(const Tensor& tensor, const PrintOptions& options = {});
/// With the default options.
std::ostream& operator<<(std::ostream& stream, const Tensor& tensor);

}  // namespace adjoint
