#include "autograd/kernels/linalg/transpose.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <rapidcheck/gtest.h>
#include <vector>

#include "tests/support/instruction_sets.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

template <class T>
void check_permute(const Shape& shape, const std::vector<int>& axes) {
  std::vector<T> x(shape.numel()), y(shape.numel(), T(-1));
  std::iota(x.begin(), x.end(), T(0));
  permute(shape, axes, x.data(), y.data());
  for (std::int64_t flat = 0; flat < shape.numel();
       ++flat) {  // Of y; its index is taken apart from the last axis.
    std::int64_t rest = flat, from = 0;
    for (int k = shape.rank() - 1; k >= 0; --k) {
      std::int64_t stride = 1;
      for (int axis = axes[k] + 1; axis < shape.rank(); ++axis) stride *= shape[axis];
      from += rest % shape[axes[k]] * stride;
      rest /= shape[axes[k]];
    }
    ASSERT_EQ(y[flat], x[from]) << to_string(shape) << " at " << flat;
  }
}

RC_GTEST_PROP(Permute, AgreesWithIndexArithmetic, ()) {
  const int rank = *rc::gen::inRange(0, 6);
  std::vector<std::int64_t> sizes;
  for (int i = 0; i < rank; ++i) {
    sizes.push_back(
        *rc::gen::weightedElement<std::int64_t>({{1, 0}, {6, 1}, {6, 2}, {6, 3}, {4, 5}, {4, 17}, {2, 33}}));
  }
  std::vector<std::pair<int, int>> keys;
  for (int i = 0; i < rank; ++i) keys.emplace_back(*rc::gen::inRange(0, 1000), i);
  std::ranges::sort(keys);
  std::vector<int> axes;
  for (const auto& [key, axis] : keys) axes.push_back(axis);
  const Shape shape{std::span<const std::int64_t>(sizes)};
  RC_PRE(shape.numel() < 100'000);
  for_each_instruction_set([&] {
    check_permute<float>(shape, axes);
    check_permute<double>(shape, axes);
    check_permute<std::int64_t>(shape, axes);
  });
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Transpose, MatricesOfManySizes) {
  for_each_instruction_set([] {
    for (const std::int64_t rows : {0, 1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 131}) {
      for (const std::int64_t columns : {1, 2, 7, 8, 9, 16, 17, 33, 70}) {
        std::vector<float> x(2 * rows * columns), y(x.size(), -1.0F);
        std::iota(x.begin(), x.end(), 0.0F);
        transpose(2, rows, columns, x.data(), y.data());
        for (std::int64_t i = 0; i < 2 * rows * columns; ++i) {
          const std::int64_t batch = i / (rows * columns), r = i / columns % rows, c = i % columns;
          ASSERT_EQ(y[(batch * columns + c) * rows + r], x[i]) << rows << "x" << columns;
        }
      }
    }
  });
}

TEST(Transpose, WithThreads) {
  for (const int number : {1, 2, 3}) {
    const support::WithThreads threads(number);
    check_permute<float>({300, 401}, {1, 0});
    check_permute<float>({70, 40, 3, 17}, {1, 0, 2, 3});
    check_permute<double>({20, 70, 61}, {2, 0, 1});
  }
}

}  // namespace
}  // namespace adjoint::kernels
