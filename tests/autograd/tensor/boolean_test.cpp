// Tensors of booleans, wherever the element type matters.
#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/cumulative.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

const bool kValues[] = {true, false, true, true, false, false};

Tensor mask() { return from_data<bool>(kValues, {2, 3}); }

TEST(Boolean, IsOneByteAndHasAName) {
  EXPECT_STREQ(name(boolean), "boolean");
  EXPECT_EQ(size_of(boolean), 1u);
  EXPECT_FALSE(is_floating(boolean));
  EXPECT_EQ(dtype_of<bool>, boolean);
}

TEST(Boolean, IsMadeFromBooleansAndFromNumbers) {
  const Tensor x = mask();
  EXPECT_EQ(x.dtype(), boolean);
  expect_close(x, {1, 0, 1, 1, 0, 0}, 0);
  EXPECT_TRUE(x.data<bool>()[0]);
  expect_close(tensor({2, 0, -0.5, kNaN}, {.dtype = boolean}), {1, 0, 1, 1}, 0);
  expect_close(full({2}, 0.25, {.dtype = boolean}), {1, 1}, 0);
  EXPECT_EQ(ones({}, {.dtype = boolean}).item(), 1);
}

TEST(Boolean, ToConvertsBothWays) {
  for (const DType dtype : {float32, float64, int64}) {
    const Tensor number = mask().to(dtype);
    EXPECT_EQ(number.dtype(), dtype);
    expect_close(number, {1, 0, 1, 1, 0, 0}, 0);
    expect_close((number * number).to(boolean), {1, 0, 1, 1, 0, 0}, 0);
  }
  expect_close(tensor({kNaN, 1e300, -0.0, 1e-300}, {.dtype = float64}).to(boolean), {1, 1, 0, 1}, 0);
}

TEST(Boolean, MovesLikeAnyOtherElement) {
  const Tensor x = mask();
  expect_close(transpose(x), {1, 1, 0, 0, 1, 0}, 0);
  expect_close(permute(reshape(x, {1, 2, 3}), {2, 0, 1}), {1, 1, 0, 0, 1, 0}, 0);
  expect_close(broadcast_to(reshape(x, {2, 1, 3}), {2, 2, 3}), {1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0}, 0);
  expect_close(broadcast_to(ones({}, {.dtype = boolean}), {2}), {1, 1}, 0);
  Tensor copy = zeros({2, 3}, {.dtype = boolean});
  copy.assign(x);
  copy.mutable_data<bool>()[1] = true;
  expect_close(copy, {1, 1, 1, 1, 0, 0}, 0);
  expect_close(x, {1, 0, 1, 1, 0, 0}, 0);
}

TEST(Boolean, Prints) {
  EXPECT_EQ(to_string(mask()), "tensor [2,3] boolean\n[[true, false, true],\n [true, false, false]]");
}

TEST(Boolean, IsNoNumber) {
  const Tensor x = mask();
  expect_error<DTypeError>("add: a must be float32, float64 or int64, it is boolean; to() converts it",
                           [&] { add(x, x); });
  expect_error<DTypeError>("cumsum: x must be float32, float64 or int64, it is boolean; to() converts it",
                           [&] { cumsum(x, 0); });
  expect_error<DTypeError>("sum: x must be float32, float64 or int64, it is boolean; to() converts it",
                           [&] { sum(x); });
  expect_error<DTypeError>("arange: the dtype must be that of numbers, it is boolean",
                           [&] { arange(3, {.dtype = boolean}); });
  expect_error<DTypeError>("uniform: the dtype must be floating, it is boolean",
                           [&] { uniform({2}, 0, 1, {.dtype = boolean}); });
  expect_error<DTypeError>("set_requires_grad: gradients need a floating dtype, the tensor is boolean",
                           [&] { zeros({2}, {.dtype = boolean, .requires_grad = true}); });
  expect_error<DTypeError>("data: the tensor [2,3] is boolean, not float32", [&] { (void)x.data<float>(); });
}

}  // namespace
}  // namespace adjoint
