#pragma once
// Adds up the gradients that reach one tensor.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// total <- total + part; both must have the same shape and dtype. If the sum must be recorded, this is a
/// differentiable op. Otherwise it computes in the memory of total or part if no other tensor holds that
/// memory.
void accumulate(Tensor& total, Tensor part);

}  // namespace adjoint
