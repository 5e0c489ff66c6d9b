#pragma once
// How map() and broadcast() call a loop: for rows of any length.

#include <cstdint>

#include "autograd/kernels/elementwise/map.h"

namespace adjoint::kernels {

/// Where the rows of the operands are. The distance to the next element of a row is a step (0 or 1), and that
/// to the next row is a row step.
template <class T>
struct RowOperands {
  Operands<T> values;
  std::int64_t steps[kMaxOperands], row_steps[kMaxOperands];
};

/// Computes y[rows,n].
template <class T>
void map_rows(const Loops& f, std::int64_t rows, std::int64_t n, const RowOperands<T>& operands, T* y);

}  // namespace adjoint::kernels
