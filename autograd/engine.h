#pragma once
// The backward pass, as Tensor::backward() and grad() use it.

#include <span>

#include "autograd/tensor.h"

namespace adjoint::engine {

/// Adds the gradients of sum(y * dy) to the leaves' grad(). Throws as Tensor::backward.
void accumulate_into_leaves(const Tensor& y, const Tensor& dy, const BackwardOptions& options);

/// Writes the gradients of sum(y * dy) for every x of xs to gradients, undefined where y does not depend on
/// x. Throws as grad().
void gradients_of(const Tensor& y, const Tensor& dy, std::span<const Tensor> xs, std::span<Tensor> gradients,
                  const BackwardOptions& options);

/// Name of the op whose backward rule runs in this thread, "" outside of one.
const char* running_op();

}  // namespace adjoint::engine
