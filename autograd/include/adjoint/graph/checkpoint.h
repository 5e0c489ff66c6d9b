#pragma once
// Less memory for more time: what a part of a model needs for backward is computed again there.

#include <initializer_list>
#include <span>

#include "adjoint/graph/gradcheck.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = f(inputs), without keeping what f computes in between: the backward pass calls f again. For a part of
/// a network between two tensors, only these two are kept:
///
///     Tensor h = checkpoint([&](auto in) { return block(in[0]); }, {x});
///
/// Gradients flow to the inputs and to everything else that f uses, such as parameters, in every kind of
/// pass, and can be differentiated again. f may call checkpoint() itself.
///
/// f must compute the same each time: default_rng() is set back for the second call, and restored after it.
/// What f uses must still exist and be unchanged; an update of a leaf among the inputs throws GraphError, an
/// update of another one is not noticed. Code that must not run twice, such as an update of running
/// statistics, asks is_recomputing(). While nothing is recorded, this is just f(inputs).
///
/// The backward pass throws GraphError when the second call uses other tensors than the first, or its result
/// has another shape. Exceptions from f are passed on.
Tensor checkpoint(const TensorFunction& f, std::span<const Tensor> inputs);
Tensor checkpoint(const TensorFunction& f, std::initializer_list<Tensor> inputs);

/// Whether this thread runs in a function that a backward pass calls again for checkpoint().
bool is_recomputing();

}  // namespace adjoint
