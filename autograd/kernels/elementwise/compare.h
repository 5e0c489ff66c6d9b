#pragma once
// Comparisons, whose results are booleans, and the selection by booleans. Shapes are broadcast as in
// broadcast.h. T is float, double, std::int64_t or bool.

#include "adjoint/tensor/shape.h"

namespace adjoint::kernels {

enum class Comparison { equal, not_equal, less, less_equal };

/// y[y_shape] = a op b.
template <class T>
void compare(Comparison op, const Shape& a_shape, const T* a, const Shape& b_shape, const T* b,
             const Shape& y_shape, bool* y);

enum class Logical { conjunction, disjunction };

/// y[y_shape] = a and b, or a or b.
void combine(Logical op, const Shape& a_shape, const bool* a, const Shape& b_shape, const bool* b,
             const Shape& y_shape, bool* y);

/// y[y_shape] = mask ? a : b.
template <class T>
void where(const Shape& mask_shape, const bool* mask, const Shape& a_shape, const T* a, const Shape& b_shape,
           const T* b, const Shape& y_shape, T* y);

}  // namespace adjoint::kernels
