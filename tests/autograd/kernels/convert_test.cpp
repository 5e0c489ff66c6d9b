// From row-major to interleaved and back, and gathered byte images, against index arithmetic.

#include "autograd/kernels/layout/convert.h"

#include <gtest/gtest.h>
#include <vector>

#include "tests/support/instruction_sets.h"
#include "tests/support/interleaved.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;

template <class T>
class Convert : public testing::Test {
 protected:
  /// Calls check(count, features) for small, odd and thread-worthy sizes, on every instruction set.
  template <class F>
  void for_each_size(F check) {
    for_each_instruction_set([&] {
      for (const std::int64_t count : {0, 1, 7, 8, 15, 16, 17, 40, 129})
        for (const std::int64_t features : {0, 1, 2, 3, 4, 5, 31, 64, 784}) {
          SCOPED_TRACE(testing::Message() << "count " << count << ", features " << features);
          const WithThreads threads(static_cast<int>(count % 3) + 1);
          check(count, features);
        }
    });
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Convert, Types);

/// What an interleaved array must hold, spare lanes being 0.
template <class T, class F>
Interleaved<T> expected_interleaved(std::int64_t count, std::int64_t features, F value) {
  Interleaved<T> interleaved(count, features, 0);
  for (std::int64_t n = 0; n < count; ++n)
    for (std::int64_t f = 0; f < features; ++f) interleaved(n, f) = value(n, f);
  return interleaved;
}

TYPED_TEST(Convert, RowMajorToInterleaved) {
  using T = TypeParam;
  this->for_each_size([](std::int64_t count, std::int64_t features) {
    std::vector<T> rows(static_cast<std::size_t>(count * features));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<T>(i + 1);
    const auto expected =
        expected_interleaved<T>(count, features, [&](auto n, auto f) { return T(n * features + f + 1); });
    Interleaved<T> interleaved(count, features, -1);
    interleave(count, features, rows.data(), interleaved.data());
    EXPECT_TRUE(interleaved == expected);
  });
}

TYPED_TEST(Convert, InterleavedToRowMajorLeavesSpareLanesOut) {
  using T = TypeParam;
  this->for_each_size([](std::int64_t count, std::int64_t features) {
    Interleaved<T> interleaved(count, features);
    std::vector<T> expected;
    for (std::int64_t n = 0; n < count; ++n)
      for (std::int64_t f = 0; f < features; ++f) {
        expected.push_back(static_cast<T>(n * features + f));
        interleaved(n, f) = expected.back();
      }
    expected.push_back(T(-1));  // one past the end must not be touched
    std::vector<T> rows(expected.size(), T(-1));
    deinterleave(count, features, interleaved.data(), rows.data());
    EXPECT_EQ(rows, expected);
  });
}

// The expected pixels are quotients, which the processor rounds once; all 256 bytes occur.
TYPED_TEST(Convert, GathersImagesDividedBy255) {
  using T = TypeParam;
  this->for_each_size([](std::int64_t count, std::int64_t features) {
    std::vector<std::uint8_t> images(static_cast<std::size_t>(11 * features));
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<std::uint8_t>(i * 37 % 256);
    std::vector<std::int64_t> index(static_cast<std::size_t>(count));
    for (std::size_t n = 0; n < index.size(); ++n) index[n] = static_cast<std::int64_t>(n * 5 % 11);
    const auto value = [&](std::int64_t n, std::int64_t f) {
      const std::int64_t image = index[static_cast<std::size_t>(n)];
      return static_cast<T>(images[static_cast<std::size_t>(image * features + f)]) / 255;
    };

    std::vector<T> expected_rows, rows(static_cast<std::size_t>(count * features));
    for (std::int64_t n = 0; n < count; ++n)
      for (std::int64_t f = 0; f < features; ++f) expected_rows.push_back(value(n, f));
    gather_images(Layout::row_major, images.data(), features, index.data(), count, rows.data());
    EXPECT_EQ(rows, expected_rows);

    const auto expected = expected_interleaved<T>(count, features, value);
    Interleaved<T> interleaved(count, features, -1);
    gather_images(Layout::interleaved, images.data(), features, index.data(), count, interleaved.data());
    EXPECT_TRUE(interleaved == expected);
  });
}

}  // namespace
}  // namespace adjoint::kernels
