#include "autograd/graph/reach.h"

#include <algorithm>

namespace adjoint::engine {
namespace {

/// The nodes that were looked at, by decreasing sequence number. While a node's inputs are read, no other
/// thread may free it. So if the pass will free nodes, they are claimed until the look is over. The order is
/// that of a pass: of two threads that free a shared part, one always gets through.
struct Looked {
  explicit Looked(bool claims) : claims(claims) {}
  ~Looked() {
    for (Node* node : nodes) {
      if (claims) node->reopen();
    }
  }
  Looked(const Looked&) = delete;
  Looked& operator=(const Looked&) = delete;

  void add(Node& node) {
    nodes.push_back(&node);
    if (claims ? node.claim() : node.state() == Node::State::open) return;
    nodes.pop_back();
    raise_not_open(node);
  }

  bool claims;
  RecycledVector<Node*> nodes;
};

}  // namespace

Reach::Reach(std::span<const Tensor> ys, std::span<Node* const> asked, const ReachOptions& options) {
  asked_.reserve(asked.size());
  for (const Node* node : asked) asked_.push_back({node->sequence, asked_.size()});
  std::ranges::sort(asked_, {}, &Asked::sequence);
  if (!asked_.empty()) look(ys, options);
}

void Reach::look(std::span<const Tensor> ys, const ReachOptions& options) {
  const std::uint64_t end = std::max(asked_.front().sequence, options.outside);
  const auto is_earlier = [](const Node* a, const Node* b) { return a->sequence < b->sequence; };
  RecycledVector<Node*> heap;
  const auto wait = [&](Node* node) {
    if (node == nullptr || node->is_leaf() || node->sequence <= end) return;
    heap.push_back(node);
    std::push_heap(heap.begin(), heap.end(), is_earlier);
  };
  for (const Tensor& y : ys) wait(y.node().get());
  Looked looked(options.freeing);
  while (!heap.empty()) {
    Node* node = heap.front();
    std::pop_heap(heap.begin(), heap.end(), is_earlier);
    heap.pop_back();
    if (!looked.nodes.empty() && looked.nodes.back() == node) continue;
    looked.add(*node);
    for (const Ref<Node>& input : node->inputs) wait(input.get());
  }
  for (auto node = looked.nodes.rbegin(); node != looked.nodes.rend(); ++node) {
    if (std::ranges::any_of((*node)->inputs, [&](const Ref<Node>& input) { return input && wants(*input); }))
      useful_.push_back((*node)->sequence);
  }
}

const Reach::Asked* Reach::first_of(const Node& node) const {
  const auto found = std::ranges::lower_bound(asked_, node.sequence, {}, &Asked::sequence);
  return found != asked_.end() && found->sequence == node.sequence ? &*found : nullptr;
}

const Reach::Asked* Reach::next_of(const Asked* entry) const {
  const Asked* next = entry + 1;
  return next != asked_.data() + asked_.size() && next->sequence == entry->sequence ? next : nullptr;
}

bool Reach::is_useful(const Node& node) const {
  // Inputs were mostly made just before the op that reads them, so the search starts at the end.
  std::size_t from_end = 1;
  while (from_end < useful_.size() && useful_[useful_.size() - from_end] > node.sequence) from_end *= 2;
  const auto last = std::span(useful_).last(std::min(from_end, useful_.size()));
  return std::ranges::binary_search(last, node.sequence);
}

}  // namespace adjoint::engine
