#pragma once
// Positions along an axis chosen by a list of indices, for ops that make this list themselves, and checks of
// indices.

#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

/// No index is skipped.
inline constexpr std::int64_t kSkipNone = -1;

/// x at the positions index [K] along axis, which must exist; 0 where the index is `skip`.
Values rows_of(const Tensor& x, int axis, const Tensor& index, std::int64_t skip = kSkipNone);
/// The same as an op.
Tensor take_rows(const char* op, const Tensor& x, int axis, const Tensor& index,
                 std::int64_t skip = kSkipNone);
/// The gradient of take_rows: y has `size` positions along axis, where those of x are added up.
Tensor add_rows(const char* op, const Tensor& x, int axis, const Tensor& index, std::int64_t size,
                std::int64_t skip = kSkipNone);

/// Throws DTypeError unless the tensor is int64.
void check_index_dtype(const char* op, const char* argument, const Tensor& index);
/// Throws ShapeError unless all indices are in [0, size).
void check_indices(const char* op, const Tensor& index, std::int64_t size);

}  // namespace adjoint::ops
