// The fully connected layer and its gradients, in both layouts, against plain loops, with every instruction
// set.
#include "autograd/kernels/linalg/dense.h"

#include <gtest/gtest.h>
#include <limits>
#include <new>
#include <random>
#include <rapidcheck/gtest.h>
#include <vector>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/threads/parallel.h"
#include "tests/support/instruction_sets.h"

namespace adjoint::kernels {
namespace {

/// Arrays of values start at a 64-byte boundary; exact sizes, so that the sanitizers see every step past an
/// end.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T* values, std::size_t) { ::operator delete(values, std::align_val_t(64)); }
  bool operator==(const AlignedAllocator&) const { return true; }
};

template <class T>
using Values = std::vector<T, AlignedAllocator<T>>;

template <class T>
Values<T> random_values(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Values<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = static_cast<T>(uniform(generator));
  return values;
}

template <class T>
std::size_t lane_index(std::int64_t features, std::int64_t n, std::int64_t f) {
  return static_cast<std::size_t>((n / kInterleaved<T> * features + f) * kInterleaved<T> + n % kInterleaved<T>);
}

/// rows [batch, features] in the lanes layout, the spare lanes NaN.
template <class T>
Values<T> to_lanes(std::int64_t batch, std::int64_t features, const Values<T>& rows) {
  Values<T> lanes(static_cast<std::size_t>(interleaved_blocks<T>(batch) * features * kInterleaved<T>),
                  std::numeric_limits<T>::quiet_NaN());
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t f = 0; f < features; ++f)
      lanes[lane_index<T>(features, n, f)] = rows[static_cast<std::size_t>(n * features + f)];
  return lanes;
}

template <class T>
Values<T> to_rows(std::int64_t batch, std::int64_t features, const Values<T>& lanes) {
  Values<T> rows(static_cast<std::size_t>(batch * features));
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t f = 0; f < features; ++f)
      rows[static_cast<std::size_t>(n * features + f)] = lanes[lane_index<T>(features, n, f)];
  return rows;
}

/// result[r * columns + j] = start + sum_k term(r, j, k) in double precision.
template <class F, class Start>
Values<double> naive(std::int64_t rows, std::int64_t columns, std::int64_t depth, Start start, F term) {
  Values<double> result;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < columns; ++j) {
      double sum = start(j);
      for (std::int64_t k = 0; k < depth; ++k) sum += term(r, j, k);
      result.push_back(sum);
    }
  return result;
}

template <class T>
void expect_near(const Values<T>& actual, const Values<double>& expected, std::int64_t depth,
                 const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  const double tolerance = static_cast<double>(8 + depth) * std::numeric_limits<T>::epsilon();
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance) << what << " " << i;
}

