#pragma once
// Positions of the largest and the smallest elements along an axis.

#include <cstdint>

namespace adjoint::kernels {

/// y[o,i] = the k for which x[o,k,i] is the largest, x [outer,axis,inner], axis > 0. The first of equal ones;
/// the first NaN if there is any. T is float, double, std::int64_t or bool.
template <class T>
void argmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, std::int64_t* y);
/// The same for the smallest element.
template <class T>
void argmin(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, std::int64_t* y);

}  // namespace adjoint::kernels
