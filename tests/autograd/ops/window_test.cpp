#include "adjoint/ops/window.h"

#include <gtest/gtest.h>

#include "adjoint/tensor/check.h"
#include "tests/support/throws.h"

namespace adjoint::ops {
namespace {

using support::expect_error;

/// {height, width} as text, for comparison.
std::string windows_on(const Shape& x, const Windows& windows) {
  return fmt::format("{}", count_windows("op", x, windows));
}

TEST(Window, CountsThoseThatFit) {
  const Shape x{1, 1, 7, 4};
  EXPECT_EQ(windows_on(x, {.size = {3, 2}, .stride = 1, .padding = 0}), "{5, 3}");
  EXPECT_EQ(windows_on(x, {.size = {3, 2}, .stride = {2, 3}, .padding = 0}), "{3, 1}");
  EXPECT_EQ(windows_on(x, {.size = {3, 2}, .stride = {3, 2}, .padding = {1, 0}}), "{3, 2}");
  EXPECT_EQ(windows_on(x, {.size = {3, 2}, .stride = 1, .padding = {0, 1}, .dilation = {3, 5}}), "{1, 1}");
  EXPECT_EQ(windows_on(x, {.size = 1, .stride = INT64_MAX, .padding = 0, .dilation = INT64_MAX}), "{1, 1}");
}

TEST(Window, TakesImagesOfUpTo2To53ElementsWithTheirPadding) {
  const std::int64_t height = std::int64_t{1} << 27, width = std::int64_t{1} << 26;
  const PerAxis padding{height / 2 - 1, width / 2 - 1};
  EXPECT_EQ(windows_on({1, 1, 2, 2}, {.size = {5, 1}, .stride = 1, .padding = padding}),
            "{134217724, 67108864}");
  EXPECT_THROW(windows_on({1, 1, 2, 3}, {.size = 1, .stride = 1, .padding = padding}), ShapeError);
  EXPECT_THROW(windows_on({1, 1, 3, 2}, {.size = 1, .stride = 1, .padding = padding}), ShapeError);
}

TEST(Window, RefusesSizesThatOverflow) {
  const std::int64_t most = INT64_MAX, quarter = std::int64_t{1} << 62;
  const std::int64_t word = std::int64_t{1} << 32;
  // Each would wrap around to sizes that fit.
  const Windows overflowing[] = {
      {.size = {5, 1}, .stride = 1, .padding = 0, .dilation = quarter},  // 4 quarter = 2^64
      {.size = {1, 5}, .stride = 1, .padding = 0, .dilation = quarter},
      {.size = {2, 1}, .stride = 1, .padding = 0, .dilation = most},  // most + 1
      {.size = {1, 2}, .stride = 1, .padding = 0, .dilation = most},
      {.size = {most, 1}, .stride = 1, .padding = 0, .dilation = 4},
      {.size = 1, .stride = 1, .padding = {quarter, 0}},      // 2 quarter = 2^63
      {.size = 1, .stride = 1, .padding = {0, most}},         // 2 most = -2
      {.size = 1, .stride = 1, .padding = {quarter - 1, 0}},  // 2^63 - 2 and 7 rows
      {.size = 1, .stride = 1, .padding = {0, quarter - 1}},
      {.size = 1, .stride = 1, .padding = word},  // 2^66 elements
  };
  for (const Windows& windows : overflowing) {
    expect_error<ShapeError>(fmt::format("op: window {}, dilation {} or padding {} is too large",
                                         windows.size, windows.dilation, windows.padding),
                             [&] {
                               windows_on({1, 1, 7, 4}, windows);
                             });
  }
}

// The sum alone overflows, where the product with the other axis does not.
TEST(Window, RefusesPaddedSizesThatOverflow) {
  const std::int64_t half = INT64_MAX / 2;
  expect_error<ShapeError>(
      "op: window {1, 1}, dilation {1, 1} or padding {4611686018427387903, 0} is too large", [&] {
        windows_on({1, 1, 7, 1}, {.size = 1, .stride = 1, .padding = {half, 0}});
      });
  expect_error<ShapeError>(
      "op: window {1, 1}, dilation {1, 1} or padding {0, 4611686018427387903} is too large", [&] {
        windows_on({1, 1, 1, 4}, {.size = 1, .stride = 1, .padding = {0, half}});
      });
}

TEST(Window, RefusesWindowsThatReachOverTheImage) {
  expect_error<ShapeError>(
      "op: a window reaches over 8 rows, x has 7 with its padding (x [1,1,7,4], window {8, 1}, dilation "
      "{1, 1}, padding {0, 0})",
      [&] {
        windows_on({1, 1, 7, 4}, {.size = {8, 1}, .stride = 1, .padding = 0});
      });
  expect_error<ShapeError>(
      "op: a window reaches over 7 columns, x has 6 with its padding (x [1,1,7,4], window {1, 3}, "
      "dilation {1, 3}, padding {0, 1})",
      [&] {
        windows_on({1, 1, 7, 4}, {.size = {1, 3}, .stride = 1, .padding = {0, 1}, .dilation = {1, 3}});
      });
}

TEST(Window, ChecksOptionsOnBothAxes) {
  check_at_least(2, "op", "stride", {2, 3});
  expect_error<Error>("op: stride must be at least 2, it is {1, 3}", [&] {
    check_at_least(2, "op", "stride", {1, 3});
  });
  expect_error<Error>("op: stride must be at least 2, it is {3, 1}", [&] {
    check_at_least(2, "op", "stride", {3, 1});
  });
}

}  // namespace
}  // namespace adjoint::ops