template <class T>
void expect_dense_matches(const DenseSizes& s) {
  const auto x = random_values<T>(s.batch * s.inputs, 1), w = random_values<T>(s.outputs * s.inputs, 2);
  const auto bias = random_values<T>(s.outputs, 3), dy = random_values<T>(s.batch * s.outputs, 4);
  const auto x_lanes = to_lanes(s.batch, s.inputs, x), dy_lanes = to_lanes(s.batch, s.outputs, dy);
  const auto at = [](const Values<T>& values, std::int64_t i) {
    return static_cast<double>(values[static_cast<std::size_t>(i)]);
  };
  const auto zero = [](std::int64_t) { return 0.0; };
  const auto y_term = [&](auto n, auto o, auto i) {
    return at(x, n * s.inputs + i) * at(w, o * s.inputs + i);
  };
  const auto y = naive(s.batch, s.outputs, s.inputs, zero, y_term);
  const auto y_biased = naive(
      s.batch, s.outputs, s.inputs, [&](auto o) { return at(bias, o); }, y_term);
  const auto dx = naive(s.batch, s.inputs, s.outputs, zero, [&](auto n, auto i, auto o) {
    return at(dy, n * s.outputs + o) * at(w, o * s.inputs + i);
  });
  const auto dw = naive(s.outputs, s.inputs, s.batch, zero, [&](auto o, auto i, auto n) {
    return at(dy, n * s.outputs + o) * at(x, n * s.inputs + i);
  });

  const T nan = std::numeric_limits<T>::quiet_NaN();
  Values<T> y_rows(y.size(), nan), dx_rows(dx.size(), nan), dw_out(dw.size(), nan);
  dense_rows(s, x.data(), w.data(), static_cast<const T*>(nullptr), y_rows.data());
  expect_near(y_rows, y, s.inputs, "y, rows");
  dense_rows(s, x.data(), w.data(), bias.data(), y_rows.data());
  expect_near(y_rows, y_biased, s.inputs, "y with bias, rows");
  dense_input_grad_rows(s, dy.data(), w.data(), dx_rows.data());
  expect_near(dx_rows, dx, s.outputs, "dx, rows");
  dense_weight_grad_rows(s, dy.data(), x.data(), dw_out.data());
  expect_near(dw_out, dw, s.batch, "dw, rows");

  Values<T> y_lanes(dy_lanes.size(), nan), dx_lanes(x_lanes.size(), nan);
  std::fill(dw_out.begin(), dw_out.end(), nan);
  dense_lanes(s, x_lanes.data(), w.data(), static_cast<const T*>(nullptr), y_lanes.data());
  expect_near(to_rows(s.batch, s.outputs, y_lanes), y, s.inputs, "y, lanes");
  dense_lanes(s, x_lanes.data(), w.data(), bias.data(), y_lanes.data());
  expect_near(to_rows(s.batch, s.outputs, y_lanes), y_biased, s.inputs, "y with bias, lanes");
  dense_input_grad_lanes(s, dy_lanes.data(), w.data(), dx_lanes.data());
  expect_near(to_rows(s.batch, s.inputs, dx_lanes), dx, s.outputs, "dx, lanes");
  dense_weight_grad_lanes(s, dy_lanes.data(), x_lanes.data(), dw_out.data());
  expect_near(dw_out, dw, s.batch, "dw, lanes");
}

void expect_dense_matches_everywhere(const DenseSizes& s) {
  SCOPED_TRACE(testing::Message() << "batch " << s.batch << ", " << s.inputs << " -> " << s.outputs);
  for_each_instruction_set([&] {
    expect_dense_matches<float>(s);
    expect_dense_matches<double>(s);
  });
}

TEST(Dense, EveryEdgeOfBatch) {
  for (const std::int64_t batch : {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 49})
    for (const auto& [inputs, outputs] : {std::pair{1, 1}, {0, 3}, {3, 0}, {5, 10}, {19, 7}, {33, 49}})
      expect_dense_matches_everywhere({batch, inputs, outputs});
}

TEST(Dense, SizesPastEveryBlock) {
  expect_dense_matches_everywhere({300, 96, 50});
  expect_dense_matches_everywhere({515, 50, 10});
  expect_dense_matches_everywhere({20, 301, 130});
}

RC_GTEST_PROP(Dense, MatchesPlainLoops, ()) {
  const auto size = [](std::int64_t most) { return *rc::gen::inRange<std::int64_t>(0, most); };
  expect_dense_matches_everywhere({size(80), size(60), size(60)});
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Dense, SameBitsForAnyNumberOfThreads) {
  const int threads_before = num_threads();
  const DenseSizes s{333, 200, 150};
  const auto x = random_values<float>(s.batch * s.inputs, 1),
             w = random_values<float>(s.outputs * s.inputs, 2);
  const auto dy = random_values<float>(s.batch * s.outputs, 3);
  const auto x_lanes = to_lanes(s.batch, s.inputs, x), dy_lanes = to_lanes(s.batch, s.outputs, dy);
  const auto run = [&](int threads) {
    set_num_threads(threads);
    Values<float> y(dy_lanes.size()), dx(x_lanes.size()), dw(w.size());
    dense_lanes(s, x_lanes.data(), w.data(), static_cast<const float*>(nullptr), y.data());
    dense_input_grad_lanes(s, dy_lanes.data(), w.data(), dx.data());
    dense_weight_grad_lanes(s, dy_lanes.data(), x_lanes.data(), dw.data());
    return std::tuple{to_rows(s.batch, s.outputs, y), to_rows(s.batch, s.inputs, dx), dw};
  };
  const auto one = run(1);
  for (const int threads : {2, 3, 8}) EXPECT_EQ(one, run(threads)) << threads << " threads";
  set_num_threads(threads_before);
}

}  // namespace
}  // namespace adjoint::kernels
