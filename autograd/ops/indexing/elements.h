#pragma once
// Elements chosen one by one by an index tensor of as many axes, without checks: for gather, scatter and
// sort.

#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

/// y = the elements of x along axis that index names; 0 where the index is `skip`. y has index's shape.
Tensor take_elements(const char* op, const Tensor& x, int axis, const Tensor& index, std::int64_t skip);
/// The gradient of take_elements: y has this shape and is 0 but for the elements of x, which are added up
/// where index says.
Tensor add_elements(const char* op, const Tensor& x, int axis, const Tensor& index, const Shape& shape,
                    std::int64_t skip);

}  // namespace adjoint::ops
