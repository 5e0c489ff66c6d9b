#pragma once
// The backward pass, as Tensor::backward() and grad() use it.

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "adjoint/graph/node.h"
#include "adjoint/memory/block_cache.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint::engine {

struct LeafGradient {
  Ref<Node> leaf;  ///< Or the node of a result that retains its gradient.
  Tensor gradient;
  bool replaces = false;  ///< For add_to_leaves: the gradient becomes grad() instead of being added to it.
};
using LeafGradients = std::vector<LeafGradient, BlockAllocator<LeafGradient>>;

/// The gradients of sum(y * dy) for the leaves that y depends on, and for results that retain it, as
/// constants, in order of decreasing sequence numbers. Throws as Tensor::backward.
LeafGradients leaf_gradients(const Tensor& y, const Tensor& dy, bool retain_graph);

/// total <- total + part, leaf by leaf, both in the order of leaf_gradients.
void add(LeafGradients& total, LeafGradients&& part);

/// Adds gradients to the leaves' grad(). If it throws std::bad_alloc, no grad() has changed.
void add_to_leaves(LeafGradients&& gradients);

/// Throws unless sum(y * dy) can be differentiated; name is what errors of grad() call y.
void check_output(const std::string& name, const Tensor& y, const Tensor& dy);
/// The node of x, input `index` of grad(). Throws GraphError when x requires no gradient.
Node* node_to_differentiate(const Tensor& x, std::size_t index);

struct GradientsOptions {
  bool retain_graph = false;
  bool create_graph = false;
  std::uint64_t outside = 0;  ///< As in ReachOptions.
};

/// Writes the gradients of sum(ys[0] * dys[0]) + sum(ys[1] * dys[1]) + ... for every node of asked to
/// gradients. They are undefined where no y depends on the node. check_output() must accept every y and dy.
/// Throws as grad().
void gradients_of(std::span<const Tensor> ys, std::span<const Tensor> dys, std::span<Node* const> asked,
                  std::span<Tensor> gradients, const GradientsOptions& options);

/// Locked while the grad() of leaves or the extras of nodes change.
std::mutex& leaf_mutex();

/// Name of the op whose backward rule runs in this thread, "" outside of one.
const char* running_op();

}  // namespace adjoint::engine
