#include "adjoint/tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "adjoint/graph/node.h"
#include "autograd/graph/engine.h"
#include "autograd/graph/node_extras.h"

namespace adjoint {

using detail::TensorBody;

TensorBody::TensorBody(Values&& v, Ref<Node>&& n)
    : requires_grad(static_cast<bool>(n)), values(std::move(v)), node(std::move(n)) {}
TensorBody::~TensorBody() = default;
void TensorBody::destroy(TensorBody* body) noexcept { delete body; }
static_assert(sizeof(TensorBody) <= 128, "made and freed in every op: two cache lines");

LeafNode& TensorBody::leaf() {
  if (!node) node = Ref<Node>(new LeafNode(values.shape(), values.dtype()));
  return static_cast<LeafNode&>(*node);
}

void* TensorBody::own_row_major() {
  Buffer* rows = values.row_major_buffer();
  if (rows->is_unique()) {
    values.keep_only_row_major();
    return rows->data();
  }
  const Ref<Buffer> left(rows);
  auto& kept = leaf().left_behind;
  const auto spare =
      std::ranges::find_if(kept, [](const Ref<Buffer>& buffer) { return buffer->is_unique(); });
  const bool reused = spare != kept.end();
  const Ref<Buffer> own = reused ? *spare : Buffer::allocate(left->bytes());
  if (reused) kept.erase(spare);
  if (values.handed_out()) kept.push_back(left);
  std::memcpy(own->data(), left->data(), left->bytes());
  values.set_row_major(own, reused);  // memory in left_behind was handed out before
  return own->data();
}

Tensor::Tensor(Values values) : Tensor(std::move(values), Ref<Node>()) {}
Tensor::Tensor(Values&& values, Ref<Node> node) : body_(new TensorBody(std::move(values), std::move(node))) {}

double Tensor::item() const {
  check_shape(numel() == 1, "item: the tensor must have one element, it is {}", shape());
  return visit(dtype(), [&]<class T>() { return static_cast<double>(*values().row_major<T>()); });
}

bool Tensor::is_leaf() const { return !body().node || body().node->is_leaf(); }
const char* Tensor::op() const { return body().node ? body().node->op : ""; }

Tensor& Tensor::set_requires_grad(bool wanted) {
  check<GraphError>(
      is_leaf(),
      "set_requires_grad: the tensor was computed by {}; only leaves can be switched, detach() it first",
      op());
  check<DTypeError>(is_floating(dtype()) || !wanted,
                    "set_requires_grad: gradients need a floating dtype, the tensor is {}", dtype());
  if (wanted) body().leaf();
  body().requires_grad = wanted;
  return *this;
}

namespace {

/// Where the gradient of a tensor is kept; null when it has never wanted one.
Tensor* place_of_grad(const Tensor& tensor, const char* caller) {
  Node* node = tensor.node().get();
  if (tensor.is_leaf()) return node == nullptr ? nullptr : &static_cast<LeafNode*>(node)->grad;
  check<GraphError>(node->extras() != nullptr && node->extras()->retains_grad,
                    "{}: the tensor was computed by {} and keeps no gradient; use grad(y, x), or call "
                    "retain_grad() before the backward pass",
                    caller, tensor.op());
  return &node->extras()->grad;
}

}  // namespace

Tensor Tensor::grad() const {
  const Tensor* gradient = place_of_grad(*this, "grad");
  return requires_grad() ? *gradient : Tensor();
}

void Tensor::zero_grad() {
  if (Tensor* gradient = place_of_grad(*this, "zero_grad")) *gradient = Tensor();
}

const Tensor& Tensor::retain_grad() const& {
  check<GraphError>(requires_grad(), "retain_grad: the tensor {} requires no gradient", shape());
  if (is_leaf()) return *this;
  const std::lock_guard lock(engine::leaf_mutex());
  node()->make_extras().retains_grad = true;
  return *this;
}

Ref<Node> Tensor::node() const&& { return body().node; }

Tensor Tensor::detach() const { return Tensor(values()); }

namespace {

/// An empty string, made before main() and never destroyed. It is no local static, because the guard of one
/// could be locked while the process forks.
union NoName {
  NoName() : text() {}
  ~NoName() {}  // NOLINT: a defaulted one would have to destroy text
  std::string text;
};
const NoName kNoName;

}  // namespace

const std::string& Tensor::name() const& {
  const Node* node = body().node.get();
  return node != nullptr && node->is_leaf() ? static_cast<const LeafNode*>(node)->name : kNoName.text;
}

void Tensor::set_name(std::string name) {
  check<GraphError>(is_leaf(), "set_name: the tensor was computed by {}; only leaves have names", op());
  body().leaf().name = std::move(name);
}

void Tensor::raise_dtype(const char* caller, DType asked) const {
  throw DTypeError(fmt::format("{}: {} {} is {}, not {}", caller, name().empty() ? "the tensor" : name(),
                               shape(), dtype(), asked));
}

void Tensor::backward(const BackwardOptions& options) const {
  check_shape(numel() == 1, "backward: without a gradient the tensor must be a single number, it is {}",
              shape());
  Values one(dtype(), shape());
  visit(dtype(), [&]<class T>() { *one.writable<T>() = 1; });
  backward(Tensor(std::move(one)), options);
}

void Tensor::backward(const Tensor& gradient, const BackwardOptions& options) const {
  engine::add_to_leaves(engine::leaf_gradients(*this, gradient, options.retain_graph));
}

void* Tensor::start_update() {
  check<GraphError>(is_leaf(), "mutable_data: the tensor was computed by {}; only leaves can be changed",
                    op());
  void* rows = body().own_row_major();
  ++body().version;
  return rows;
}

void Tensor::prepare_assign(const Tensor& source) {
  if (!values().handed_out()) return;  // Then assign() shares the source's memory.
  source.values().make(Layout::row_major);
  prepare_update();
}

void Tensor::assign(const Tensor& source) {
  check<GraphError>(is_leaf(), "assign: the tensor was computed by {}; only leaves can be changed", op());
  check_shape(source.shape() == shape(), "assign: the shapes must be equal; {} is {}, the source {}",
              name().empty() ? "the tensor" : name(), shape(), source.shape());
  check<DTypeError>(source.dtype() == dtype(), "assign: the dtypes must be equal; {} is {}, the source {}",
                    name().empty() ? "the tensor" : name(), dtype(), source.dtype());
  Values& own = body().values;
  if (own.handed_out()) {
    Buffer& rows =
        *source.values().row_major_buffer();  // own_row_major() keeps it, even if source is this tensor
    std::memmove(body().own_row_major(), rows.data(), rows.bytes());
  } else {
    own = source.values();
  }
  ++body().version;
}

}  // namespace adjoint
