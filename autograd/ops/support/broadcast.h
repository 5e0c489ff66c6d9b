#pragma once
// How ops call broadcasting kernels in either layout: the kernels see an interleaved array [N,...] as a
// row-major array [blocks of N, ..., images of a block].

#include <array>

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

/// The arguments' names for error messages.
using Names = std::array<const char*, kernels::kMaxOperands>;

/// y = f(a, b) or f(a, b, c) with broadcasting. All must have the same dtype, which may be int64 if f has
/// loops for it. Throws DTypeError and ShapeError.
Values broadcast(const char* op, const kernels::Loops& f, const Tensor& a, const Tensor& b,
                 const Tensor& c = {}, const Names& names = {"a", "b", "c"});

/// The same for the function of two or three numbers F, which takes int64 if kIntegers.
template <class F, bool kIntegers = false>
Values broadcast(const char* op, const Tensor& a, const Tensor& b) {
  return broadcast(op, kernels::zip_loops<F, 2, kIntegers>(), a, b);
}
template <class F>
Values broadcast(const char* op, const Tensor& a, const Tensor& b, const Tensor& c, const Names& names) {
  return broadcast(op, kernels::zip_loops<F, 3, false>(), a, b, c, names);
}

}  // namespace adjoint::ops
