#pragma once
// Tensors compared with plain numbers, and tensors whose values are interleaved only.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "adjoint/graph/node.h"
#include "adjoint/tensor/create.h"
#include "tests/support/interleaved.h"

namespace adjoint::support {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// All elements, row-major, whatever their dtype.
inline std::vector<double> numbers(const Tensor& tensor) {
  return visit(tensor.dtype(), [&]<class T>() {
    const auto data = tensor.data<T>();
    return std::vector<double>(data.begin(), data.end());
  });
}

/// The elements of all tensors, one after the other.
inline std::vector<double> numbers(const std::vector<Tensor>& tensors) {
  std::vector<double> all;
  for (const Tensor& tensor : tensors) {
    const std::vector<double> some = numbers(tensor);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

/// Element by element |actual - expected| <= tolerance max(1, |expected|); NaN equals NaN, infinities
/// themselves.
inline void expect_close(const Tensor& actual, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> found = numbers(actual);
  ASSERT_EQ(found.size(), expected.size()) << "the shape is " << to_string(actual.shape());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] == expected[i] || (std::isnan(found[i]) && std::isnan(expected[i]))) continue;
    const bool close = std::abs(found[i] - expected[i]) <= tolerance * std::max(1.0, std::abs(expected[i]));
    ASSERT_TRUE(close && std::isfinite(expected[i])) << "element " << i << " of " << to_string(actual.shape())
                                                     << " is " << found[i] << ", expected " << expected[i];
  }
}

/// Bit for bit, so that 0 is not -0; but any NaN equals any other.
template <class T>
void expect_bits(const Tensor& actual, const std::vector<T>& expected) {
  const auto found = actual.data<T>();
  ASSERT_EQ(found.size(), expected.size()) << "the shape is " << to_string(actual.shape());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool same = std::memcmp(&found[i], &expected[i], sizeof(T)) == 0;
    ASSERT_TRUE(same || (std::isnan(found[i]) && std::isnan(expected[i])))
        << "element " << i << " of " << to_string(actual.shape()) << " is " << found[i] << ", expected "
        << expected[i];
  }
}

/// As expect_close above, with the shape compared as well.
inline void expect_close(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_EQ(to_string(actual.shape()), to_string(expected.shape()));
  expect_close(actual, numbers(expected), tolerance);
}

/// A tolerance for results of a few operations on numbers around 1.
inline double tolerance_of(DType dtype) { return dtype == float32 ? 1e-5 : 1e-13; }

/// x with interleaved values only, NaN in the spare lanes; its gradient likewise. A differentiable identity.
/// A scalar is returned as it is.
inline Tensor as_interleaved(const Tensor& x) {
  if (x.rank() == 0) return x;
  Values interleaved(x.dtype(), x.shape(), Layout::interleaved);
  visit_floating(x.dtype(), [&]<class T>() {
    const T* rows = x.data<T>().data();
    T* target = interleaved.writable<T>();
    const std::int64_t features = x.shape().features();
    std::fill_n(target, interleaved.stored_elements(Layout::interleaved),
                std::numeric_limits<T>::quiet_NaN());
    for (std::int64_t n = 0; n < x.size(0); ++n) {
      for (std::int64_t f = 0; f < features; ++f)
        target[interleaved_offset<T>(features, n, f)] = rows[n * features + f];
    }
  });
  return record("as_interleaved", std::move(interleaved), {x},
                [](const Tensor& dy, Needs) -> Grads { return {as_interleaved(dy)}; });
}

}  // namespace adjoint::support
