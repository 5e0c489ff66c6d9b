#pragma once
// Random shapes, options and tensors for examples that are given to both frameworks.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "adjoint/tensor/create.h"

namespace adjoint::oracle {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : rng_(seed) {}

  /// A whole number from least to most.
  std::int64_t number(std::int64_t least, std::int64_t most) { return least + rng_.below(most - least + 1); }
  int small(int least, int most) { return static_cast<int>(number(least, most)); }
  bool flag() { return rng_.below(2) == 1; }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[rng_.below(std::ssize(choices))];
  }

  /// Sizes from 1 to 5, now and then 0 if `empty`.
  Shape shape(int least_rank, int most_rank, bool empty = false) {
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(number(least_rank, most_rank)));
    for (std::int64_t& size : sizes) size = empty && number(0, 15) == 0 ? 0 : number(1, 5);
    return Shape(sizes);
  }
  /// A shape that broadcasts to whole.
  Shape part_of(const Shape& whole) {
    std::vector<std::int64_t> sizes(whole.begin() + number(0, whole.rank()), whole.end());
    for (std::int64_t& size : sizes) size = flag() ? size : 1;
    return Shape(sizes);
  }
  /// An axis of the shape, counted from either end.
  int axis_of(const Shape& shape) { return small(-shape.rank(), shape.rank() - 1); }
  /// Some of the shape's axes, in any order.
  std::vector<int> axes_of(const Shape& shape) {
    std::vector<int> axes;
    for (int axis = 0; axis < shape.rank(); ++axis)
      if (flag()) axes.push_back(flag() ? axis : axis - shape.rank());
    std::shuffle(axes.begin(), axes.end(), rng_);
    return axes;
  }
  /// An order of the shape's axes.
  std::vector<int> order_of(const Shape& shape) {
    std::vector<int> axes;
    for (int axis = 0; axis < shape.rank(); ++axis) axes.push_back(axis);
    std::shuffle(axes.begin(), axes.end(), rng_);
    return axes;
  }

  /// float64, uniform in [low, high).
  Tensor tensor(const Shape& shape, double low = -2, double high = 2) {
    return uniform(shape, low, high, {.dtype = float64}, rng_);
  }
  /// Whole numbers from least to most.
  Tensor indices(const Shape& shape, std::int64_t least, std::int64_t most) {
    Tensor x = zeros(shape, {.dtype = int64});
    for (std::int64_t& value : x.mutable_data<std::int64_t>()) value = number(least, most);
    return x;
  }
  Tensor mask(const Shape& shape) { return indices(shape, 0, 1).to(boolean); }

 private:
  Rng rng_;
};

}  // namespace adjoint::oracle
