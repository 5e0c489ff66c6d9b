#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <sstream>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;

TEST(Print, ShowsShapeDtypeAndValues) {
  EXPECT_EQ(to_string(tensor({1, 2.5, -3, 4, 5, 6e9}, {2, 3})),
            "tensor [2,3] float32\n[[1, 2.5, -3],\n [4, 5, 6e+09]]");
  EXPECT_EQ(to_string(scalar(0.1, {.dtype = float64})), "tensor [] float64\n0.1");
  EXPECT_EQ(to_string(arange(3)), "tensor [3] int64\n[0, 1, 2]");
}

TEST(Print, ElidesTheMiddleOfLongAxes) {
  EXPECT_EQ(to_string(arange(100)), "tensor [100] int64\n[0, 1, 2, ..., 97, 98, 99]");
  const std::string matrix = to_string(zeros({1000, 1000}));
  EXPECT_LT(matrix.size(), 300u);
}

TEST(Print, ShowsSevenDigitsUnlessToldOtherwise) {
  const Tensor x = tensor({1.000001, 0.1, 2.0 / 3, 12345678}, {.dtype = float64});
  EXPECT_EQ(to_string(x), "tensor [4] float64\n[1.000001, 0.1, 0.6666667, 1.234568e+07]");
  EXPECT_EQ(to_string(x, {.digits = 3}), "tensor [4] float64\n[1, 0.1, 0.667, 1.23e+07]");
  EXPECT_EQ(to_string(x, {.digits = 17}),
            "tensor [4] float64\n[1.0000009999999999, 0.10000000000000001, 0.66666666666666663, 12345678]");
  EXPECT_EQ(to_string(scalar(0.1)), "tensor [] float32\n0.1");
  EXPECT_EQ(to_string(full({1}, 123456789, {.dtype = int64}), {.digits = 1}),
            "tensor [1] int64\n[123456789]");
  std::ostringstream stream;
  stream << x;
  EXPECT_EQ(stream.str(), to_string(x));
}

/// Numbers in the text of a tensor of zeros.
std::int64_t shown(const Shape& shape, const PrintOptions& options = {}) {
  const std::string text = to_string(zeros(shape), options);
  const std::string values = text.substr(text.find('\n'));
  return std::count(values.begin(), values.end(), '0');
}

TEST(Print, ShowsAboutAThousandNumbersAtMostWhateverTheShape) {
  EXPECT_EQ(shown({8, 8}), 64);
  EXPECT_EQ(shown({9, 8}), 6 * 8);
  EXPECT_EQ(shown({8, 8, 8}), 512);
  EXPECT_EQ(shown({8, 8, 8, 2}), 4 * 4 * 4 * 2);                // 1024 would be too many
  EXPECT_EQ(shown({8, 8, 8, 8, 8, 8}), 2 * 2 * 2 * 2 * 2 * 2);  // with 4 of each, 4096
  EXPECT_EQ(shown({5, 5, 5, 5, 1, 1}), 5 * 5 * 5 * 5);
  EXPECT_EQ(shown({5, 5, 5, 5, 5}), 2 * 2 * 2 * 2 * 2);
  EXPECT_EQ(shown({2, 2, 2, 2, 2, 2, 2, 2}), 256);
  EXPECT_EQ(shown({3, 3, 3, 3, 3, 3, 3, 3}), 256);
  EXPECT_EQ(shown({100, 100}, {.elements = 36}), 36);
  EXPECT_EQ(shown({100, 100}, {.elements = 35}), 16);
  EXPECT_EQ(shown({100, 100}, {.elements = 1}), 4);
  EXPECT_EQ(shown({8, 8, 8, 2}, {.elements = 1024}), 1024);
  EXPECT_LT(to_string(zeros({8, 8, 8, 8, 8, 8, 8, 0})).size(), 5000u);  // brackets count as well
}

TEST(Print, ElidesMoreWhereThereAreManyAxes) {
  EXPECT_EQ(to_string(arange(8), {.elements = 7}), "tensor [8] int64\n[0, 1, ..., 6, 7]");
  EXPECT_EQ(to_string(arange(8), {.elements = 3}), "tensor [8] int64\n[0, ..., 7]");
  EXPECT_EQ(to_string(arange(3), {.elements = 2}), "tensor [3] int64\n[0, ..., 2]");
}

TEST(Print, NaNHasNoSign) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(to_string(tensor({kNaN, std::copysign(kNaN, -1.0), -0.0})), "tensor [3] float32\n[nan, nan, -0]");
}

TEST(Print, RefusesOptionsOutOfRange) {
  const Tensor x = zeros({1});
  expect_error<Error>("to_string: digits must be 1 to 17, it is 0", [&] { to_string(x, {.digits = 0}); });
  expect_error<Error>("to_string: digits must be 1 to 17, it is 18", [&] { to_string(x, {.digits = 18}); });
  expect_error<Error>("to_string: elements must be at least 1, it is 0",
                      [&] { to_string(x, {.elements = 0}); });
}

TEST(Print, ShowsWhereItComesFrom) {
  Tensor w = ones({2}, {.requires_grad = true});
  EXPECT_EQ(to_string(w), "tensor [2] float32 requires_grad\n[1, 1]");
  w.set_name("conv1.weight");
  EXPECT_EQ(to_string(w), "tensor [2] float32 requires_grad conv1.weight\n[1, 1]");
  EXPECT_EQ(to_string(w + w), "tensor [2] float32 from add\n[2, 2]");
}

TEST(Print, EmptyAndUndefined) {
  EXPECT_EQ(to_string(zeros({2, 0})), "tensor [2,0] float32\n[[],\n []]");
  EXPECT_EQ(to_string(Tensor()), "undefined tensor");
  std::ostringstream stream;
  stream << scalar(1);
  EXPECT_EQ(stream.str(), "tensor [] float32\n1");
}

}  // namespace
}  // namespace adjoint
