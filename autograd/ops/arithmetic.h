#pragma once
// Sums, differences, products and quotients, with NumPy's broadcasting: shapes are aligned at their last
// axes, and an axis that is missing or has size 1 in one argument is repeated to fit the other.
//
// All of these throw ShapeError when shapes do not fit and DTypeError when the dtypes differ; float32 and
// float64 are differentiable, int64 is computed only (div, equal and the scalar forms are floating only).

#include "autograd/tensor.h"

namespace adjoint {

/// y = a + b, element by element.
Tensor add(const Tensor& a, const Tensor& b);
/// y = a - b.
Tensor sub(const Tensor& a, const Tensor& b);
/// y = a b.
Tensor mul(const Tensor& a, const Tensor& b);
/// y = a / b.
Tensor div(const Tensor& a, const Tensor& b);
/// y = -x.
Tensor neg(const Tensor& x);

/// y = x + s.
Tensor add(const Tensor& x, double s);
/// y = s x.
Tensor mul(const Tensor& x, double s);
/// y = s / x.
Tensor div(double s, const Tensor& x);

/// y = a == b ? 1 : 0, a constant: no gradient flows through. Floating only.
Tensor equal(const Tensor& a, const Tensor& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }

inline Tensor operator+(const Tensor& x, double s) { return add(x, s); }
inline Tensor operator+(double s, const Tensor& x) { return add(x, s); }
inline Tensor operator-(const Tensor& x, double s) { return add(x, -s); }
inline Tensor operator-(double s, const Tensor& x) { return add(neg(x), s); }
inline Tensor operator*(const Tensor& x, double s) { return mul(x, s); }
inline Tensor operator*(double s, const Tensor& x) { return mul(x, s); }
inline Tensor operator/(const Tensor& x, double s) { return mul(x, 1 / s); }
inline Tensor operator/(double s, const Tensor& x) { return div(s, x); }

/// The shape that a and b broadcast to. Throws ShapeError, naming op, when they do not fit.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

}  // namespace adjoint
