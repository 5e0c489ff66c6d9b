#pragma once
// What the tests of ops share: gradient checks that report to GoogleTest, random inputs, comparison with
// plain numbers, and tensors whose values lie in the lanes layout only.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "adjoint/graph/gradcheck.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/layout/interleaved.h"

namespace adjoint::support {

/// The gradients of f at inputs (float64), of all and of each while the others are constants, and the
/// gradients of those, agree with central differences. Where inputs or result are empty the latter have
/// nothing to show and are left out.
inline void expect_gradients(const TensorFunction& f, const std::vector<Tensor>& inputs,
                             const GradcheckOptions& options = {}) {
  const GradcheckResult first = gradcheck(f, inputs, options);
  EXPECT_TRUE(first) << first.report;
  for (std::size_t i = 0; i < inputs.size() && inputs.size() > 1; ++i) {
    const auto of_one = [&](std::span<const Tensor> in) {
      std::vector<Tensor> all = inputs;
      all[i] = in[0];
      return f(all) + in[1];  // whose gradient does not vanish where that of in[0] may
    };
    const GradcheckResult alone = gradcheck(of_one, {inputs[i], zeros({}, {.dtype = float64})}, options);
    EXPECT_TRUE(alone) << "input " << i << " alone: " << alone.report;
  }
  const auto is_empty = [](const Tensor& tensor) { return tensor.numel() == 0; };
  if (is_empty(f(inputs)) || std::all_of(inputs.begin(), inputs.end(), is_empty)) return;
  const GradcheckResult second = gradgradcheck(f, inputs, options);
  EXPECT_TRUE(second) << second.report;
}

/// Elements uniform in [low, high).
inline Tensor random_tensor(const Shape& shape, Rng& rng, double low = -1, double high = 1,
                            DType dtype = float64) {
  return uniform(shape, low, high, {.dtype = dtype}, rng);
}

/// All elements, row-major, whatever their dtype.
inline std::vector<double> numbers(const Tensor& tensor) {
  return visit(tensor.dtype(), [&]<class T>() {
    const auto data = tensor.data<T>();
    return std::vector<double>(data.begin(), data.end());
  });
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

/// x with its values in the lanes layout only, NaN in the spare lanes, and so for its gradient: a
/// differentiable identity. A scalar stays what it is.
inline Tensor in_lanes(const Tensor& x) {
  if (x.rank() == 0) return x;
  Values lanes(x.dtype(), x.shape(), Layout::interleaved);
  visit_floating(x.dtype(), [&]<class T>() {
    constexpr std::int64_t kInterleaved = kernels::kInterleaved<T>;
    const T* rows = x.data<T>().data();
    T* target = lanes.writable<T>();
    const std::int64_t features = x.shape().features();
    std::fill_n(target, lanes.stored_elements(Layout::interleaved), std::numeric_limits<T>::quiet_NaN());
    for (std::int64_t n = 0; n < x.size(0); ++n) {
      for (std::int64_t f = 0; f < features; ++f)
        target[(n / kInterleaved * features + f) * kInterleaved + n % kInterleaved] = rows[n * features + f];
    }
  });
  return record("in_lanes", std::move(lanes), {x},
                [](const Tensor& dy, Needs) -> Grads { return {in_lanes(dy)}; });
}

/// call() throws E, and nothing more general, with exactly this text.
template <class E, class Call>
void expect_error(const Call& call, const std::string& text) {
  try {
    call();
  } catch (const E& error) {
    EXPECT_EQ(error.what(), text);
    return;
  } catch (const std::exception& error) {
    FAIL() << "threw another type: " << error.what();
  }
  FAIL() << "did not throw: " << text;
}

}  // namespace adjoint::support
