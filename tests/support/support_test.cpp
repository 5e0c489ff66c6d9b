// The tools of all tests: settings end with their scope, and comparisons that should fail do fail.

#include <cmath>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <vector>

#include "adjoint/tensor/check.h"
#include "tests/support/expect_near.h"
#include "tests/support/interleaved.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint::support {
namespace {

TEST(Support, TheNumberOfThreadsComesBackWhenSomethingThrows) {
  const int before = num_threads();
  EXPECT_THROW(
      {
        const WithThreads threads(before + 1);
        EXPECT_EQ(num_threads(), before + 1);
        throw std::runtime_error("");
      },
      std::runtime_error);
  EXPECT_EQ(num_threads(), before);
}

TEST(Support, AnErrorIsComparedInTypeAndText) {
  expect_error<ShapeError>("text", [] { throw ShapeError("text"); });
  EXPECT_NONFATAL_FAILURE(expect_error<Error>("text", [] { throw Error("texts"); }), "texts");
  EXPECT_NONFATAL_FAILURE(expect_error<ShapeError>("text", [] { throw Error("text"); }), "another type");
  EXPECT_NONFATAL_FAILURE(expect_error<Error>("text", [] {}), "no error");
}

TEST(Support, ADifferenceBetweenNumbersOfThreadsIsNoticed) {
  const auto zero_with_a_sign = [] { return std::vector<double>{num_threads() == 8 ? -0.0 : 0.0}; };
  EXPECT_NONFATAL_FAILURE(expect_same_bits_for_any_number_of_threads(zero_with_a_sign), "8 threads");
}

TEST(Support, NotANumberIsNearNothingElse) {
  const auto compare = [](double found, double expected) {
    expect_near(std::vector{found}, std::vector{expected}, 1);
  };
  compare(NAN, NAN);
  compare(INFINITY, INFINITY);
  compare(1, 2);
  EXPECT_FATAL_FAILURE(expect_near(std::vector{NAN}, std::vector{1.0}, 1), "at 0");
  EXPECT_FATAL_FAILURE(expect_near(std::vector{1.0}, std::vector{double(NAN)}, 1), "at 0");
  EXPECT_FATAL_FAILURE(expect_near(std::vector{INFINITY}, std::vector{-INFINITY}, 1), "at 0");
  EXPECT_FATAL_FAILURE(expect_near(std::vector{1.0, 2.0}, std::vector{1.0}, 1), "size");
}

// 18 images of 2 features in float32: two blocks of 16.
TEST(Support, ImagesOfABlockLieSideBySide) {
  EXPECT_EQ(interleaved_offset<float>(2, 0, 1), 16);
  EXPECT_EQ(interleaved_offset<float>(2, 15, 0), 15);
  EXPECT_EQ(interleaved_offset<float>(2, 17, 1), 32 + 16 + 1);
  EXPECT_EQ(interleaved_offset<double>(2, 17, 1), 2 * 16 + 8 + 1);
  const auto values = random_values<float>(36, 1);
  Interleaved<float> both(18, values);
  EXPECT_EQ(both.row_major(), values);
  EXPECT_EQ(both.data()[32 + 16 + 1], values[35]);
  EXPECT_TRUE(std::isnan(both.data()[63])) << "a spare lane";
}

}  // namespace
}  // namespace adjoint::support
