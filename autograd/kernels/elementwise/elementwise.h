#pragma once
// Elementwise functions of flat arrays: n elements each, in either layout, since no element looks at its
// neighbors.
//
// T is float or double (add, sub, mul and neg: std::int64_t too, which wraps around). An argument and the
// result may be the same array. An element's result does not depend on its position, on n or on the number of
// threads. Special values follow <cmath>: log(0) = -inf, exp(1000) = inf, sqrt(-1) = NaN, and NaN in gives
// NaN out.

#include <cstdint>

namespace adjoint::kernels {

/// y = e^x.
template <class T>
void exp(std::int64_t n, const T* x, T* y);
/// y = ln x.
template <class T>
void log(std::int64_t n, const T* x, T* y);
template <class T>
void sqrt(std::int64_t n, const T* x, T* y);
/// y = x x.
template <class T>
void square(std::int64_t n, const T* x, T* y);
/// y = 1 / x.
template <class T>
void reciprocal(std::int64_t n, const T* x, T* y);
/// y = |x|.
template <class T>
void abs(std::int64_t n, const T* x, T* y);
/// y = -x.
template <class T>
void neg(std::int64_t n, const T* x, T* y);
template <class T>
void tanh(std::int64_t n, const T* x, T* y);
/// y = 1 / (1 + e^-x).
template <class T>
void sigmoid(std::int64_t n, const T* x, T* y);
/// y = max(x, 0).
template <class T>
void relu(std::int64_t n, const T* x, T* y);
/// y = x > 0 ? x : slope x.
template <class T>
void leaky_relu(std::int64_t n, T slope, const T* x, T* y);
/// y = ln(1 + e^x).
template <class T>
void softplus(std::int64_t n, const T* x, T* y);
/// y = x + s.
template <class T>
void add_scalar(std::int64_t n, T s, const T* x, T* y);
/// y = s x.
template <class T>
void mul_scalar(std::int64_t n, T s, const T* x, T* y);
/// y = x / s, rounded once.
template <class T>
void div_scalar(std::int64_t n, T s, const T* x, T* y);
/// y = x^p.
template <class T>
void pow_scalar(std::int64_t n, T p, const T* x, T* y);

// Gradients: dx from dy and the function's argument x or result y. Where x or y is NaN, the piecewise linear
// functions let dy through, as they do above 0.

/// dx = x < 0 ? -dy : x == 0 ? 0 : dy.
template <class T>
void abs_grad(std::int64_t n, const T* dy, const T* x, T* dx);
/// dx = dy (1 - y^2).
template <class T>
void tanh_grad(std::int64_t n, const T* dy, const T* y, T* dx);
/// dx = dy y (1 - y).
template <class T>
void sigmoid_grad(std::int64_t n, const T* dy, const T* y, T* dx);
/// dx = y <= 0 ? 0 : dy; y may be relu's argument as well as its result.
template <class T>
void relu_grad(std::int64_t n, const T* dy, const T* y, T* dx);
/// dx = x <= 0 ? slope dy : dy.
template <class T>
void leaky_relu_grad(std::int64_t n, T slope, const T* dy, const T* x, T* dx);
/// dx = dy sigmoid(x).
template <class T>
void softplus_grad(std::int64_t n, const T* dy, const T* x, T* dx);

// Two arguments of the same size; for broadcasting see broadcast.h.

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
/// y += scale x.
template <class T>
void add_scaled(std::int64_t n, T scale, const T* x, T* y);

}  // namespace adjoint::kernels
