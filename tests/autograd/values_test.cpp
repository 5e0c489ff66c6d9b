#include "autograd/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>
#include <vector>

#include "autograd/kernels/lanes.h"

namespace adjoint {
namespace {

using Layout = Values::Layout;

/// Values 0, 1, 2, ... in row-major order, held as rows.
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

TYPED_TEST(ValuesOf, LanesPutTheImagesOfABlockSideBySide) {
  constexpr auto kLanes = kernels::kLanes<TypeParam>;
  const Values values = counting<TypeParam>({kLanes + 3, 2, 5});
  EXPECT_EQ(values.stored_elements(Layout::lanes), 2 * kLanes * 10);
  const TypeParam* lanes = values.lanes<TypeParam>();
  for (std::int64_t n = 0; n < kLanes + 3; ++n) {
    for (std::int64_t f = 0; f < 10; ++f) {
      ASSERT_EQ(lanes[((n / kLanes) * 10 + f) * kLanes + n % kLanes], static_cast<TypeParam>(n * 10 + f));
    }
  }
}

TYPED_TEST(ValuesOf, RowsComeBackFromLanes) {
  for (const std::int64_t images : {0, 1, 5, 16, 17, 40}) {
    for (const std::int64_t features : {0, 1, 3, 16, 19}) {
      const Values rows = counting<TypeParam>({images, features});
      Values lanes(dtype_of<TypeParam>, rows.shape(), Layout::lanes);
      std::copy_n(rows.lanes<TypeParam>(), rows.stored_elements(Layout::lanes),
                  lanes.template writable<TypeParam>());
      EXPECT_FALSE(lanes.has(Layout::rows));
      EXPECT_TRUE(
          std::equal(rows.rows<TypeParam>(), rows.rows<TypeParam>() + rows.numel(), lanes.rows<TypeParam>()));
      EXPECT_TRUE(lanes.has(Layout::rows));
    }
  }
}

TEST(Values, SharingAndUniqueness) {
  Values a = counting<float>({4});
  EXPECT_TRUE(a.is_unique());
  {
    const Values b = a;
    EXPECT_FALSE(a.is_unique());
    EXPECT_EQ(a.rows<float>(), b.rows<float>());
  }
  EXPECT_TRUE(a.is_unique());
  a.lanes<float>();
  EXPECT_FALSE(a.is_unique()) << "in-place use would leave the other layout stale";
  Values c = std::move(a);
  EXPECT_FALSE(a.has(Layout::rows));
  a = c.copy();
  EXPECT_NE(a.rows<float>(), c.rows<float>());
  EXPECT_EQ(a.rows<float>()[3], 3);
}

TEST(Values, ReshapingKeepsLanesOnlyWithTheSameImages) {
  Values values(DType::float32, {20, 2, 3}, Layout::lanes);
  std::fill_n(values.writable<float>(), values.stored_elements(Layout::lanes), 1.0f);
  EXPECT_FALSE(values.reshaped({20, 6}).has(Layout::rows));
  const Values other = values.reshaped({40, 3});
  EXPECT_TRUE(other.has(Layout::rows));
  EXPECT_FALSE(other.has(Layout::lanes));
}

TEST(Values, TwoThreadsMayConvertAtOnce) {
  for (int round = 0; round < 50; ++round) {
    const Values values = counting<float>({33, 50});
    const float* seen[2];
    std::thread first([&] { seen[0] = values.lanes<float>(); });
    std::thread second([&] { seen[1] = values.lanes<float>(); });
    first.join();
    second.join();
    EXPECT_EQ(seen[0], seen[1]);
    EXPECT_EQ(seen[0][1], 50);
  }
}

}  // namespace
}  // namespace adjoint
