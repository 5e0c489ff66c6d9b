#include "tests/support/naive/pool2d.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/pooling.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/draw.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive/conv2d.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

RC_GTEST_PROP(Pool2d, AgreesWithNaiveLoops, ()) {
  kernels::Pool2dSizes s{};
  s.batch = draw(1, 20);
  s.channels = draw(1, 3);
  s.count_include_pad = draw(0, 1) == 1;
  const auto draw_axis = [](auto& size, auto& out, auto& window, auto& stride, auto& padding) {
    window = draw(1, 4);
    stride = draw(1, 5);
    padding = draw(0, window / 2);
    size = std::max<std::int64_t>(1, window - 2 * padding) + draw(0, 9);
    out = windows_on(size, window, stride, padding);
  };
  draw_axis(s.height, s.out_height, s.window_height, s.stride_height, s.padding_height);
  draw_axis(s.width, s.out_width, s.window_width, s.stride_width, s.padding_width);
  const PerAxis window{s.window_height, s.window_width}, stride{s.stride_height, s.stride_width},
      padding{s.padding_height, s.padding_width};
  const Shape y_shape{s.batch, s.channels, s.out_height, s.out_width};
  const DType dtype = draw(0, 1) ? float32 : float64;
  const double tolerance = tolerance_of(dtype);

  Rng rng(5);
  const Tensor leaf =
      random_tensor({s.batch, s.channels, s.height, s.width}, rng, -1, 1, dtype).set_requires_grad();
  const bool interleaved = draw(0, 1) == 1;
  const auto x = [&] { return interleaved ? as_interleaved(leaf) : leaf; };
  const Tensor rows_dy = random_tensor(y_shape, rng, -1, 1, dtype);
  const Tensor dy = draw(0, 1) ? as_interleaved(rows_dy) : rows_dy;
  const NaivePool2d<double> expected(s, numbers(leaf), numbers(rows_dy));

  const Tensor average = avg_pool2d(x(), {window, stride, padding, s.count_include_pad});
  ASSERT_EQ(average.shape(), y_shape);
  expect_close(average, expected.average, tolerance);
  expect_close(grad(average, leaf, {.gradient = dy}), expected.average_grad, tolerance);
  const Tensor maximum = max_pool2d(x(), {window, stride, padding});
  ASSERT_EQ(maximum.shape(), y_shape);
  expect_close(maximum, expected.maximum, 0);
  expect_close(grad(maximum, leaf, {.gradient = dy}), expected.maximum_grad, tolerance);
}

TEST(Pool2d, HasRightDerivatives) {
  Rng rng(1);
  // Overlapping windows, gaps between them, ragged edges, padding.
  for (const PerAxis stride : {PerAxis(2), PerAxis(1, 2), PerAxis(3, 4)}) {
    for (const PerAxis padding : {PerAxis(0), PerAxis(1, 0)}) {
      const Tensor x = random_tensor({2, 2, 5, 7}, rng), many = random_tensor({9, 1, 5, 4}, rng);
      // The product makes the second derivative depend on x. Pooling alone is linear, apart from the choice
      // of maxima.
      expect_gradients(
          [&](auto in) {
            const Tensor y = avg_pool2d(in[0], {{2, 3}, stride, padding, false});
            return y * y;
          },
          {x});
      expect_gradients(
          [&](auto in) {
            const Tensor y = max_pool2d(in[0], {{2, 3}, stride, padding});
            return y * y;
          },
          {x});
      expect_gradients(
          [&](auto in) {
            return avg_pool2d(as_interleaved(in[0]), {2, stride, padding});
          },
          {many});
      expect_gradients(
          [&](auto in) {
            return max_pool2d(as_interleaved(in[0]), {2, stride, padding});
          },
          {many});
    }
  }
}

TEST(Pool2d, HasRightThirdDerivatives) {
  Rng rng(2);
  const Tensor x = random_tensor({1, 1, 4, 4}, rng);
  expect_third_derivatives([](auto in) { return avg_pool2d(in[0], {.window = 3, .stride = 1}); }, {x});
  expect_third_derivatives([](auto in) { return max_pool2d(in[0], {.window = 3, .stride = 1}); }, {x});
}

