// Sums of very many terms, float32: right to some 1e-6 of the sum of their magnitudes, whatever their number,
// with every instruction set. Expected values are sums in higher precision.
#include <cmath>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <vector>

#include "autograd/kernels/convolution/conv2d.h"
#include "autograd/kernels/linalg/dense.h"
#include "autograd/kernels/linalg/gemm.h"
#include "autograd/kernels/reduce/reduce.h"
#include "autograd/kernels/softmax/softmax.h"
#include "autograd/kernels/softmax/softmax_loss.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/interleaved.h"
#include "tests/support/naive/conv2d.h"
#include "tests/support/naive/gemm.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;
using InterleavedFloats = Interleaved<float>;

/// Equal terms are the worst case: while the sum grows by a factor of two, every addition rounds in the same
/// direction.
enum class Data { equal, random_signs };
constexpr Data kKinds[] = {Data::equal, Data::random_signs};

template <class T>
std::vector<T> values(Data data, std::size_t count, unsigned seed) {
  return data == Data::equal ? std::vector<T>(count, static_cast<T>(0.1)) : random_values<T>(count, seed);
}

template <class T>
std::vector<T> magnitudes(std::vector<T> values) {
  for (T& value : values) value = std::abs(value);
  return values;
}

/// magnitude: the sum of the terms' magnitudes.
template <class T, class E>
void expect_sum(Data data, T actual, E expected, E magnitude, const std::string& what) {
  const double roundings = data == Data::equal ? 80 : 8;  // 1e-5 and 1e-6 in float32
  EXPECT_LE(std::abs(static_cast<double>(actual - expected)),
            roundings * std::numeric_limits<T>::epsilon() * static_cast<double>(magnitude))
      << what << ": " << actual << ", expected " << expected;
}
void expect_sums(Data data, const std::vector<float>& actual, const std::vector<double>& expected,
                 const std::vector<double>& magnitude, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    expect_sum(data, actual[i], expected[i], magnitude[i], what + " " + std::to_string(i));
}

// ---- Products ----

template <class T, class E>
void check_gemm(const GemmSizes& s) {
  for (const Data data : kKinds) {
    const auto a = values<T>(data, s.rows * s.depth, 1), b = values<T>(data, s.depth * s.columns, 2);
    const auto expected = naive_gemm<E>(s, a, b), magnitude = naive_gemm<E>(s, magnitudes(a), magnitudes(b));
    for_each_instruction_set([&] {
      const std::vector<T> former(expected.size(), 7), addend(static_cast<std::size_t>(s.columns), -3);
      std::vector<T> c(expected.size()), added = former, plus_row = c;
      gemm(s, a.data(), b.data(), c.data());
      gemm(s, a.data(), b.data(), added.data(), true);
      gemm_plus_row(s, a.data(), b.data(), addend.data(), plus_row.data());
      for (std::size_t i = 0; i < c.size(); ++i) {
        expect_sum<T, E>(data, c[i], expected[i], magnitude[i], "C");
        expect_sum<T, E>(data, added[i], expected[i] + 7, magnitude[i] + 7, "C + AB");
        expect_sum<T, E>(data, plus_row[i], expected[i] - 3, magnitude[i] + 3, "AB + row");
      }
    });
  }
}

