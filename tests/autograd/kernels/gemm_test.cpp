// Matrix products against three plain loops, with every instruction set.
#include "autograd/kernels/linalg/gemm.h"

#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <rapidcheck/gtest.h>
#include <vector>

#include "autograd/kernels/threads/parallel.h"
#include "tests/support/instruction_sets.h"

namespace adjoint::kernels {
namespace {

template <class T>
std::vector<T> random_values(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = static_cast<T>(uniform(generator));
  return values;
}

template <class T>
double naive_element(const GemmSizes& s, const std::vector<T>& a, const std::vector<T>& b, std::int64_t r,
                     std::int64_t j) {
  double sum = 0;
  for (std::int64_t k = 0; k < s.depth; ++k)
    sum +=
        static_cast<double>(a[static_cast<std::size_t>(s.transpose_a ? k * s.rows + r : r * s.depth + k)]) *
        b[static_cast<std::size_t>(s.transpose_b ? j * s.depth + k : k * s.columns + j)];
  return sum;
}

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
  for (std::int64_t r = 0; r < s.rows; ++r)
    for (std::int64_t j = 0; j < s.columns; ++j) {
      const auto i = static_cast<std::size_t>(r * s.columns + j);
      const double expected = naive_element(s, a, b, r, j);
      ASSERT_NEAR(c[i], expected, tolerance) << "row " << r << ", column " << j;
      ASSERT_NEAR(accumulated[i], expected + former[i], tolerance) << "row " << r << ", column " << j;
      ASSERT_NEAR(plus_row[i], expected + addend[static_cast<std::size_t>(j)], tolerance)
          << "row " << r << ", column " << j;
    }
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
  const auto size = [] { return *rc::gen::inRange<std::int64_t>(0, 70); };
  expect_gemm_matches_everywhere(
      {size(), size(), size(), *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()});
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Gemm, SameBitsForAnyNumberOfThreads) {
  const int threads_before = num_threads();
  for (const GemmSizes s : {GemmSizes{700, 130, 300}, GemmSizes{2, 900, 700, false, true}}) {
    const auto a = random_values<float>(s.rows * s.depth, 1),
               b = random_values<float>(s.depth * s.columns, 2);
    std::vector<float> one(static_cast<std::size_t>(s.rows * s.columns)), many = one;
    set_num_threads(1);
    gemm(s, a.data(), b.data(), one.data());
    for (const int threads : {2, 3, 8}) {
      set_num_threads(threads);
      gemm(s, a.data(), b.data(), many.data());
      EXPECT_EQ(one, many) << threads << " threads";
    }
  }
  set_num_threads(threads_before);
}

}  // namespace
}  // namespace adjoint::kernels
