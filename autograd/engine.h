#pragma once
// The backward pass, as Tensor::backward() and grad() use it.

#include <mutex>
#include <span>
#include <vector>

#include "autograd/node.h"
#include "autograd/pool.h"
#include "autograd/tensor.h"

namespace adjoint::engine {

struct LeafGradient {
  Ref<Node> leaf;
  Tensor gradient;
};
using LeafGradients = std::vector<LeafGradient, PoolAllocator<LeafGradient>>;

/// The gradients of sum(y * dy) for the leaves that y depends on. Throws as Tensor::backward.
LeafGradients leaf_gradients(const Tensor& y, const Tensor& dy, const BackwardOptions& options);

/// total <- total + part, leaf by leaf; for constants, since nothing is recorded.
void add(LeafGradients& total, LeafGradients&& part);

/// Adds gradients to the leaves' grad(), in a way that can be differentiated if create_graph says so.
void add_to_leaves(LeafGradients&& gradients, bool create_graph);

/// Writes the gradients of sum(y * dy) for every x of xs to gradients, undefined where y does not depend on
/// x. Throws as grad().
void gradients_of(const Tensor& y, const Tensor& dy, std::span<const Tensor> xs, std::span<Tensor> gradients,
                  const BackwardOptions& options);

/// Held while grad() of leaves change.
std::mutex& leaf_mutex();

/// Name of the op whose backward rule runs in this thread, "" outside of one.
const char* running_op();

}  // namespace adjoint::engine
