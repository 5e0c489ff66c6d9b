#pragma once
// How ops call broadcasting kernels in either layout: the kernels see an interleaved array [N,...] as a
// row-major array [blocks of N, ..., images of a block].

#include "adjoint/ops/arithmetic.h"
#include "autograd/kernels/elementwise/broadcast.h"
#include "autograd/ops/support/checks.h"
#include "autograd/ops/support/layout_policy.h"

namespace adjoint::ops {

/// shape with one more axis at its end; shape must have fewer than Shape::kMaxRank axes.
Shape with_last_axis(const Shape& shape, std::int64_t size);
/// The row-major shape of an interleaved array of this shape, as above.
Shape interleaved_view(const Shape& shape, DType dtype);

/// An argument as a kernel sees it: the layout in which its values are read, and their row-major shape in
/// this layout.
struct Operand {
  Layout layout;
  Shape shape;
};

/// x as the argument of a kernel that broadcasts to y_shape with its result in y_layout.
Operand operand(const Values& x, const Shape& y_shape, Layout y_layout);

/// y = F(a, b), element by element. a and b must have the same shape and the same floating dtype.
template <class F>
Values zip(const Values& a, const Values& b) {
  const Layout layout = common_layout(a, b);
  Values y(a.dtype(), a.shape(), layout);
  visit_floating(a.dtype(), [&]<class T>() {
    kernels::zip<F>(a.stored_elements(layout), a.in<T>(layout), b.in<T>(layout), y.template writable<T>());
  });
  return y;
}

/// y = F(a, b) with broadcasting. a and b must have the same dtype, which may be int64 if kIntegers. Throws
/// DTypeError and ShapeError.
template <class F, bool kIntegers = false>
Values broadcast(const char* op, const Tensor& a_tensor, const Tensor& b_tensor) {
  check_same_dtype(op, "a", a_tensor, "b", b_tensor);
  if constexpr (kIntegers) {
    check_number(op, "a", a_tensor);
  } else {
    check_floating(op, "a", a_tensor);
  }
  const Values &a = a_tensor.values(), &b = b_tensor.values();
  const DType dtype = a.dtype();
  if (a.shape() == b.shape() && is_floating(dtype)) return zip<F>(a, b);

  const Shape y_shape = broadcast_shape(op, a.shape(), b.shape());
  const Layout layout = layout_from(a, b, y_shape);
  const Operand of_a = operand(a, y_shape, layout), of_b = operand(b, y_shape, layout);
  Values y(dtype, y_shape, layout);
  const Operand of_y = operand(y, y_shape, layout);
  const auto call = [&]<class T>() {
    kernels::broadcast<F>(of_a.shape, a.in<T>(of_a.layout), of_b.shape, b.in<T>(of_b.layout), of_y.shape,
                          y.template writable<T>());
  };
  if constexpr (kIntegers) {
    visit_numbers(dtype, call);
  } else {
    visit_floating(dtype, call);
  }
  return y;
}

}  // namespace adjoint::ops
