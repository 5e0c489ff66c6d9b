#include "adjoint/tensor/shape.h"

#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adjoint/tensor/check.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;

TEST(Shape, AScalarHasRankZeroAndOneElement) {
  const Shape scalar;
  EXPECT_EQ(scalar.rank(), 0);
  EXPECT_EQ(scalar.numel(), 1);
  EXPECT_EQ(scalar.features(), 1);
  EXPECT_EQ(to_string(scalar), "[]");
}

TEST(Shape, CountsElementsAndFeatures) {
  const Shape shape{4, 3, 5};
  EXPECT_EQ(shape.numel(), 60);
  EXPECT_EQ(shape.features(), 15);
  EXPECT_EQ((Shape{0, 3}).numel(), 0);
  EXPECT_EQ((Shape{0, 3}).features(), 3);
  EXPECT_EQ(to_string(shape), "[4,3,5]");
}

TEST(Shape, NegativeAxesCountFromTheEnd) {
  const Shape shape{4, 3, 5};
  EXPECT_EQ(shape[0], 4);
  EXPECT_EQ(shape[-1], 5);
  EXPECT_EQ(shape[-3], 4);
  EXPECT_EQ(shape.with(-2, 7), (Shape{4, 7, 5}));
}

TEST(Shape, ComparesRankAndSizes) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{2, 3, 1}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{3, 2}));
}

TEST(Shape, RejectsBadSizesAndAxes) {
  expect_error<ShapeError>("shape: sizes must not be negative, axis 1 has -3", [&] { Shape({2, -3}); });
  expect_error<ShapeError>("shape: at most 8 axes are supported, got 9", [&] {
    Shape({1, 1, 1, 1, 1, 1, 1, 1, 1});
  });
  expect_error<ShapeError>("shape: axis 2 is out of range for [4,3]", [&] { (Shape{4, 3}[2]); });
  expect_error<ShapeError>("shape: axis -3 is out of range for [4,3]", [&] { (Shape{4, 3}[-3]); });
}

TEST(Shape, AnOverflowIsNotHiddenByASizeOfZero) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  expect_error<ShapeError>("shape: too many elements, the product of [1099511627776,1099511627776] overflows",
                           [&] {
                             Shape({kHuge, kHuge});
                           });
  EXPECT_THROW(Shape({0, kHuge, kHuge}), ShapeError);
  EXPECT_THROW(Shape({kHuge, 0, kHuge}), ShapeError);
}

TEST(Shape, BytesCanBeCountedToo) {
  constexpr std::int64_t kTooMany = std::int64_t{1} << 59;  // 2^62 bytes of float64
  EXPECT_EQ(Shape({kTooMany - 1}).numel(), kTooMany - 1);
  EXPECT_THROW(Shape({kTooMany}), ShapeError);
  EXPECT_THROW(Shape({0, kTooMany}), ShapeError);
}

}  // namespace
}  // namespace adjoint
