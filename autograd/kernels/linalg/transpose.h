#pragma once
// Copies of row-major arrays with their axes in another order.

#include <cstdint>
#include <span>

#include "adjoint/tensor/shape.h"

namespace adjoint::kernels {

// T is float, double, std::int64_t or bool. x and y must not overlap.

/// y[b,c,r] = x[b,r,c] for x [batch,rows,columns].
template <class T>
void transpose(std::int64_t batch, std::int64_t rows, std::int64_t columns, const T* x, T* y);

/// y[i_axes[0], i_axes[1], ...] = x[i_0, i_1, ...]: axis k of y is axis axes[k] of x. axes is a permutation
/// of x's axes.
template <class T>
void permute(const Shape& x_shape, std::span<const int> axes, const T* x, T* y);

}  // namespace adjoint::kernels
