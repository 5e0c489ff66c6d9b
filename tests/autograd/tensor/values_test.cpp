#include "adjoint/tensor/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>
#include <vector>

#include "adjoint/tensor/check.h"
#include "autograd/kernels/layout/interleaved.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;

/// Values 0, 1, 2, ... in row-major order, in the row-major layout.
template <class T>
Values counting(const Shape& shape) {
  Values values(dtype_of<T>, shape);
  std::iota(values.writable<T>(), values.writable<T>() + shape.numel(), T{0});
  return values;
}

template <class T>
class ValuesOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ValuesOf, Types);

TYPED_TEST(ValuesOf, InterleavedPutsTheImagesOfABlockSideBySide) {
  constexpr auto kInterleaved = kernels::kInterleaved<TypeParam>;
  const Values values = counting<TypeParam>({kInterleaved + 3, 2, 5});
  EXPECT_EQ(values.stored_elements(Layout::interleaved), 2 * kInterleaved * 10);
  const TypeParam* interleaved = values.interleaved<TypeParam>();
  for (std::int64_t n = 0; n < kInterleaved + 3; ++n) {
    for (std::int64_t f = 0; f < 10; ++f) {
      ASSERT_EQ(interleaved[((n / kInterleaved) * 10 + f) * kInterleaved + n % kInterleaved],
                static_cast<TypeParam>(n * 10 + f));
    }
  }
}

TYPED_TEST(ValuesOf, RowMajorComesBackFromInterleaved) {
  for (const std::int64_t images : {0, 1, 5, 16, 17, 40}) {
    for (const std::int64_t features : {0, 1, 3, 16, 19}) {
      const Values rows = counting<TypeParam>({images, features});
      Values interleaved(dtype_of<TypeParam>, rows.shape(), Layout::interleaved);
      std::copy_n(rows.interleaved<TypeParam>(), rows.stored_elements(Layout::interleaved),
                  interleaved.template writable<TypeParam>());
      EXPECT_FALSE(interleaved.has(Layout::row_major));
      EXPECT_TRUE(std::equal(rows.row_major<TypeParam>(), rows.row_major<TypeParam>() + rows.numel(),
                             interleaved.row_major<TypeParam>()));
      EXPECT_TRUE(interleaved.has(Layout::row_major));
    }
  }
}

TEST(Values, OnlyTheirOwnElementTypeMayBeAskedFor) {
  Values values = counting<float>({2, 3});
  const char* const kMessage = "values: they are float32 [2,3], not float64";
  expect_error<DTypeError>(kMessage, [&] { values.writable<double>(); });
  expect_error<DTypeError>(kMessage, [&] { values.row_major<double>(); });
  expect_error<DTypeError>(kMessage, [&] { values.interleaved<double>(); });
  expect_error<DTypeError>(kMessage, [&] { values.outer_product<double>(); });
  expect_error<DTypeError>("values: they are float32 [2,3], not int64",
                           [&] { values.row_major<std::int64_t>(); });
}

TEST(Values, OthersThatAreAssignedWereNotHandedOut) {
  Values values = counting<float>({4});
  values.hand_out();
  EXPECT_TRUE(values.handed_out());
  values = counting<float>({4});
  EXPECT_FALSE(values.handed_out());
}

TEST(Values, SharingAndUniqueness) {
  Values a = counting<float>({4});
  EXPECT_TRUE(a.is_unique());
  {
    const Values b = a;
    EXPECT_FALSE(a.is_unique());
    EXPECT_EQ(a.row_major<float>(), b.row_major<float>());
  }
  EXPECT_TRUE(a.is_unique());
  a.interleaved<float>();
  EXPECT_FALSE(a.is_unique()) << "in-place use would leave the other layout stale";
  Values c = std::move(a);
  EXPECT_FALSE(a.has(Layout::row_major));
  a = c.copy();
  EXPECT_NE(a.row_major<float>(), c.row_major<float>());
  EXPECT_EQ(a.row_major<float>()[3], 3);
}

