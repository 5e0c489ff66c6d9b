#pragma once
// Sums, products, maxima and minima over axes. A sum is computed as a tree of short sums, so that its
// rounding error stays small for any number of terms. The tree depends on the sizes alone, so the bits are
// the same for any number of threads.

#include <cstdint>

#include "adjoint/tensor/shape.h"

namespace adjoint::kernels {

// T is float, double or std::int64_t, which wraps around. x and y must not overlap.

/// The sum of n elements; 0 when n is 0. T is float or double.
template <class T>
T sum_all(std::int64_t n, const T* x);

/// y = the sum of x over every axis that broadcasting y_shape to x_shape repeats; 0 if there is no term. This
/// is the gradient of broadcast_to. If y_shape has size 1 on some axes and is else equal to x_shape, it is
/// the sum over these axes.
template <class T>
void sum_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);

/// As sum_to, with the product in place of the sum; 1 where there is no factor.
template <class T>
void product_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);
/// As sum_to, with the maximum in place of the sum; NaN if any term is NaN. Where there is no term, -infinity
/// or the lowest number. T may be bool: y is true where any x is true.
template <class T>
void max_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);
/// The same with the minimum. With bool, y is true where all x are true.
template <class T>
void min_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);

/// y[c] = sum_{n,p} x[n,c,p], x [N,C,P] interleaved: the gradient of a bias that was added to each
/// channel, or with P = 1 to each feature. T is float or double.
template <class T>
void sum_interleaved_per_channel(std::int64_t batch, std::int64_t channels, std::int64_t plane, const T* x,
                                 T* y);

}  // namespace adjoint::kernels
