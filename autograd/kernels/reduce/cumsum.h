#pragma once
// Running sums.

#include <cstdint>

namespace adjoint::kernels {

/// y[o,k,i] = x[o,0,i] + ... + x[o,k,i], or x[o,k,i] + ... + x[o,axis-1,i] when reverse, of arrays
/// [outer,axis,inner]; y may be x. T is float, double or std::int64_t. float is added up in double, int64
/// wraps around.
template <class T>
void cumsum(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, bool reverse, T* y);

}  // namespace adjoint::kernels
