#pragma once
// Which part of a graph a pass must visit to get the gradients of the nodes that were asked for.

#include <cstdint>
#include <span>
#include <vector>

#include "adjoint/graph/node.h"
#include "adjoint/memory/block_cache.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint::engine {

template <class T>
using RecycledVector = std::vector<T, BlockAllocator<T>>;

/// Throws the GraphError for a node that a pass cannot visit, because it is claimed or freed.
[[noreturn]] void raise_not_open(const Node& node);

struct ReachOptions {
  bool freeing = false;  ///< The pass will free nodes.
  /// The pass does not go on from nodes whose sequence numbers are not larger. They need not be open.
  std::uint64_t outside = 0;
};

/// The ops of the graph of ys that lead to nodes that were asked for. Looking for them leaves no marks in the
/// graph, so several threads may do it at once.
class Reach {
 public:
  /// Throws GraphError when a node that may lead to an asked one is not open.
  Reach(std::span<const Tensor> ys, std::span<Node* const> asked, const ReachOptions& options);

  /// Whether the gradient of node is needed.
  bool wants(const Node& node) const {
    return first_of(node) != nullptr || (!node.is_leaf() && is_useful(node));
  }
  /// To be called for the nodes of the pass in order. Returns whether the pass must go on to node's inputs.
  bool advance_to(const Node& node) {
    while (!useful_.empty() && useful_.back() > node.sequence) useful_.pop_back();
    return !useful_.empty() && useful_.back() == node.sequence;
  }

  struct Asked {
    std::uint64_t sequence;  ///< Of the node asked[index].
    std::size_t index;
  };
  /// The first entry for node, null if it was not asked for. Entries for the same node follow each other.
  const Asked* first_of(const Node& node) const;
  /// The next entry for the same node, null if there is none.
  const Asked* next_of(const Asked* entry) const;

 private:
  void look(std::span<const Tensor> ys, const ReachOptions& options);
  bool is_useful(const Node& node) const;

  RecycledVector<Asked> asked_;           // By increasing sequence number.
  RecycledVector<std::uint64_t> useful_;  // Sequence numbers of ops whose rules must run, increasing.
};

}  // namespace adjoint::engine
