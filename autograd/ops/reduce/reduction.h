#pragma once
// The axes of a reduction, checked.

#include "adjoint/ops/axes.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

struct Reduction {
  Shape kept;   ///< x's shape with size 1 at the reduced axes.
  Shape shape;  ///< That of the result.
  std::int64_t
      terms;  ///< The number of elements of x for each element of the result; 1 if the result is empty.
};

/// Throws ShapeError when an axis is out of range or given twice.
Reduction reduction(const char* op, const Tensor& x, const Axes& axes, bool keepdim);

}  // namespace adjoint::ops