TEST(Values, ReshapingKeepsInterleavedOnlyWithTheSameImages) {
  Values values(DType::float32, {20, 2, 3}, Layout::interleaved);
  std::fill_n(values.writable<float>(), values.stored_elements(Layout::interleaved), 1.0f);
  EXPECT_FALSE(values.reshaped({20, 6}).has(Layout::row_major));
  const Values other = values.reshaped({40, 3});
  EXPECT_TRUE(other.has(Layout::row_major));
  EXPECT_FALSE(other.has(Layout::interleaved));
}

/// The outer product of 1, 2, 3, ... and 10, 11, 12, ...
template <class T>
Values outer_product(std::int64_t rows, std::int64_t columns) {
  Values values = Values::as_outer_product(dtype_of<T>, {rows, columns});
  const auto [column, row] = values.writable_outer_product<T>();
  std::iota(column, column + rows, T{1});
  std::iota(row, row + columns, T{10});
  return values;
}

TYPED_TEST(ValuesOf, AnOuterProductGivesItsElementsInEitherLayout) {
  constexpr auto kInterleaved = kernels::kInterleaved<TypeParam>;
  for (const std::int64_t rows : {0, 1, 5, 19}) {
    for (const std::int64_t columns : {0, 1, 17}) {
      const Values values = outer_product<TypeParam>(rows, columns),
                   twin = outer_product<TypeParam>(rows, columns);
      EXPECT_EQ(values.cheapest_layout(), Layout::row_major);
      const TypeParam *product = values.row_major<TypeParam>(), *interleaved = twin.interleaved<TypeParam>();
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
          const auto expected = static_cast<TypeParam>((i + 1) * (j + 10));
          ASSERT_EQ(product[i * columns + j], expected);
          ASSERT_EQ(interleaved[(i / kInterleaved * columns + j) * kInterleaved + i % kInterleaved],
                    expected);
        }
      }
    }
  }
}

TEST(Values, AnOuterProductStaysWhenLayoutsAreMadeFromIt) {
  const Values values = outer_product<float>(3, 4);
  const auto [column, row] = values.outer_product<float>();
  EXPECT_EQ(values.interleaved<float>()[1], 2 * 10);
  EXPECT_EQ(values.row_major<float>()[4], 2 * 10);
  EXPECT_EQ(values.outer_product<float>().column, column);
  EXPECT_EQ(column[0], 1);
  EXPECT_EQ(row[0], 10);
}

TEST(Values, AnOuterProductIsNeverWrittenInPlaceOrReshaped) {
  const Values values = outer_product<float>(3, 4);
  EXPECT_FALSE(values.is_unique());
  values.row_major<float>();
  EXPECT_FALSE(values.is_unique()) << "in-place use would leave the outer product stale";
  EXPECT_FALSE(values.copy().has_outer_product());
  for (const Shape& shape : {Shape{4, 3}, Shape{3, 2, 2}, Shape{12}}) {
    for (const bool interleaved : {false, true}) {
      const Values before = outer_product<float>(3, 4);
      if (interleaved) before.interleaved<float>();
      const Values other = before.reshaped(shape);
      EXPECT_FALSE(other.has_outer_product());
      EXPECT_EQ(other.row_major<float>()[11], 3 * 13);
    }
  }
}

TEST(Values, TwoThreadsMayConvertAnOuterProductAtOnce) {
  for (int round = 0; round < 50; ++round) {
    const Values values = outer_product<float>(33, 50);
    const float *interleaved[2], *rows = nullptr;
    std::thread first([&] { interleaved[0] = values.interleaved<float>(); });
    std::thread second([&] {
      rows = values.row_major<float>();
      interleaved[1] = values.interleaved<float>();
    });
    first.join();
    second.join();
    EXPECT_EQ(interleaved[0], interleaved[1]);
    EXPECT_EQ(interleaved[0][1], 2 * 10);
    EXPECT_EQ(rows[50], 2 * 10);
  }
}

TEST(Values, TwoThreadsMayConvertAtOnce) {
  for (int round = 0; round < 50; ++round) {
    const Values values = counting<float>({33, 50});
    const float* seen[2];
    std::thread first([&] { seen[0] = values.interleaved<float>(); });
    std::thread second([&] { seen[1] = values.interleaved<float>(); });
    first.join();
    second.join();
    EXPECT_EQ(seen[0], seen[1]);
    EXPECT_EQ(seen[0][1], 50);
  }
}

}  // namespace
}  // namespace adjoint