TEST(LongSums, MatrixProducts) {
  check_gemm<float, double>({2, 2, 1'000'000, true, false});
  check_gemm<float, double>({2, 2, 200'001, false, false});
  check_gemm<float, double>({9, 50, 40'003, false, false});  // packed
  check_gemm<float, double>({9, 3, 60'003, true, true});
  check_gemm<double, long double>({3, 2, 100'000, true, false});
}

TEST(LongSums, DotProducts) {
  for (std::int64_t rows = 1; rows <= 4; ++rows) check_gemm<float, double>({rows, 9, 60'001, false, true});
  check_gemm<float, double>({1, 1, 3'000, false, true});
  check_gemm<double, long double>({2, 3, 100'000, false, true});
}

TEST(LongSums, TwentyMillionOnes) {
  constexpr std::int64_t kCount = 20'000'000;
  const std::vector<float> ones(kCount, 1);
  for_each_instruction_set([&] {
    float tiles = 0, dot = 0;
    gemm({1, 1, kCount, false, false}, ones.data(), ones.data(), &tiles);
    gemm({1, 1, kCount, false, true}, ones.data(), ones.data(), &dot);
    EXPECT_NEAR(tiles, 2e7, 4);
    EXPECT_NEAR(dot, 2e7, 4);
    EXPECT_EQ(sum_all(kCount, ones.data()), 2e7F);
  });
}

TEST(LongSums, DeepNarrowProductsHaveTheSameBitsForAnyNumberOfThreads) {
  for (const GemmSizes s : {GemmSizes{3, 5, 200'000, true, false}, GemmSizes{3, 5, 200'000, false, true}}) {
    const auto a = random_values<float>(s.rows * s.depth, 1),
               b = random_values<float>(s.columns * s.depth, 2);
    expect_same_bits_for_any_number_of_threads([&] {
      std::vector<float> c(15);
      gemm(s, a.data(), b.data(), c.data());
      return c;
    });
  }
}

// ---- Both layouts ----

void check_dense(const DenseSizes& s) {
  const GemmSizes forward{s.batch, s.outputs, s.inputs, false, true};
  const GemmSizes input_grad{s.batch, s.inputs, s.outputs};
  const GemmSizes weight_grad{s.outputs, s.inputs, s.batch, true, false};
  for (const Data data : kKinds) {
    const auto x = values<float>(data, s.batch * s.inputs, 1),
               w = values<float>(data, s.outputs * s.inputs, 2),
               dy = values<float>(data, s.batch * s.outputs, 3);
    const auto y = naive_gemm(forward, x, w), y_size = naive_gemm(forward, magnitudes(x), magnitudes(w));
    const auto dx = naive_gemm(input_grad, dy, w),
               dx_size = naive_gemm(input_grad, magnitudes(dy), magnitudes(w));
    const auto dw = naive_gemm(weight_grad, dy, x),
               dw_size = naive_gemm(weight_grad, magnitudes(dy), magnitudes(x));
    const float* no_bias = nullptr;
    for_each_instruction_set([&] {
      std::vector<float> y_rows(y.size()), dx_rows(dx.size()), dw_rows(dw.size()), dw_interleaved(dw.size());
      dense(Layout::row_major, s, x.data(), w.data(), no_bias, y_rows.data());
      expect_sums(data, y_rows, y, y_size, "y, rows");
      dense_input_grad(Layout::row_major, s, dy.data(), w.data(), dx_rows.data());
      expect_sums(data, dx_rows, dx, dx_size, "dx, rows");
      dense_weight_grad(Layout::row_major, s, dy.data(), x.data(), dw_rows.data());
      expect_sums(data, dw_rows, dw, dw_size, "dw, rows");

      InterleavedFloats x_interleaved(s.batch, x), dy_interleaved(s.batch, dy),
          y_interleaved(s.batch, s.outputs), dx_interleaved(s.batch, s.inputs);
      dense(Layout::interleaved, s, x_interleaved.data(), w.data(), no_bias, y_interleaved.data());
      expect_sums(data, y_interleaved.row_major(), y, y_size, "y, interleaved");
      dense_input_grad(Layout::interleaved, s, dy_interleaved.data(), w.data(), dx_interleaved.data());
      expect_sums(data, dx_interleaved.row_major(), dx, dx_size, "dx, interleaved");
      dense_weight_grad(Layout::interleaved, s, dy_interleaved.data(), x_interleaved.data(),
                        dw_interleaved.data());
      expect_sums(data, dw_interleaved, dw, dw_size, "dw, interleaved");
    });
  }
}

TEST(LongSums, DenseLayers) {
  check_dense({17, 30'001, 3});
  check_dense({17, 5, 30'001});
  check_dense({70'003, 3, 2});
  check_dense({1'000'003, 1, 1});
}

std::string name(const Conv2dSizes& s) {
  std::ostringstream name;
  name << "x [" << s.batch << "," << s.in_channels << "," << s.height << "," << s.width << "], w ["
       << s.out_channels << ",...," << s.kernel_height << "," << s.kernel_width << "]";
  return name.str();
}

void check_conv2d_and_input_grad(const Conv2dSizes& s) {
  SCOPED_TRACE(name(s));
  for (const Data data : kKinds) {
    const auto x = values<float>(data, input_size(s), 1), w = values<float>(data, weight_size(s), 2),
               dy = values<float>(data, output_size(s), 3);
    const auto size_x = magnitudes(x), size_w = magnitudes(w), size_dy = magnitudes(dy);
    const std::vector<float> bias(static_cast<std::size_t>(s.out_channels), 7);
    const auto y = naive_conv2d(s, x.data(), w.data(), bias.data()),
               y_size = naive_conv2d(s, size_x.data(), size_w.data(), bias.data());
    const auto dx = naive_conv2d_input_grad(s, dy.data(), w.data()),
               dx_size = naive_conv2d_input_grad(s, size_dy.data(), size_w.data());
    for_each_instruction_set([&] {
      std::vector<float> y_rows(y.size()), dx_rows(dx.size());
      conv2d(Layout::row_major, s, x.data(), w.data(), bias.data(), y_rows.data());
      expect_sums(data, y_rows, y, y_size, "y, rows");
      conv2d_input_grad(Layout::row_major, s, dy.data(), w.data(), dx_rows.data());
      expect_sums(data, dx_rows, dx, dx_size, "dx, rows");

      InterleavedFloats x_interleaved(s.batch, x), dy_interleaved(s.batch, dy);
      InterleavedFloats y_interleaved(s.batch, static_cast<std::int64_t>(output_size(s)) / s.batch);
      InterleavedFloats dx_interleaved(s.batch, static_cast<std::int64_t>(input_size(s)) / s.batch);
      conv2d(Layout::interleaved, s, x_interleaved.data(), w.data(), bias.data(), y_interleaved.data());
      expect_sums(data, y_interleaved.row_major(), y, y_size, "y, interleaved");
      conv2d_input_grad(Layout::interleaved, s, dy_interleaved.data(), w.data(), dx_interleaved.data());
      expect_sums(data, dx_interleaved.row_major(), dx, dx_size, "dx, interleaved");
    });
  }
}

void check_conv2d_weight_grad(const Conv2dSizes& s) {
  SCOPED_TRACE(name(s));
  for (const Data data : kKinds) {
    const auto x = values<float>(data, input_size(s), 1), dy = values<float>(data, output_size(s), 3);
    const auto dw = naive_conv2d_weight_grad(s, dy.data(), x.data()),
               dw_size = naive_conv2d_weight_grad(s, magnitudes(dy).data(), magnitudes(x).data());
    for_each_instruction_set([&] {
      std::vector<float> dw_rows(dw.size()), dw_interleaved(dw.size());
      conv2d_weight_grad(Layout::row_major, s, dy.data(), x.data(), dw_rows.data());
      expect_sums(data, dw_rows, dw, dw_size, "dw, rows");
      InterleavedFloats x_interleaved(s.batch, x), dy_interleaved(s.batch, dy);
      conv2d_weight_grad(Layout::interleaved, s, dy_interleaved.data(), x_interleaved.data(),
                         dw_interleaved.data());
      expect_sums(data, dw_interleaved, dw, dw_size, "dw, interleaved");
    });
  }
}

TEST(LongSums, ConvolutionsOfManyChannels) {
  check_conv2d_and_input_grad(with_output({2, 80'000, 1, 2, 2, 0, 0, 1, 1}));
  check_conv2d_and_input_grad(with_output({2, 2, 2, 2, 20'000, 0, 0, 1, 1}));
  check_conv2d_and_input_grad(with_output({1, 6'000, 3, 3, 18, 0, 0, 2, 2}));  // along the maps
  check_conv2d_and_input_grad(with_output({1, 9, 5, 5, 1'000, 0, 0, 5, 5, 1, 1, 2, 2}));
}

TEST(LongSums, ConvolutionsWithLargeKernels) {
  check_conv2d_and_input_grad(with_output({2, 1, 200, 203, 2, 0, 0, 200, 201}));
  check_conv2d_and_input_grad(with_output({1, 1, 2, 40'003, 2, 0, 0, 2, 40'000, 1, 1, 0, 1}));
}

TEST(LongSums, WeightGradientsOfLargeImages) {
  check_conv2d_weight_grad(with_output({1, 1, 300, 401, 2, 0, 0, 3, 3, 1, 1, 1, 1}));
  check_conv2d_weight_grad(with_output({2, 1, 301, 300, 20, 0, 0, 2, 3, 2, 1}));  // along the maps
  check_conv2d_weight_grad(with_output({1, 2, 1, 160'000, 3, 0, 0, 1, 3, 1, 2, 0, 1}));
  check_conv2d_weight_grad(with_output({1, 60, 30, 31, 3, 0, 0, 3, 3}));  // channels in several parts
}

TEST(LongSums, WeightGradientsOfManyImages) {
  check_conv2d_weight_grad(with_output({30'003, 1, 3, 3, 2, 0, 0, 2, 2}));  // too few products for tiles
  check_conv2d_weight_grad(with_output({3'001, 1, 8, 9, 5, 0, 0, 3, 3}));
  check_conv2d_weight_grad(with_output({200'003, 1, 5, 6, 3, 0, 0, 3, 3}));
  check_conv2d_weight_grad(with_output({3'001, 1, 4, 4, 17, 0, 0, 3, 3, 1, 1, 1, 1}));
}

// ---- Sums ----

TEST(LongSums, Sums) {
  for (const Data data : kKinds) {
    constexpr std::int64_t kCount = 4'000'000;
    const auto x = values<float>(data, kCount, 1);
    for (const std::int64_t columns : {1, 2, 5, 16, 40}) {
      const std::int64_t rows = kCount / columns;
      std::vector<double> expected(static_cast<std::size_t>(columns)), magnitude = expected;
      for (std::int64_t i = 0; i < rows * columns; ++i) {
        const double value = x[static_cast<std::size_t>(i)];
        expected[static_cast<std::size_t>(i % columns)] += value;
        magnitude[static_cast<std::size_t>(i % columns)] += std::abs(value);
      }
      for_each_instruction_set([&] {
        std::vector<float> sums(expected.size());
        sum_to({rows, columns}, x.data(), {columns}, sums.data());
        expect_sums(data, sums, expected, magnitude, std::to_string(columns) + " columns, sum");
      });
    }
  }
}

TEST(LongSums, SumsOfInterleavedChannels) {
  constexpr std::int64_t kBatch = 1'003, kChannels = 3, kPlane = 700;
  for (const Data data : kKinds) {
    const auto x = values<float>(data, kBatch * kChannels * kPlane, 1);
    std::vector<double> expected(kChannels), magnitude(kChannels);
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected[i / kPlane % kChannels] += static_cast<double>(x[i]);
      magnitude[i / kPlane % kChannels] += std::abs(static_cast<double>(x[i]));
    }
    for_each_instruction_set([&] {
      InterleavedFloats interleaved(kBatch, x);
      std::vector<float> sums(kChannels);
      sum_interleaved_per_channel(kBatch, kChannels, kPlane, interleaved.data(), sums.data());
      expect_sums(data, sums, expected, magnitude, "channel");
    });
  }
}

// With logits x_0 = 0 and x_k = ln 0.1 beside it, e^(x_k - max) = 0.1: a sum of n - 1 equal terms.
TEST(LongSums, Softmax) {
  constexpr std::int64_t kClasses = 1'000'000;
  const double tenth = std::exp(static_cast<double>(std::log(0.1F))), total = 1 + (kClasses - 1) * tenth;
  for (const std::int64_t inner : {1, 3}) {
    std::vector<float> x(static_cast<std::size_t>(kClasses * inner), std::log(0.1F)), y(x.size()),
        dx(x.size());
    const std::vector<float> tenths(x.size(), 0.1F), zeros(x.size(), 0);
    std::fill_n(x.begin(), inner, 0.0F);
    for_each_instruction_set([&] {
      std::vector<float> largest(static_cast<std::size_t>(inner)), log_sum = largest, loss = largest;
      softmax_and_sums<float>(1, kClasses, inner, x.data(), y.data(), largest.data(), log_sum.data());
      expect_sum(Data::equal, y[0], 1 / total, 1 / total, "softmax");
      expect_sum(Data::equal, y.back(), tenth / total, tenth / total, "softmax");
      EXPECT_NEAR(log_sum[0], std::log(total), 1e-5);
      log_softmax<float>(1, kClasses, inner, x.data(), y.data());
      EXPECT_NEAR(y[0], -std::log(total), 1e-5);

      // dx_k = y_k (dy_k - sum_j dy_j y_j), here of y_k = 0.1 and dy_k = 0.1.
      softmax_grad<float>(1, kClasses, inner, tenths.data(), tenths.data(), dx.data());
      const double t = 0.1F, dot = kClasses * t * t;
      expect_sum(Data::equal, dx[0], t * (t - dot), t * dot, "dx of softmax");
      // dx_k = dy_k - e^(y_k) sum_j dy_j, here of y_k = 0.
      log_softmax_grad<float>(1, kClasses, inner, tenths.data(), zeros.data(), dx.data());
      expect_sum(Data::equal, dx[0], t - kClasses * t, kClasses * t, "dx of log_softmax");
      // With x = 0, largest = 1 and log_sum = 0 every class has a loss of 1.
      std::fill(largest.begin(), largest.end(), 1.0F);
      std::fill(log_sum.begin(), log_sum.end(), 0.0F);
      target_loss<float>(1, kClasses, inner, zeros.data(), tenths.data(), largest.data(), log_sum.data(),
                         loss.data());
      expect_sum(Data::equal, loss[0], kClasses * t, kClasses * t, "loss");
    });
  }
}

}  // namespace
}  // namespace adjoint::kernels
