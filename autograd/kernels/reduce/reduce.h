#pragma once
// Sums and maxima over axes. Sums are formed as a tree of short sums, so that their rounding errors stay
// small however many terms there are, and the tree depends on the sizes alone: the same bits for any number
// of threads.

#include <cstdint>

#include "adjoint/tensor/shape.h"

namespace adjoint::kernels {

// T is float or double. x and y must not overlap.

/// The sum of n elements; 0 when n is 0.
template <class T>
T sum_all(std::int64_t n, const T* x);

/// y = the sum of x over every axis that broadcasting y_shape to x_shape repeats: the gradient of
/// broadcast_to, and with y_shape = x_shape but for sizes of 1 on the axes summed over, the sum over axes. 0
/// where there is no term.
template <class T>
void sum_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);

/// As sum_to, with the maximum in place of the sum; NaN if any term is NaN, -inf where there is no term.
template <class T>
void max_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);

/// y[c] = sum_{n,p} x[n,c,p], x [N,C,P] in the lanes layout, y [C] plain; the gradient of a bias that was
/// added to each channel, or with P = 1 to each feature.
template <class T>
void sum_lanes_per_channel(std::int64_t batch, std::int64_t channels, std::int64_t plane, const T* x, T* y);

}  // namespace adjoint::kernels
