#pragma once
// Running sums, products and their like, along the middle axis of arrays [outer,axis,inner].

#include <cstdint>

namespace adjoint::kernels {

// y may be an argument. float is computed in double and rounded once per element.

/// y[o,k,i] = x[o,0,i] + ... + x[o,k,i], or x[o,k,i] + ... + x[o,axis-1,i] when reverse. T is float, double
/// or std::int64_t, which wraps around.
template <class T>
void cumsum(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, bool reverse, T* y);

/// y[o,k,i] = x[o,0,i] ... x[o,k,i]. T as for cumsum.
template <class T>
void cumprod(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y);

/// y[o,k,i] = ln(e^x[o,0,i] + ... + e^x[o,k,i]). T is float or double.
template <class T>
void logcumsumexp(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y);

/// A linear recurrence: y_k = a_k y_(k-1) + b_k from y_(-1) = 0 on, or, when reverse, y_k = a_(k+1) y_(k+1) +
/// b_k from the other end. T is float or double.
template <class T>
void linear_recurrence(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* a, const T* b,
                       bool reverse, T* y);

}  // namespace adjoint::kernels
