#pragma once
// Broadcasting and its sum, element by element, and shapes to try them on.

#include <algorithm>
#include <rapidcheck.h>
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

/// The shape that a and b, which broadcast, have in common.
inline Shape common_shape(const Shape& a, const Shape& b) {
  std::vector<std::int64_t> sizes;
  for (int axis = std::max(a.rank(), b.rank()); axis >= 1; --axis) {
    const std::int64_t m = axis <= a.rank() ? a[-axis] : 1, n = axis <= b.rank() ? b[-axis] : 1;
    sizes.push_back(m == 1 ? n : m);
  }
  return Shape(sizes);
}

/// A shape with up to max_rank axes of a few elements, seldom of none.
inline Shape random_shape(int max_rank) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(*rc::gen::inRange(0, max_rank + 1)));
  for (std::int64_t& size : sizes)
    size =
        *rc::gen::weightedElement<std::int64_t>({{1, 0}, {8, 1}, {8, 2}, {8, 3}, {4, 5}, {2, 17}, {1, 33}});
  return Shape(sizes);
}

/// A shape that broadcasts to whole: some axes have one element, and some of the first ones may be missing.
inline Shape random_part(const Shape& whole) {
  std::vector<std::int64_t> sizes(whole.begin(), whole.end());
  for (std::int64_t& size : sizes) {
    if (*rc::gen::arbitrary<bool>()) size = 1;
  }
  if (*rc::gen::arbitrary<bool>())
    sizes.erase(sizes.begin(), sizes.begin() + *rc::gen::inRange(0, whole.rank() + 1));
  return Shape(sizes);
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
