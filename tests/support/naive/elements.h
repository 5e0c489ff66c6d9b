#pragma once
// Arrays written element by element: expected values for ops that move elements.

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "adjoint/ops/shape.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"

namespace adjoint::support {

using Index = std::vector<std::int64_t>;

/// The elements of a tensor, read by their multi-index.
class Elements {
 public:
  explicit Elements(const Tensor& x) : shape_(x.shape()), values_(numbers(x)) {}
  double operator()(const Index& index) const {
    std::int64_t flat = 0;
    for (int axis = 0; axis < shape_.rank(); ++axis) {
      const std::int64_t i = index.at(static_cast<std::size_t>(axis));
      if (i < 0 || i >= shape_[axis])
        throw std::out_of_range("Elements: the test reads outside of the array");
      flat = flat * shape_[axis] + i;
    }
    return values_.at(static_cast<std::size_t>(flat));
  }

 private:
  Shape shape_;
  std::vector<double> values_;
};

/// f(index) for all multi-indices of a shape, in row-major order.
template <class F>
std::vector<double> by_index(const Shape& shape, const F& f) {
  std::vector<double> values;
  Index index(static_cast<std::size_t>(shape.rank()));
  for (std::int64_t flat = 0; flat < shape.numel(); ++flat) {
    std::int64_t left = flat;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      index[static_cast<std::size_t>(axis)] = left % shape[axis];
      left /= shape[axis];
    }
    values.push_back(f(index));
  }
  return values;
}

/// y has this shape and the elements f(index), exactly.
template <class F>
void expect_elements(const Tensor& y, const Shape& shape, const F& f) {
  ASSERT_EQ(to_string(y.shape()), to_string(shape));
  expect_close(y, by_index(shape, f), 0);
}

/// 1, 2, 3, ... of any dtype.
inline Tensor counting(const Shape& shape, DType dtype = float64) {
  Values values(dtype, shape);
  visit(dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < shape.numel(); ++i) values.writable<T>()[i] = static_cast<T>(i + 1);
  });
  return Tensor(std::move(values));
}

inline constexpr DType kDTypes[] = {float32, float64, int64};

/// The gradient of sum(f(x) dy) at x.
template <class F>
Tensor gradient(const F& f, const Tensor& x, const Tensor& dy) {
  const Tensor leaf = x.detach().set_requires_grad();
  f(leaf).backward(dy);
  return leaf.grad();
}

}  // namespace adjoint::support
