#pragma once
// Arithmetic with NumPy's broadcasting on row-major arrays: shapes are aligned at their last axes, and an
// axis that is missing or of size 1 is repeated to fit. The caller checks that every argument's shape
// broadcasts to y_shape. The gradient of broadcasting is sum_to in reduce.h.

#include <cstdint>

#include "adjoint/tensor/shape.h"

namespace adjoint::kernels {

// T is float or double (broadcast_to, add, sub, mul, equal: std::int64_t too, which wraps around). y must not
// overlap an argument that is repeated; it may be the same array as one of y_shape.

/// y[y_shape] = x, repeated.
template <class T>
void broadcast_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);

/// y[y_shape] = a + b.
template <class T>
void add(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y);
/// y[y_shape] = a - b.
template <class T>
void sub(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y);
/// y[y_shape] = a b.
template <class T>
void mul(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y);
/// y[y_shape] = a / b.
template <class T>
void div(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y);
/// y[y_shape] = a^b.
template <class T>
void pow(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y);
/// y[y_shape] = a == b ? 1 : 0.
template <class T>
void equal(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y);

// The same for a, b and y of n elements each, in either layout.

/// y = a + b.
template <class T>
void add(std::int64_t n, const T* a, const T* b, T* y);
/// y = a - b.
template <class T>
void sub(std::int64_t n, const T* a, const T* b, T* y);
/// y = a b.
template <class T>
void mul(std::int64_t n, const T* a, const T* b, T* y);
/// y = a / b.
template <class T>
void div(std::int64_t n, const T* a, const T* b, T* y);
/// y = a^b.
template <class T>
void pow(std::int64_t n, const T* a, const T* b, T* y);
/// y = a == b ? 1 : 0.
template <class T>
void equal(std::int64_t n, const T* a, const T* b, T* y);

}  // namespace adjoint::kernels
