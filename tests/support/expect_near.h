#pragma once
// Arrays compared element by element.

#include <cmath>
#include <gtest/gtest.h>
#include <iterator>
#include <string>

namespace adjoint::support {

/// |actual[i] - expected[i]| <= tolerance; NaN equals NaN, infinities themselves. what: for the message.
template <class Actual, class Expected>
void expect_near(const Actual& actual, const Expected& expected, double tolerance,
                 const std::string& what = "") {
  ASSERT_EQ(std::size(actual), std::size(expected)) << what;
  for (std::size_t i = 0; i < std::size(actual); ++i) {
    if (actual[i] == expected[i] || (std::isnan(actual[i]) && std::isnan(expected[i]))) continue;
    ASSERT_NEAR(actual[i], expected[i], tolerance) << what << " at " << i;
  }
}

}  // namespace adjoint::support
