#include "autograd/ops/support/broadcast.h"

#include <algorithm>
#include <array>
#include <span>

#include "autograd/kernels/layout/interleaved.h"

namespace adjoint {
namespace ops {
namespace {

bool has_batch_of(const Shape& y_shape, const Shape& x_shape) {
  return x_shape.rank() == y_shape.rank() && x_shape.rank() > 0 && x_shape[0] == y_shape[0];
}

Shape shape_of_three(const char* op, const Tensor& a, const Tensor& b, const Tensor& c, const Names& names) {
  try {
    return broadcast_shape(op, broadcast_shape(op, a.shape(), b.shape()), c.shape());
  } catch (const ShapeError&) {
    check_shape(false, "{}: the shapes do not broadcast; {} is {}, {} is {}, {} is {}", op, names[0],
                a.shape(), names[1], b.shape(), names[2], c.shape());
    throw;
  }
}

using Arguments = std::span<const Values* const>;

/// y = f(arguments), all of one floating dtype and one shape.
Values map_alike(const kernels::Loops& f, Arguments arguments) {
  const Values& first = *arguments[0];
  Layout layout = first.cheapest_layout();
  for (const Values* x : arguments) layout = layout == Layout::interleaved ? layout : x->cheapest_layout();
  Values y(first.dtype(), first.shape(), layout);
  visit_floating(first.dtype(), [&]<class T>() {
    kernels::Operands<T> operands = {};
    for (std::size_t k = 0; k < arguments.size(); ++k) operands[k] = arguments[k]->in<T>(layout);
    kernels::map<T>(f, y.stored_elements(layout), operands, y.writable<T>());
  });
  return y;
}

template <class T>
void broadcast_in(Layout layout, const kernels::Loops& f, Arguments arguments, Values& y) {
  Shape shapes[kernels::kMaxOperands];
  std::array<const Shape*, kernels::kMaxOperands> pointers = {};
  kernels::Operands<T> operands = {};
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    const Operand x = operand(*arguments[k], y.shape(), layout);
    shapes[k] = x.shape;
    pointers[k] = &shapes[k];
    operands[k] = arguments[k]->in<T>(x.layout);
  }
  kernels::broadcast<T>(f, pointers, operands, operand(y, y.shape(), layout).shape, y.writable<T>());
}

}  // namespace

Shape with_last_axis(const Shape& shape, std::int64_t size) {
  std::int64_t sizes[Shape::kMaxRank + 1];
  std::copy(shape.begin(), shape.end(), sizes);
  sizes[shape.rank()] = size;
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(shape.rank()) + 1));
}

Shape interleaved_view(const Shape& shape, DType dtype) {
  return visit_floating(dtype, [&]<class T>() {
    return with_last_axis(shape.with(0, kernels::interleaved_blocks<T>(shape[0])), kernels::kInterleaved<T>);
  });
}

Operand operand(const Values& x, const Shape& y_shape, Layout y_layout) {
  if (y_layout == Layout::row_major) return {Layout::row_major, x.shape()};
  if (has_batch_of(y_shape, x.shape())) return {Layout::interleaved, interleaved_view(x.shape(), x.dtype())};
  return {Layout::row_major, with_last_axis(x.shape(), 1)};
}

Values broadcast(const char* op, const kernels::Loops& f, const Tensor& a, const Tensor& b, const Tensor& c,
                 const Names& names) {
  const DType dtype = a.dtype();
  check_same_dtype(op, names[0], a, names[1], b);
  if (c.defined()) check_same_dtype(op, names[0], a, names[2], c);
  if (f.of_int64 == nullptr) {
    check_floating(op, names[0], a);
  } else {
    check_number(op, names[0], a);
  }
  const Values* const all[] = {&a.values(), &b.values(), c.defined() ? &c.values() : nullptr};
  const Arguments arguments(all, c.defined() ? 3 : 2);
  const bool alike = a.shape() == b.shape() && (!c.defined() || c.shape() == a.shape());
  if (alike && is_floating(dtype)) return map_alike(f, arguments);

  const Shape y_shape =
      c.defined() ? shape_of_three(op, a, b, c, names) : broadcast_shape(op, a.shape(), b.shape());
  Layout layout = Layout::row_major;
  for (const Values* x : arguments)
    layout = layout == Layout::interleaved ? layout : layout_from(*x, y_shape);
  Values y(dtype, y_shape, layout);
  if (is_floating(dtype)) {
    visit_floating(dtype, [&]<class T>() { broadcast_in<T>(layout, f, arguments, y); });
  } else {
    broadcast_in<std::int64_t>(layout, f, arguments, y);
  }
  return y;
}

}  // namespace ops

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  std::int64_t sizes[Shape::kMaxRank];
  const int rank = std::max(a.rank(), b.rank());
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t of_a = i <= a.rank() ? a[-i] : 1, of_b = i <= b.rank() ? b[-i] : 1;
    check_shape(of_a == of_b || of_a == 1 || of_b == 1,
                "{}: the shapes do not broadcast, axis {} from the end differs; a is {}, b is {}", op, i, a,
                b);
    sizes[rank - i] = of_a == 1 ? of_b : of_a;
  }
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(rank)));
}

}  // namespace adjoint
