#pragma once
// Functions of row-major arrays with NumPy's broadcasting: shapes are aligned at their last axes, and an axis
// that is missing or of size 1 is repeated to fit. The caller checks that every argument's shape broadcasts
// to y_shape. The gradient of broadcasting is sum_to in reduce.h.

#include <cstdint>

#include "adjoint/tensor/shape.h"
#include "autograd/kernels/elementwise/map.h"

namespace adjoint::kernels {

// T is float, double, std::int64_t or bool. y must not overlap an argument that is repeated. It may be the
// same array as an argument with the shape y_shape.

/// y[y_shape] = x, repeated.
template <class T>
void broadcast_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);

/// y[y_shape] = f(operands), whose shapes are `shapes`; both lists have f.operands entries.
template <class T>
void broadcast(const Loops& f, const std::array<const Shape*, kMaxOperands>& shapes,
               const Operands<T>& operands, const Shape& y_shape, T* y);

/// y[y_shape] = F's value at a and b.
template <class F, class T>
void broadcast(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape,
               T* y) {
  broadcast<T>(zip_loops<F, 2, false>(), {&a_shape, &b_shape}, {a, b}, y_shape, y);
}

}  // namespace adjoint::kernels
