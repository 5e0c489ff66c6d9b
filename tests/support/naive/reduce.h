#pragma once
// Reductions over any set of axes, element by element.

#include <algorithm>
#include <vector>

#include "adjoint/tensor/shape.h"
#include "tests/support/naive/broadcast.h"

namespace adjoint::support {

/// The axes in a bit set, every other one counted from the end.
inline std::vector<int> axes_of(unsigned set, int rank) {
  std::vector<int> axes;
  for (int axis = 0; axis < rank; ++axis) {
    if ((set >> axis & 1) != 0) axes.push_back(axis % 2 == 0 ? axis : axis - rank);
  }
  return axes;
}

/// shape with the axes in a bit set at size 1, or without them.
inline Shape without(const Shape& shape, unsigned set, bool keepdim) {
  std::vector<std::int64_t> sizes;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if ((set >> axis & 1) == 0) {
      sizes.push_back(shape[axis]);
    } else if (keepdim) {
      sizes.push_back(1);
    }
  }
  return Shape(std::span<const std::int64_t>(sizes));
}

/// The elements that are reduced to each element of the result, in row-major order.
inline std::vector<std::vector<double>> groups_of(const std::vector<double>& x, const Shape& shape,
                                                  unsigned set) {
  const Shape kept = without(shape, set, true);
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(kept.numel()));
  for (std::size_t i = 0; i < x.size(); ++i) groups[source_of(i, shape, kept)].push_back(x[i]);
  return groups;
}

}  // namespace adjoint::support
