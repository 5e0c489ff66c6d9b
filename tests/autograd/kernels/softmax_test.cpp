#include "autograd/kernels/softmax/softmax.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <rapidcheck/gtest.h>
#include <vector>

#include "tests/support/instruction_sets.h"
#include "tests/support/interleaved.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;
using L = long double;

template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

template <class T>
void check_softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner) {
  const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-13;
  const std::int64_t count = outer * axis * inner;
  auto x = random_values<T>(count, 1, -40, 40);
  if (count > 1 && axis > 1) x[0] = -kInfinity<T>;
  const auto dy = random_values<T>(count, 2, -2, 2);
  std::vector<T> y(count), log_y = x, dx(count), log_dx(count);
  softmax(outer, axis, inner, x.data(), y.data());
  log_softmax(outer, axis, inner, log_y.data(), log_y.data());
  softmax_grad(outer, axis, inner, dy.data(), y.data(), dx.data());
  log_softmax_grad(outer, axis, inner, dy.data(), log_y.data(), log_dx.data());
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      const auto at = [&](std::int64_t k) { return (o * axis + k) * inner + i; };
      L largest = -kInfinity<L>, sum = 0, dot = 0, dy_sum = 0;
      for (std::int64_t k = 0; k < axis; ++k) largest = std::max<L>(largest, x[at(k)]);
      for (std::int64_t k = 0; k < axis; ++k) sum += std::exp(x[at(k)] - largest);
      for (std::int64_t k = 0; k < axis; ++k) {
        dot += dy[at(k)] * std::exp(x[at(k)] - largest) / sum;
        dy_sum += dy[at(k)];
      }
      for (std::int64_t k = 0; k < axis; ++k) {
        const L s = std::exp(x[at(k)] - largest) / sum;
        ASSERT_NEAR(y[at(k)], s, tolerance);
        ASSERT_NEAR(dx[at(k)], s * (dy[at(k)] - dot), tolerance);
        ASSERT_NEAR(log_dx[at(k)], dy[at(k)] - s * dy_sum, 20 * tolerance);
        if (std::isinf(x[at(k)])) {
          ASSERT_EQ(log_y[at(k)], -kInfinity<T>);
        } else {
          ASSERT_NEAR(log_y[at(k)], x[at(k)] - largest - std::log(sum), 5 * tolerance);
        }
      }
    }
  }
}

RC_GTEST_PROP(Softmax, AgreesWithPlainLoops, ()) {
  const auto size = [] { return *rc::gen::element<std::int64_t>(0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 33); };
  const auto outer = *rc::gen::inRange<std::int64_t>(0, 4), axis = size(), inner = size();
  RC_LOG() << outer << "," << axis << "," << inner;
  for_each_instruction_set([&] {
    check_softmax<float>(outer, axis, inner);
    check_softmax<double>(outer, axis, inner);
    check_softmax<float>(outer, axis, 1);
    check_softmax<double>(outer, axis, 1);
  });
  RC_ASSERT(!testing::Test::HasFailure());
}

