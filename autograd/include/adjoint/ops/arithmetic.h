#pragma once
// Sums, differences, products and quotients, with NumPy's broadcasting: shapes are aligned at their last
// axes, and an axis that is missing or has size 1 in one argument is repeated to fit the other.
//
// All of these throw ShapeError when the shapes do not broadcast, and DTypeError when the dtypes differ.
// float32 and float64 are differentiable; int64 is not. div and the forms with a number s take only float32
// and float64.
//
// Every floating result follows IEEE 754: it is rounded once, and zeros have the right sign. A number s is
// first rounded to x's dtype. int64 wraps around in two's complement, as in NumPy and PyTorch.

#include <utility>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = a + b, element by element.
Tensor add(const Tensor& a, const Tensor& b);
/// y = a - b.
Tensor sub(const Tensor& a, const Tensor& b);
/// y = a b.
Tensor mul(const Tensor& a, const Tensor& b);
/// y = a / b.
Tensor div(const Tensor& a, const Tensor& b);
/// y = -x, in x's memory when it is a temporary.
Tensor neg(Tensor x);

/// y = x + s, in x's memory when it is a temporary.
Tensor add(Tensor x, double s);
/// y = s x, in x's memory when it is a temporary.
Tensor mul(Tensor x, double s);
/// y = x / s, in x's memory when it is a temporary.
Tensor div(Tensor x, double s);
/// y = s / x.
Tensor div(double s, const Tensor& x);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(Tensor x) { return neg(std::move(x)); }

inline Tensor operator+(Tensor x, double s) { return add(std::move(x), s); }
inline Tensor operator+(double s, Tensor x) { return add(std::move(x), s); }
inline Tensor operator-(Tensor x, double s) { return add(std::move(x), -s); }
inline Tensor operator-(double s, Tensor x) { return add(neg(std::move(x)), s); }
inline Tensor operator*(Tensor x, double s) { return mul(std::move(x), s); }
inline Tensor operator*(double s, Tensor x) { return mul(std::move(x), s); }
inline Tensor operator/(Tensor x, double s) { return div(std::move(x), s); }
inline Tensor operator/(double s, const Tensor& x) { return div(s, x); }

/// The shape that a and b broadcast to. Throws ShapeError, naming op, when they do not fit.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

}  // namespace adjoint
