#pragma once
// Adding up the gradients that reach one tensor.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// total <- total + part, both of one shape and dtype; in total's own memory when nobody else holds it and
/// nothing is recorded, as an op that can be differentiated otherwise.
void accumulate(Tensor& total, Tensor part);

}  // namespace adjoint
