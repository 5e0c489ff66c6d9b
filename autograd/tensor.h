#pragma once
// Tensor: the one value type of the library.

#include <iosfwd>
#include <span>
#include <string>

#include "autograd/check.h"
#include "autograd/dtype.h"
#include "autograd/ref.h"
#include "autograd/shape.h"
#include "autograd/values.h"

namespace adjoint {

class Node;
class Tensor;

namespace detail {

/// What tensors refer to.
struct TensorBody final : RefCounted, Pooled {
  TensorBody(Values values, Ref<Node> node);
  ~TensorBody();
  static void destroy(TensorBody* body) noexcept;

  Values values;
  Ref<Node> node;  ///< The op that computed the values, or the leaf's own; null when no gradient is wanted.
  std::uint32_t version = 0;  ///< Updates of a leaf so far.
};

}  // namespace detail

/// How backward() and grad() treat the graph they run through.
struct BackwardOptions {
  bool retain_graph = false;  ///< Keep the graph for another backward; implied by create_graph.
  bool create_graph = false;  ///< Record the gradients' own computation, so that they can be differentiated.
};

/// A cheap shared handle to a row-major array of float32, float64 or int64, and to the op that computed it
/// when something it was computed from wants a gradient. Values never change once made; the one exception is
/// a leaf's update by an optimiser, through mutable_data() or assign().
class Tensor {
 public:
  /// An undefined tensor; every use but defined(), assignment and destruction throws Error.
  Tensor() = default;
  /// A constant with these values.
  explicit Tensor(Values values);
  /// A tensor computed by node; for record(), see autograd/node.h.
  Tensor(Values values, Ref<Node> node);

  bool defined() const { return static_cast<bool>(body_); }
  const Shape& shape() const { return values().shape(); }
  /// Size of an axis, negative axes counted from the end. Throws ShapeError when out of range.
  std::int64_t size(int axis) const { return shape()[axis]; }
  int rank() const { return shape().rank(); }
  std::int64_t numel() const { return shape().numel(); }
  DType dtype() const { return values().dtype(); }

  /// All values, row-major. T is float, double or std::int64_t; throws DTypeError unless it is that of
  /// dtype(). The span is valid while this tensor, or another handle to it, lives.
  template <class T>
  std::span<const T> data() const {
    check<DTypeError>(dtype() == dtype_of<T>, "data: the tensor is {}, not {}", dtype(), dtype_of<T>);
    return {values().template rows<T>(), static_cast<std::size_t>(numel())};
  }
  /// The only value of a one-element tensor. Throws ShapeError when there are more or none.
  double item() const;
  /// The same values in another element type; differentiable between floating types. To int64, fractions are
  /// cut off; throws Error where a value is NaN or not in [-2^63, 2^63).
  Tensor to(DType dtype) const;

  /// True when gradients flow to or through this tensor.
  bool requires_grad() const { return body_ && body_->node; }
  /// Makes a leaf one that gradients are kept for, or no longer; returns *this. Throws GraphError on an op's
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
  /// already freed.
  void backward(const BackwardOptions& options = {}) const;
  /// The same for sum(this * gradient); gradient has this tensor's shape and dtype.
  void backward(const Tensor& gradient, const BackwardOptions& options = {}) const;

  /// Name shown in error messages, such as "conv1.weight"; kept for leaves that require a gradient.
  const std::string& name() const;
  void set_name(std::string name);

  /// The values of a leaf, to be overwritten: for optimisers. Graphs that still need the old values notice
  /// and throw. Copies first when the memory is shared with another tensor. Throws GraphError on an op's
  /// result, DTypeError as data().
  template <class T>
  std::span<T> mutable_data() {
    check<DTypeError>(dtype() == dtype_of<T>, "mutable_data: the tensor is {}, not {}", dtype(), dtype_of<T>);
    return {static_cast<T*>(start_update()), static_cast<std::size_t>(numel())};
  }
  /// Gives a leaf the values of another tensor of its shape and dtype, sharing memory. Throws as
  /// mutable_data, and ShapeError.
  void assign(const Tensor& source);

  /// True when both are handles to the same tensor.
  bool is_same(const Tensor& other) const { return body_.get() == other.body_.get(); }

  // For op writers.

  const Values& values() const { return body().values; }
  /// How often a leaf has been updated.
  std::uint32_t version() const { return body().version; }
  const Ref<Node>& node() const { return body().node; }
  /// True when this is the only handle, to memory that nobody else shares.
  bool is_unique() const { return body_->is_unique() && body_->values.is_unique(); }

 private:
  detail::TensorBody& body() const {
    check(defined(), "tensor: it is undefined; nothing was assigned to it");
    return *body_;
  }
  void* start_update();

  Ref<detail::TensorBody> body_;
};

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
