#pragma once
// The backward pass, as Tensor::backward() and grad() use it.

#include <mutex>
#include <span>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/graph/node.h"
#include "adjoint/memory/block_cache.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint::engine {

struct LeafGradient {
  Ref<Node> leaf;
  Tensor gradient;
  bool replaces = false;  ///< For add_to_leaves: the gradient becomes grad() instead of being added to it.
};
using LeafGradients = std::vector<LeafGradient, BlockAllocator<LeafGradient>>;

/// The gradients of sum(y * dy) for the leaves that y depends on, as constants, in order of decreasing
/// sequence numbers. Throws as Tensor::backward.
LeafGradients leaf_gradients(const Tensor& y, const Tensor& dy, bool retain_graph);

/// total <- total + part, leaf by leaf, both in the order of leaf_gradients.
void add(LeafGradients& total, LeafGradients&& part);

/// Adds gradients to the leaves' grad(). If it throws std::bad_alloc, no grad() has changed.
void add_to_leaves(LeafGradients&& gradients);

/// Writes the gradients of sum(y * dy) for every x of xs to gradients; they are undefined where y does not
/// depend on x. options.gradient is not read. Throws as grad().
void gradients_of(const Tensor& y, const Tensor& dy, std::span<const Tensor> xs, std::span<Tensor> gradients,
                  const GradOptions& options);

/// Locked while the grad() of leaves change.
std::mutex& leaf_mutex();

/// Name of the op whose backward rule runs in this thread, "" outside of one.
const char* running_op();

}  // namespace adjoint::engine
