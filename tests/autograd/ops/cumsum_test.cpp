#include <gtest/gtest.h>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

TEST(CumsumOp, AddsAlongAnAxis) {
  const Tensor x = tensor({1, 2, 3, 4, 5, 6}, {2, 3}, {.dtype = float64});
  expect_close(cumsum(x, 0), {1, 2, 3, 5, 7, 9}, 0);
  expect_close(cumsum(x, -1), {1, 3, 6, 4, 9, 15}, 0);
  EXPECT_EQ(cumsum(x, 0).shape(), x.shape());
  const Tensor whole = cumsum(tensor({1, 2, 3}, {.dtype = int64}), 0);
  EXPECT_EQ(whole.dtype(), int64);
  expect_close(whole, {1, 3, 6}, 0);
}

TEST(CumsumOp, TakesInterleavedValues) {
  Rng rng(1);
  const Tensor x = random_tensor({17, 3, 2}, rng);
  for (const int axis : {0, 1, 2}) expect_close(cumsum(as_interleaved(x), axis), numbers(cumsum(x, axis)), 0);
}

TEST(CumsumOp, Gradients) {
  Rng rng(2);
  for (const Shape& shape : {Shape{5}, Shape{2, 3, 4}, Shape{1, 1}, Shape{3, 0, 2}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      expect_gradients([&](auto in) { return cumsum(in[0], axis); }, {random_tensor(shape, rng)});
      expect_gradients([&](auto in) { return cumsum(in[0] * in[0], axis) * in[0]; },
                       {random_tensor(shape, rng)});
    }
  }
}

TEST(CumsumOp, Errors) {
  expect_error<ShapeError>("cumsum: axis 2 is out of range; x is [2,3]", [] { cumsum(zeros({2, 3}), 2); });
  expect_error<ShapeError>("cumsum: axis 0 is out of range; x is []", [] { cumsum(scalar(1), 0); });
}

}  // namespace
}  // namespace adjoint
