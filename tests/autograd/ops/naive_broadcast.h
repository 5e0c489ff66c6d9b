#pragma once
// Broadcasting and its sum, element by element, and shapes to try them on.

#include <vector>

#include "adjoint/tensor/shape.h"

namespace adjoint::support {

/// Position in a row-major array of shape x of the element that broadcasting repeats at position i of shape
/// y.
inline std::size_t source_of(std::size_t i, const Shape& y, const Shape& x) {
  auto left = static_cast<std::int64_t>(i);
  std::int64_t position = 0, stride = 1;
  for (int axis = 1; axis <= x.rank(); ++axis) {
    const std::int64_t index = left % y[-axis];
    left /= y[-axis];
    if (x[-axis] != 1) position += index * stride;
    stride *= x[-axis];
  }
  return static_cast<std::size_t>(position);
}

/// Every shape of these sizes with up to max_rank axes.
inline std::vector<Shape> all_shapes(int max_rank, const std::vector<std::int64_t>& sizes) {
  std::vector<std::vector<std::int64_t>> lists = {{}};
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (static_cast<int>(lists[i].size()) == max_rank) continue;
    for (const std::int64_t size : sizes) {
      auto longer = lists[i];
      longer.push_back(size);
      lists.push_back(longer);
    }
  }
  std::vector<Shape> shapes;
  for (const auto& list : lists) shapes.emplace_back(std::span<const std::int64_t>(list));
  return shapes;
}

/// True when every axis, aligned at the last, is equal in both or 1 in one.
inline bool shapes_broadcast(const Shape& a, const Shape& b) {
  for (int axis = 1; axis <= a.rank() && axis <= b.rank(); ++axis) {
    if (a[-axis] != b[-axis] && a[-axis] != 1 && b[-axis] != 1) return false;
  }
  return true;
}

}  // namespace adjoint::support
