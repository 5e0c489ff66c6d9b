// Matrix products against three plain loops, with every instruction set.
#include "autograd/kernels/linalg/gemm.h"

#include <gtest/gtest.h>
#include <limits>
#include <rapidcheck/gtest.h>
#include <vector>

#include "tests/support/draw.h"
#include "tests/support/expect_near.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive/gemm.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;

/// C, C with its former values added, and C with a row added, all against the plain loops.
template <class T>
void expect_gemm_matches(const GemmSizes& s) {
  const auto a = random_values<T>(s.rows * s.depth, 1), b = random_values<T>(s.depth * s.columns, 2);
  const auto addend = random_values<T>(s.columns, 3);
  const auto former = random_values<T>(s.rows * s.columns, 4);
  const T nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> c(former.size(), nan), accumulated = former, plus_row(former.size(), nan);
  gemm(s, a.data(), b.data(), c.data());
  gemm(s, a.data(), b.data(), accumulated.data(), true);
  gemm_plus_row(s, a.data(), b.data(), addend.data(), plus_row.data());
  const double tolerance = static_cast<double>(8 + s.depth) * std::numeric_limits<T>::epsilon();
  const auto product = naive_gemm(s, a, b);
  auto plus_former = product, plus_addend = product;
  for (std::size_t i = 0; i < product.size(); ++i) {
    plus_former[i] += former[i];
    plus_addend[i] += addend[i % addend.size()];
  }
  expect_near(c, product, tolerance, "C");
  expect_near(accumulated, plus_former, tolerance, "C + AB");
  expect_near(plus_row, plus_addend, tolerance, "AB + row");
}

void expect_gemm_matches_everywhere(const GemmSizes& s) {
  SCOPED_TRACE(testing::Message() << s.rows << " x " << s.columns << " x " << s.depth << ", transposed "
                                  << s.transpose_a << s.transpose_b);
  for_each_instruction_set([&] {
    expect_gemm_matches<float>(s);
    expect_gemm_matches<double>(s);
  });
}

TEST(Gemm, EverySmallSize) {
  for (std::int64_t rows = 0; rows <= 9; ++rows)
    for (std::int64_t columns : {0, 1, 2, 3, 8, 9, 16, 17, 33})
      for (std::int64_t depth : {0, 1, 2, 5, 17})
        for (int transposed = 0; transposed < 4; ++transposed)
          expect_gemm_matches_everywhere(
              {rows, columns, depth, (transposed & 1) != 0, (transposed & 2) != 0});
}

TEST(Gemm, SizesPastEveryBlock) {
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) {
      expect_gemm_matches_everywhere({130, 51, 301, transpose_a, transpose_b});
      expect_gemm_matches_everywhere({1, 203, 530, transpose_a, transpose_b});
      expect_gemm_matches_everywhere({1100, 5, 66, transpose_a, transpose_b});
      expect_gemm_matches_everywhere({57, 1, 800, transpose_a, transpose_b});
    }
}

RC_GTEST_PROP(Gemm, MatchesPlainLoops, ()) {
  expect_gemm_matches_everywhere(
      {draw(0, 69), draw(0, 69), draw(0, 69), *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()});
  RC_ASSERT(!testing::Test::HasFailure());
}

/// A batch [outer, inner] of products, where a is repeated along inner and b along outer if `repeat` is set.
template <class T>
void expect_batch_matches(const GemmSizes& s, std::int64_t outer, std::int64_t inner, bool repeat) {
  const std::int64_t a_size = s.rows * s.depth, b_size = s.depth * s.columns, c_size = s.rows * s.columns;
  const auto a = random_values<T>(a_size * outer * inner, 1), b = random_values<T>(b_size * outer * inner, 2);
  PairBatch batch;
  batch.prepend({inner, repeat ? 0 : a_size, b_size});
  batch.prepend({outer, repeat ? a_size : inner * a_size, repeat ? 0 : inner * b_size});
  std::vector<T> c(c_size * outer * inner, std::numeric_limits<T>::quiet_NaN());
  gemm_batch(s, batch, a.data(), b.data(), c.data());
  std::vector<double> expected;
  for (std::int64_t i = 0; i < outer * inner; ++i) {
    const auto a_at = a.begin() + (repeat ? i / inner : i) * a_size,
               b_at = b.begin() + (repeat ? i % inner : i) * b_size;
    const auto one = naive_gemm(s, std::vector<T>(a_at, a_at + a_size), std::vector<T>(b_at, b_at + b_size));
    expected.insert(expected.end(), one.begin(), one.end());
  }
  expect_near(c, expected, static_cast<double>(8 + s.depth) * std::numeric_limits<T>::epsilon(), "C");
}

TEST(Gemm, Batches) {
  const GemmSizes sizes[] = {{4, 4, 4},    {1, 1, 5},   {1, 9, 3},     {7, 1, 6}, {3, 5, 1},    {3, 9, 17},
                             {32, 32, 32}, {13, 70, 9}, {66, 200, 70}, {5, 5, 0}, {300, 20, 3}, {2, 70, 300}};
  for (const GemmSizes& size : sizes) {
    for (const bool repeat : {false, true}) {
      for (int transposed = 0; transposed < 4; ++transposed) {
        GemmSizes s = size;
        s.transpose_a = (transposed & 1) != 0;
        s.transpose_b = (transposed & 2) != 0;
        SCOPED_TRACE(testing::Message() << s.rows << " x " << s.columns << " x " << s.depth << ", transposed "
                                        << s.transpose_a << s.transpose_b << ", repeated " << repeat);
        for_each_instruction_set([&] {
          expect_batch_matches<float>(s, 2, 3, repeat);
          expect_batch_matches<double>(s, 2, 3, repeat);
        });
      }
    }
  }
  expect_batch_matches<float>({4, 4, 4}, 500, 3, false);   // many chunks
  expect_batch_matches<float>({2, 3, 20000}, 2, 2, true);  // a depth that is cut into pieces
  expect_batch_matches<float>({2, 3, 4}, 0, 2, false);
}

TEST(Gemm, BatchesHaveTheSameBitsForAnyNumberOfThreads) {
  for (const GemmSizes s : {GemmSizes{4, 4, 4}, {128, 128, 64}, {3, 50, 70, false, true}, {9, 9, 20000}}) {
    const std::int64_t products = s.rows == 4 ? 3000 : 5;
    const auto a = random_values<float>(products * s.rows * s.depth, 1),
               b = random_values<float>(products * s.depth * s.columns, 2);
    PairBatch batch;
    batch.prepend({products, s.rows * s.depth, s.depth * s.columns});
    expect_same_bits_for_any_number_of_threads([&] {
      std::vector<float> c(products * s.rows * s.columns);
      gemm_batch(s, batch, a.data(), b.data(), c.data());
      return c;
    });
  }
}

TEST(Gemm, SameBitsForAnyNumberOfThreads) {
  for (const GemmSizes s : {GemmSizes{700, 130, 300}, GemmSizes{2, 900, 700, false, true}}) {
    const auto a = random_values<float>(s.rows * s.depth, 1),
               b = random_values<float>(s.depth * s.columns, 2);
    expect_same_bits_for_any_number_of_threads([&] {
      std::vector<float> c(s.rows * s.columns);
      gemm(s, a.data(), b.data(), c.data());
      return c;
    });
  }
}

}  // namespace
}  // namespace adjoint::kernels
