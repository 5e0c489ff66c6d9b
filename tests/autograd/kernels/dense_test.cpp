// The fully connected layer and its gradients, in both layouts, against plain loops, with every instruction
// set.
#include "autograd/kernels/linalg/dense.h"

#include <gtest/gtest.h>
#include <limits>
#include <rapidcheck/gtest.h>
#include <vector>

#include "tests/support/draw.h"
#include "tests/support/expect_near.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/interleaved.h"
#include "tests/support/naive/gemm.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;

template <class T>
void expect_dense_matches(const DenseSizes& s) {
  const auto x = random_values<T>(s.batch * s.inputs, 1), w = random_values<T>(s.outputs * s.inputs, 2);
  const auto bias = random_values<T>(s.outputs, 3), dy = random_values<T>(s.batch * s.outputs, 4);
  const auto y = naive_gemm({s.batch, s.outputs, s.inputs, false, true}, x, w);
  const auto dx = naive_gemm({s.batch, s.inputs, s.outputs}, dy, w);
  const auto dw = naive_gemm({s.outputs, s.inputs, s.batch, true}, dy, x);
  auto y_biased = y;
  for (std::size_t i = 0; i < y.size(); ++i) y_biased[i] += bias[i % bias.size()];

  const auto tolerance = [](std::int64_t depth) {
    return static_cast<double>(8 + depth) * std::numeric_limits<T>::epsilon();
  };
  const T nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> y_rows(y.size(), nan), dx_rows(dx.size(), nan), dw_out(dw.size(), nan);
  dense(Layout::row_major, s, x.data(), w.data(), static_cast<const T*>(nullptr), y_rows.data());
  expect_near(y_rows, y, tolerance(s.inputs), "y, rows");
  dense(Layout::row_major, s, x.data(), w.data(), bias.data(), y_rows.data());
  expect_near(y_rows, y_biased, tolerance(s.inputs), "y with bias, rows");
  dense_input_grad(Layout::row_major, s, dy.data(), w.data(), dx_rows.data());
  expect_near(dx_rows, dx, tolerance(s.outputs), "dx, rows");
  dense_weight_grad(Layout::row_major, s, dy.data(), x.data(), dw_out.data());
  expect_near(dw_out, dw, tolerance(s.batch), "dw, rows");

  const Interleaved<T> x_interleaved(s.batch, x), dy_interleaved(s.batch, dy);
  Interleaved<T> y_interleaved(s.batch, s.outputs), dx_interleaved(s.batch, s.inputs);
  std::fill(dw_out.begin(), dw_out.end(), nan);
  dense(Layout::interleaved, s, x_interleaved.data(), w.data(), static_cast<const T*>(nullptr),
        y_interleaved.data());
  expect_near(y_interleaved.row_major(), y, tolerance(s.inputs), "y, interleaved");
  dense(Layout::interleaved, s, x_interleaved.data(), w.data(), bias.data(), y_interleaved.data());
  expect_near(y_interleaved.row_major(), y_biased, tolerance(s.inputs), "y with bias, interleaved");
  dense_input_grad(Layout::interleaved, s, dy_interleaved.data(), w.data(), dx_interleaved.data());
  expect_near(dx_interleaved.row_major(), dx, tolerance(s.outputs), "dx, interleaved");
  dense_weight_grad(Layout::interleaved, s, dy_interleaved.data(), x_interleaved.data(), dw_out.data());
  expect_near(dw_out, dw, tolerance(s.batch), "dw, interleaved");
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
  expect_dense_matches_everywhere({draw(0, 79), draw(0, 59), draw(0, 59)});
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Dense, SameBitsForAnyNumberOfThreads) {
  const DenseSizes s{333, 200, 150};
  const auto w = random_values<float>(s.outputs * s.inputs, 2);
  const Interleaved<float> x(s.batch, random_values<float>(s.batch * s.inputs, 1));
  const Interleaved<float> dy(s.batch, random_values<float>(s.batch * s.outputs, 3));
  expect_same_bits_for_any_number_of_threads([&] {
    Interleaved<float> y(s.batch, s.outputs), dx(s.batch, s.inputs);
    std::vector<float> dw(w.size());
    dense(Layout::interleaved, s, x.data(), w.data(), static_cast<const float*>(nullptr), y.data());
    dense_input_grad(Layout::interleaved, s, dy.data(), w.data(), dx.data());
    dense_weight_grad(Layout::interleaved, s, dy.data(), x.data(), dw.data());
    return std::vector{y.row_major(), dx.row_major(), dw};
  });
}

}  // namespace
}  // namespace adjoint::kernels