TEST(Pool2d, StridesByTheWindowUnlessToldOtherwise) {
  const Tensor image = tensor({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {1, 1, 2, 6});
  expect_close(max_pool2d(image, {.window = {2, 3}}), {8, 11}, 0);
  expect_close(avg_pool2d(image, {.window = {2, 3}}), {4, 7}, 1e-6);
  expect_close(max_pool2d(image, {.window = {1, 2}, .stride = {1, 4}}), {1, 5, 7, 11}, 0);
}

TEST(Pool2d, DropsRaggedEdges) {
  const Tensor x = tensor({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3}).set_requires_grad();
  const Tensor y = max_pool2d(x, {.window = 2});
  expect_close(y, {5}, 0);
  expect_close(grad(y, x), {0, 0, 0, 0, 1, 0, 0, 0, 0}, 0);
  expect_close(grad(avg_pool2d(x, {.window = 2}), x), {.25, .25, 0, .25, .25, 0, 0, 0, 0}, 0);
}

TEST(Pool2d, CountsPaddingOrNot) {
  const Tensor x = ones({1, 1, 2, 2});
  expect_close(avg_pool2d(x, {.window = 2, .padding = 1}), {.25, .25, .25, .25}, 0);
  expect_close(avg_pool2d(x, {.window = 2, .padding = 1, .count_include_pad = false}), {1, 1, 1, 1}, 0);
  // Padding is never a maximum.
  expect_close(max_pool2d(neg(x), {.window = 2, .padding = 1}), {-1, -1, -1, -1}, 0);
}

TEST(Pool2d, GivesTheGradientToTheFirstOfEqualMaxima) {
  for (const std::int64_t batch : {1, 17}) {  // 17: interleaved as well
    const Tensor leaf = full({batch, 1, 3, 4}, 2).set_requires_grad();
    for (const Tensor& x : {leaf, as_interleaved(leaf)}) {
      const Tensor y = max_pool2d(x, {.window = 2, .stride = 1});
      const std::vector<double> dx = numbers(grad(sum(y), leaf));
      const std::vector<double> expected{1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0};
      for (std::size_t i = 0; i < dx.size(); ++i) ASSERT_EQ(dx[i], expected[i % 12]) << i;
    }
  }
  const Tensor x = tensor({1, 3, 3, 3}, {1, 1, 2, 2}).set_requires_grad();
  expect_close(grad(max_pool2d(x, {.window = 2}), x), {0, 1, 0, 0}, 0);
}

TEST(Pool2d, PassesNotANumberAndInfinityOn) {
  const Tensor x = tensor({1, kNaN, kInfinity, 2, -kInfinity, -kInfinity}, {1, 1, 1, 6}).set_requires_grad();
  const Tensor y = max_pool2d(x, {.window = {1, 2}});
  expect_close(y, {kNaN, kInfinity, -kInfinity}, 0);
  expect_close(grad(y, x, {.gradient = ones({1, 1, 1, 3})}), {0, 1, 1, 0, 1, 0}, 0);
}

TEST(Pool2d, PaddingGetsNoGradientHoweverSmallTheElements) {
  for (const std::int64_t batch : {1, 17}) {
    const Tensor leaf = full({batch, 1, 2, 2}, -kInfinity).set_requires_grad();
    for (const Tensor& x : {leaf, as_interleaved(leaf)}) {
      const Tensor y = max_pool2d(x, {.window = 2, .padding = 1});  // one element in each window
      for (const double dx : numbers(grad(sum(y), leaf))) ASSERT_EQ(dx, 1);
    }
  }
}

TEST(Pool2d, TheFirstNotANumberGetsTheGradient) {
  for_each_instruction_set([] {
    for (const DType dtype : {float32, float64}) {
      const Tensor image = tensor({1, 9, kNaN, 3, -kNaN, 9}, {1, 1, 2, 3}, {.dtype = dtype});
      const Tensor leaf = broadcast_to(image, {19, 1, 2, 3}).detach().set_requires_grad();
      for (const bool interleaved : {false, true}) {
        const Tensor y = max_pool2d(interleaved ? as_interleaved(leaf) : leaf, {.window = {2, 3}});
        for (const double value : numbers(y)) ASSERT_TRUE(std::isnan(value));
        const std::vector<double> dx = numbers(grad(sum(y), leaf));
        for (std::size_t i = 0; i < dx.size(); ++i) ASSERT_EQ(dx[i], i % 6 == 2 ? 1 : 0) << i;
      }
    }
  });
}

// More than 2^24 elements, beyond which float32 does not hold every whole number.
TEST(Pool2d, FindsTheMaximumOfAnEnormousWindow) {
  const std::int64_t width = (1 << 23) + 1;
  for (const std::int64_t at : {2 * width - 1, 2 * width - 2, std::int64_t{1}}) {
    std::vector<float> numbers(static_cast<std::size_t>(2 * width));
    numbers[static_cast<std::size_t>(at)] = 5;
    const Tensor x = from_data<float>(numbers, {1, 1, 2, width}, true);
    const Tensor y = max_pool2d(x, {.window = {2, width}});
    EXPECT_EQ(y.dtype(), float32);
    EXPECT_EQ(y.item(), 5);
    const Tensor dx = grad(y, x, {.gradient = full({1, 1, 1, 1}, 3)});
    ASSERT_EQ(dx.dtype(), float32);
    EXPECT_EQ(dx.data<float>()[static_cast<std::size_t>(at)], 3);
    EXPECT_EQ(std::ranges::count(dx.data<float>(), 0.0f), 2 * width - 1);
  }
}

TEST(Pool2d, AveragesOfLargeWindowsKeepTheirDigits) {
  const std::int64_t width = (1 << 23) + 1;
  EXPECT_EQ(avg_pool2d(ones({1, 1, 2, width}), {.window = {2, width}}).item(), 1);
  EXPECT_NEAR(avg_pool2d(full({1, 1, 1, 200000}, 0.1), {.window = {1, 200000}}).item(), 0.1, 1e-6 * 0.1);
  for (const std::int64_t images : {1, 17}) {
    for (const std::int64_t size : {23, 33, 300, 511, 600}) {
      const Tensor x = full({images, 1, size, size}, 0.1, {.requires_grad = true});
      const Tensor y = avg_pool2d(x, {.window = size});
      for (const float average : y.data<float>()) EXPECT_NEAR(average, 0.1, 1e-5 * 0.1) << size;
      const Tensor dx = grad(sum(y), x);
      EXPECT_EQ(dx.data<float>()[0], 1.0f / static_cast<float>(size * size));
    }
  }
}

TEST(Pool2d, TakesAnEmptyBatch) {
  const Tensor x = zeros({0, 3, 5, 4}).set_requires_grad();
  EXPECT_EQ(grad(sum(avg_pool2d(x, {.window = 2})), x).shape(), x.shape());
  EXPECT_EQ(max_pool2d(x, {.window = 2}).shape(), (Shape{0, 3, 2, 2}));
  EXPECT_EQ(grad(sum(max_pool2d(x, {.window = 2})), x).shape(), x.shape());
}

// Windows of 2^50 elements, in the middle of which the image lies.
TEST(Pool2d, TakesWindowsMuchLargerThanTheImage) {
  const PerAxis window{std::int64_t{1} << 25, std::int64_t{1} << 25}, padding{1 << 24, (1 << 24) - 3};
  for (const DType dtype : {float32, float64}) {
    const Tensor x = tensor({1, 2, 3, 4, 7, 6, 5, 1}, {1, 1, 1, 8}, {.dtype = dtype}).set_requires_grad();
    const Tensor y = max_pool2d(x, {window, 1, padding});
    EXPECT_EQ(y.shape(), (Shape{1, 1, 2, 3}));
    expect_close(y, {7, 7, 7, 7, 7, 7}, 0);
    expect_close(grad(sum(y), x), {0, 0, 0, 0, 6, 0, 0, 0}, 0);
    const AvgPool2dOptions inside{window, 1, padding, false};
    expect_close(avg_pool2d(x, inside), std::vector<double>(6, 29.0 / 8), 0);
    expect_close(avg_pool2d(x, {window, 1, padding}), std::vector<double>(6, 29 * 0x1p-50), 0);
  }
}

TEST(Pool2d, TakesTheSmallestAndTheLargestSizes) {
  const Tensor x = tensor({3, 1}, {1, 1, 1, 2}).set_requires_grad();
  expect_close(max_pool2d(x, {.window = 1}), {3, 1}, 0);
  expect_close(avg_pool2d(x, {.window = {1, 2}}), {2}, 0);
  const Tensor y = max_pool2d(x, {.window = 1, .stride = INT64_MAX});
  expect_close(y, {3}, 0);
  expect_close(grad(y, x), {1, 0}, 0);
}

TEST(Pool2d, RefusesShapesThatDoNotFit) {
  expect_error<ShapeError>("avg_pool2d: x must have 4 axes, it is [3,4,4]", [] {
    avg_pool2d(zeros({3, 4, 4}), {.window = 2});
  });
  expect_error<ShapeError>("max_pool2d: x must have at least one channel, row and column, it is [1,0,4,4]",
                           [] {
                             max_pool2d(zeros({1, 0, 4, 4}), {.window = 2});
                           });
  expect_error<ShapeError>(
      "max_pool2d: a window reaches over 6 columns, x has 5 with its padding (x "
      "[1,1,4,3], window {2, 6}, dilation {1, 1}, padding {0, 1})",
      [] {
        max_pool2d(zeros({1, 1, 4, 3}), {.window = {2, 6}, .padding = {0, 1}});
      });
  // A window of 2^124 elements, nearly all of them beside the image; and one whose rows lie 2^64 apart.
  const Tensor x = zeros({1, 1, 2, 8}).set_requires_grad();
  const PerAxis huge = std::int64_t{1} << 62, half = std::int64_t{1} << 61;
  EXPECT_THROW(avg_pool2d(x, {.window = huge, .padding = half}), ShapeError);
  EXPECT_THROW(max_pool2d(x, {.window = huge, .padding = half}), ShapeError);
  EXPECT_THROW(max_pool2d(x, {.window = {huge.height, 1}, .padding = {half.height, 0}}), ShapeError);
  EXPECT_THROW(avg_pool2d(zeros({1, 1, 4, 3}), {.window = INT64_MAX, .padding = INT64_MAX / 2}), ShapeError);
  EXPECT_THROW(avg_pool2d(zeros({1, 1, 4, 3}), {.window = INT64_MAX}), ShapeError);
}

TEST(Pool2d, RefusesOptionsOutOfRange) {
  const Tensor x = zeros({1, 1, 4, 3});
  expect_error<Error>("avg_pool2d: window must be at least 1, it is {0, 1}", [&] {
    avg_pool2d(x, {.window = {0, 1}});
  });
  expect_error<Error>("avg_pool2d: stride must be at least 1, it is {0, 0}",
                      [&] { avg_pool2d(x, {.window = 2, .stride = 0}); });
  expect_error<Error>("max_pool2d: padding must be at least 0, it is {0, -1}", [&] {
    max_pool2d(x, {.window = 2, .padding = {0, -1}});
  });
  expect_error<Error>("max_pool2d: padding must be at most half the window; window is {2, 3}, padding {1, 2}",
                      [&] {
                        max_pool2d(x, {.window = {2, 3}, .padding = {1, 2}});
                      });
  expect_error<Error>("avg_pool2d: padding must be at most half the window; window is {2, 3}, padding {2, 1}",
                      [&] {
                        avg_pool2d(x, {.window = {2, 3}, .padding = {2, 1}});
                      });
  expect_error<DTypeError>("max_pool2d: x must be float32 or float64, it is int64",
                           [&] { max_pool2d(x.to(int64), {.window = 2}); });
}

}  // namespace
}  // namespace adjoint