// Vectors reach over the ends of rows; what they hold there must not count as the largest logit.
TEST(Softmax, RowsOfVeryNegativeLogits) {
  const auto check = []<class T>(T largest) {
    for (std::int64_t n = 1; n <= 40; ++n) {  // x_k = largest - k
      std::vector<T> x, y(static_cast<std::size_t>(n)), log_y = y;
      for (std::int64_t k = 0; k < n; ++k) x.push_back(largest - static_cast<T>(k));
      softmax(1, n, 1, x.data(), y.data());
      log_softmax(1, n, 1, x.data(), log_y.data());
      const std::int64_t label = n - 1;
      T loss = 0;
      std::vector<T> s(y.size());
      cross_entropy(Layout::row_major, 1, n, x.data(), &label, &loss, s.data());
      const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
      const L sum = (1 - std::exp(-L(n))) / (1 - std::exp(L(-1)));  // of the geometric series e^-k
      for (std::int64_t k = 0; k < n; ++k) {
        const auto i = static_cast<std::size_t>(k);
        ASSERT_NEAR(y[i], std::exp(-L(k)) / sum, tolerance) << k << " of " << n;
        ASSERT_NEAR(s[i], std::exp(-L(k)) / sum, tolerance) << k << " of " << n;
        ASSERT_NEAR(log_y[i], -L(k) - std::log(sum), 40 * tolerance) << k << " of " << n;
      }
      ASSERT_NEAR(loss, L(label) + std::log(sum), 40 * tolerance) << n;
    }
  };
  for_each_instruction_set([&] {
    for (const int largest : {-200, -10'000, -1'000'000}) {  // and less, e^x is 0 from -104 on, or -746
      check(static_cast<float>(largest));
      check(static_cast<double>(largest));
    }
  });
}

/// An array of N x K in either layout.
template <class T>
struct Matrix {
  std::int64_t classes;
  bool interleaved;
  std::vector<T> values;

  Matrix(std::int64_t n, std::int64_t k, bool as_interleaved)
      : classes(k),
        interleaved(as_interleaved),
        values((as_interleaved ? interleaved_blocks<T>(n) * kInterleaved<T> : n) * k,
               std::numeric_limits<T>::quiet_NaN()) {}
  T& operator()(std::int64_t n, std::int64_t k) {
    return values[interleaved ? interleaved_offset<T>(classes, n, k) : n * classes + k];
  }
};

/// Losses and gradients for labels or targets, from either layout's functions.
template <class T, class Target>
void run(std::int64_t batch, std::int64_t classes, bool interleaved, T scale, const T* dloss, const T* logits,
         const Target* target, T* loss, T* probabilities, T* dlogits) {
  if (interleaved) {
    cross_entropy(Layout::interleaved, batch, classes, logits, target, loss, probabilities);
    cross_entropy_grad(Layout::interleaved, batch, classes, scale, dloss, probabilities, target, dlogits);
  } else {
    cross_entropy(Layout::row_major, batch, classes, logits, target, loss, probabilities);
    cross_entropy_grad(Layout::row_major, batch, classes, scale, dloss, probabilities, target, dlogits);
  }
}

template <class T>
void check_cross_entropy(std::int64_t batch, std::int64_t classes, bool interleaved, bool weighted) {
  const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-13;
  Matrix<T> logits(batch, classes, interleaved), targets = logits, s = logits, d_by_label = logits,
                                                 d_by_target = logits;
  const auto x = random_values<T>(batch * classes, 3, -6, 6), t = random_values<T>(batch * classes, 4, 0, 2);
  const auto dloss = random_values<T>(batch, 5, -2, 2);
  std::vector<std::int64_t> labels(batch);
  for (std::int64_t n = 0; n < batch; ++n) {
    labels[n] = n % 5 == 3 ? -1 : n * 7 % classes;
    for (std::int64_t k = 0; k < classes; ++k) {
      logits(n, k) = (n + k) % 4 == 1 && k != labels[n] ? -kInfinity<T> : x[n * classes + k];
      targets(n, k) = std::isinf(logits(n, k)) ? 0 : t[n * classes + k];
    }
  }
  const T scale = T(0.5);
  std::vector<T> loss_by_label(batch), loss_by_target(batch);
  const T* weights = weighted ? dloss.data() : nullptr;
  run(batch, classes, interleaved, scale, weights, logits.values.data(), labels.data(), loss_by_label.data(),
      s.values.data(), d_by_label.values.data());
  run(batch, classes, interleaved, scale, weights, logits.values.data(), targets.values.data(),
      loss_by_target.data(), s.values.data(), d_by_target.values.data());
  for (std::int64_t n = 0; n < batch; ++n) {
    L largest = -kInfinity<L>, sum = 0, total = 0, by_target = 0;
    for (std::int64_t k = 0; k < classes; ++k) largest = std::max<L>(largest, logits(n, k));
    if (std::isinf(largest)) continue;  // No class is possible: everything is NaN.
    for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(logits(n, k) - largest);
    const auto log_s = [&](std::int64_t k) { return logits(n, k) - largest - std::log(sum); };
    for (std::int64_t k = 0; k < classes; ++k) {
      total += targets(n, k);
      if (targets(n, k) != 0) by_target -= targets(n, k) * log_s(k);
    }
    ASSERT_NEAR(loss_by_label[n], labels[n] < 0 ? 0 : -log_s(labels[n]), 5 * tolerance) << n;
    ASSERT_NEAR(loss_by_target[n], by_target, 20 * tolerance) << n;
    const L weight = weighted ? scale * dloss[n] : scale;
    for (std::int64_t k = 0; k < classes; ++k) {
      const L expected_s = std::exp(log_s(k)), hit = k == labels[n];
      ASSERT_NEAR(s(n, k), expected_s, tolerance) << n << "," << k;
      ASSERT_NEAR(d_by_label(n, k), labels[n] < 0 ? 0 : weight * (expected_s - hit), tolerance)
          << n << "," << k;
      ASSERT_NEAR(d_by_target(n, k), weight * (expected_s * total - targets(n, k)), 20 * tolerance)
          << n << "," << k;
    }
  }
}

RC_GTEST_PROP(CrossEntropy, AgreesWithPlainLoops, ()) {
  const auto batch = *rc::gen::element<std::int64_t>(0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 65);
  const auto classes = *rc::gen::element<std::int64_t>(1, 2, 3, 7, 8, 10, 16, 17, 33);
  const bool interleaved = *rc::gen::arbitrary<bool>(), weighted = *rc::gen::arbitrary<bool>();
  RC_LOG() << batch << "," << classes << (interleaved ? " interleaved" : " rows");
  for_each_instruction_set([&] {
    check_cross_entropy<float>(batch, classes, interleaved, weighted);
    check_cross_entropy<double>(batch, classes, interleaved, weighted);
  });
  RC_ASSERT(!testing::Test::HasFailure());
}

template <class T>
class CrossEntropyEdges : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(CrossEntropyEdges, Types);

TYPED_TEST(CrossEntropyEdges, ExtremeLogits) {
  using T = TypeParam;
  const T inf = kInfinity<T>;
  const T logits[] = {1000, -1000, 0, -inf, 3, -inf, inf, 1, 2};
  const std::int64_t labels[] = {1, 1, 0};
  T loss[3], s[9];
  for_each_instruction_set([&] {
    cross_entropy(Layout::row_major, 3, 3, logits, labels, loss, s);
    EXPECT_EQ(loss[0], 2000);
    EXPECT_EQ(s[0], 1);
    EXPECT_EQ(s[1], 0);
    EXPECT_EQ(loss[1], 0);
    EXPECT_EQ(s[4], 1);
    EXPECT_EQ(s[3], 0);
    EXPECT_TRUE(std::isnan(loss[2]));
    const std::int64_t impossible[] = {1, 0, 0};
    cross_entropy(Layout::row_major, 3, 3, logits, impossible, loss, s);
    EXPECT_EQ(loss[1], inf);
  });
}

TYPED_TEST(CrossEntropyEdges, AnImageLeftOutGivesNothingWhateverItsLogits) {
  using T = TypeParam;
  const T logits[] = {std::numeric_limits<T>::quiet_NaN(), 1, kInfinity<T>};
  const std::int64_t labels[] = {-1};
  T loss = 5, s[3], dlogits[3] = {5, 5, 5};
  cross_entropy(Layout::row_major, 1, 3, logits, labels, &loss, s);
  cross_entropy_grad<T>(Layout::row_major, 1, 3, 1, nullptr, s, labels, dlogits);
  EXPECT_EQ(loss, 0);
  for (const T d : dlogits) EXPECT_EQ(d, 0);
}

TYPED_TEST(CrossEntropyEdges, SameBitsForAnyThreadCount) {
  using T = TypeParam;
  const std::int64_t batch = 3001, classes = 17;
  const auto x = random_values<T>(batch * classes, 6, -10, 10);
  std::vector<std::int64_t> labels(batch);
  for (std::int64_t n = 0; n < batch; ++n) labels[n] = n % classes;
  expect_same_bits_for_any_number_of_threads([&] {
    std::vector<T> all(batch + 3 * batch * classes);
    T* s = all.data() + batch;
    cross_entropy(Layout::row_major, batch, classes, x.data(), labels.data(), all.data(), s);
    cross_entropy_grad<T>(Layout::row_major, batch, classes, 1, nullptr, s, labels.data(),
                          s + batch * classes);
    log_softmax(batch, classes, std::int64_t{1}, x.data(), s + 2 * batch * classes);
    return all;
  });
}

}  // namespace
}  // namespace adjoint::kernels
