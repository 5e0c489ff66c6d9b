#include "tests/support/naive/conv2d.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/convolution.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

Conv2dOptions options_of(const Conv2dSizes& s) {
  return {.stride = {s.stride_height, s.stride_width},
          .padding = {s.padding_height, s.padding_width},
          .dilation = {s.dilation_height, s.dilation_width},
          .groups = s.groups,
          .flip_kernel = s.flip};
}
Shape x_shape(const Conv2dSizes& s) { return {s.batch, s.in_channels, s.height, s.width}; }
Shape w_shape(const Conv2dSizes& s) {
  return {s.out_channels, s.in_channels / s.groups, s.kernel_height, s.kernel_width};
}
Shape y_shape(const Conv2dSizes& s) { return {s.batch, s.out_channels, s.out_height, s.out_width}; }

Conv2dSizes random_sizes() {
  return Conv2dLimits{.batch = {1, 20},
                      .groups = {1, 3},
                      .in_channels = {1, 3},
                      .out_channels = {1, 5},
                      .kernel = {1, 4},
                      .stride = {1, 3},
                      .dilation = {1, 2},
                      .padding = {0, 3},
                      .height = {0, 8},
                      .width = {0, 8}}
      .drawn();
}

template <class T>
void expect_naive_results(const Conv2dSizes& s) {
  Rng rng(7);
  const DType dtype = dtype_of<T>;
  const double tolerance = dtype == float32 ? 3e-5 : 1e-12;
  const Tensor x = random_tensor(x_shape(s), rng, -1, 1, dtype).set_requires_grad();
  const Tensor w = random_tensor(w_shape(s), rng, -1, 1, dtype).set_requires_grad();
  const Tensor b = random_tensor({s.out_channels}, rng, -1, 1, dtype).set_requires_grad();
  const Tensor dy = random_tensor(y_shape(s), rng, -1, 1, dtype);
  const T *xs = x.data<T>().data(), *ws = w.data<T>().data(), *dys = dy.data<T>().data();

  const Tensor y = conv2d(x, w, b, options_of(s));
  ASSERT_EQ(y.shape(), y_shape(s));
  expect_close(y, naive_conv2d(s, xs, ws, b.data<T>().data()), tolerance);
  expect_close(conv2d(x, w, options_of(s)), naive_conv2d(s, xs, ws, static_cast<const T*>(nullptr)),
               tolerance);

  const std::vector<Tensor> gradients = grad(y, {x, w, b}, {.gradient = dy});
  expect_close(gradients[0], naive_conv2d_input_grad(s, dys, ws), tolerance);
  expect_close(gradients[1], naive_conv2d_weight_grad(s, dys, xs), tolerance);
  expect_close(gradients[2], sum(dy.to(float64), {0, 2, 3}), tolerance);
  expect_close(conv2d_input_grad(dy, w, x.shape(), options_of(s)), gradients[0], 0);
  expect_close(conv2d_weight_grad(dy, x, w.shape(), options_of(s)), gradients[1], 0);
}

RC_GTEST_PROP(Conv2d, AgreesWithNaiveLoopsInFloat32, ()) { expect_naive_results<float>(random_sizes()); }
RC_GTEST_PROP(Conv2d, AgreesWithNaiveLoopsInFloat64, ()) { expect_naive_results<double>(random_sizes()); }

TEST(Conv2d, IsACrossCorrelationUnlessFlipped) {
  const Tensor x = tensor({1, 2, 3, 4, 5, 6}, {1, 1, 2, 3});
  const Tensor w = tensor({1, 10}, {1, 1, 1, 2});
  expect_close(conv2d(x, w), {21, 32, 54, 65}, 0);
  expect_close(conv2d(x, w, {.flip_kernel = true}), {12, 23, 45, 56}, 0);
}

TEST(Conv2d, GivesAnImageTheSameResultAloneAndInABatch) {
  Rng rng(1);
  const Conv2dOptions options{.stride = {1, 2}, .padding = 1};
  const Tensor w = random_tensor({4, 3, 3, 2}, rng);
  const Tensor batch = random_tensor({20, 3, 6, 5}, rng);
  const std::vector<double> all = numbers(batch);
  std::vector<double> expected;
  for (std::ptrdiff_t n = 0; n < 20; ++n) {
    const std::vector<double> image(all.begin() + n * 90, all.begin() + (n + 1) * 90);
    const auto y = numbers(conv2d(from_data<double>(image, {1, 3, 6, 5}), w, options));
    expected.insert(expected.end(), y.begin(), y.end());
  }
  expect_close(conv2d(batch, w, options), expected, 1e-14);
  expect_close(conv2d(as_interleaved(batch), w, options), expected, 1e-14);
}

TEST(Conv2d, HasRightDerivatives) {
  Rng rng(2);
  for (const PerAxis stride : {PerAxis(1), PerAxis(3, 2)}) {
    for (const PerAxis dilation : {PerAxis(1), PerAxis(1, 2)}) {
      for (const PerAxis padding : {PerAxis(0), PerAxis(2, 1)}) {
        for (const std::int64_t groups : {1, 2}) {
          for (const bool flip : {false, true}) {
            const Conv2dOptions options{stride, padding, dilation, groups, flip};
            expect_gradients([&](auto in) { return conv2d(in[0], in[1], in[2], options); },
                             {random_tensor({1, 2, 5, 4}, rng), random_tensor({2, 2 / groups, 3, 2}, rng),
                              random_tensor({2}, rng)});
          }
        }
      }
    }
  }
}

TEST(Conv2d, HasRightDerivativesInterleaved) {
  Rng rng(3);
  const Conv2dOptions options{.stride = {2, 1}, .padding = {0, 1}, .groups = 2};
  expect_gradients([&](auto in) { return conv2d(as_interleaved(in[0]), in[1], options); },
                   {random_tensor({14, 2, 4, 3}, rng), random_tensor({2, 1, 2, 3}, rng)});
}

TEST(Conv2d, ItsGradientsHaveRightDerivatives) {
  Rng rng(4);
  const Conv2dOptions options{.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}, .flip_kernel = true};
  const Shape x{2, 2, 4, 5}, w{3, 2, 2, 2};
  const Tensor dy = random_tensor({2, 3, 3, 3}, rng);
  expect_gradients([&](auto in) { return conv2d_input_grad(in[0], in[1], x, options); },
                   {dy, random_tensor(w, rng)});
  expect_gradients([&](auto in) { return conv2d_weight_grad(in[0], in[1], w, options); },
                   {dy, random_tensor(x, rng)});
}

TEST(Conv2d, HasRightThirdDerivatives) {
  Rng rng(5);
  expect_third_derivatives(
      [](auto in) {
        return conv2d(in[0], in[1], {.padding = {0, 1}});
      },
      {random_tensor({1, 1, 3, 2}, rng), random_tensor({2, 1, 2, 2}, rng)});
}

TEST(Conv2d, TakesAnInputTwice) {
  Rng rng(6);
  expect_gradients([](auto in) { return conv2d(in[0], in[0] * in[0], {.padding = 1}); },
                   {random_tensor({2, 2, 3, 2}, rng)});
}

TEST(Conv2d, KeepsOnlyWhatBackwardReads) {
  Rng rng(7);
  Tensor x = random_tensor({2, 1, 3, 3}, rng), w = random_tensor({1, 1, 2, 2}, rng);
  w.set_requires_grad();
  Tensor loss = sum(conv2d(x, w));
  w.mutable_data<double>()[0] = 5;  // no gradient of x is wanted: w is not read again
  loss.backward();
  EXPECT_TRUE(w.grad().defined());

  x.set_requires_grad();
  loss = sum(conv2d(x, w));
  w.mutable_data<double>()[0] = 6;
  EXPECT_THROW(loss.backward(), GraphError);

  x.set_requires_grad();
  loss = sum(conv2d(x, w.detach()));
  x.mutable_data<double>()[0] = 7;  // nor is x when w is constant
  loss.backward();
  EXPECT_TRUE(x.grad().defined());
}

TEST(Conv2d, TakesAnEmptyBatch) {
  const Tensor x = zeros({0, 3, 5, 4}).set_requires_grad();
  const Tensor w = ones({2, 3, 3, 3}).set_requires_grad();
  const Tensor b = ones({2}).set_requires_grad();
  const Tensor y = conv2d(x, w, b);
  EXPECT_EQ(y.shape(), (Shape{0, 2, 3, 2}));
  sum(y).backward();
  EXPECT_EQ(x.grad().shape(), x.shape());
  expect_close(w.grad(), std::vector<double>(54), 0);
  expect_close(b.grad(), {0, 0}, 0);
}

TEST(Conv2d, TakesTheSmallestAndTheLargestSizes) {
  expect_close(conv2d(tensor({3}, {1, 1, 1, 1}), tensor({2}, {1, 1, 1, 1})), {6}, 0);
  // A kernel as large as the image with its padding.
  expect_close(conv2d(ones({1, 1, 2, 1}), ones({1, 1, 4, 1}), {.padding = {1, 0}}), {2}, 0);
  // Windows in the padding only.
  expect_close(conv2d(ones({1, 1, 1, 1}), ones({1, 1, 1, 1}), {.padding = {0, 2}}), {0, 0, 1, 0, 0}, 0);
  const Tensor w = ones({1, 1, 1, 1}).set_requires_grad();
  const Tensor x = tensor({1, 2}, {1, 1, 1, 2}).set_requires_grad();
  const Tensor y = conv2d(x, w, {.stride = INT64_MAX, .dilation = INT64_MAX});
  expect_close(y, {1}, 0);
  y.backward();
  expect_close(x.grad(), {1, 0}, 0);
  expect_close(w.grad(), {1}, 0);
}

TEST(Conv2d, RefusesShapesThatDoNotFit) {
  const auto refuses = [](const Shape& x, const Shape& w, const Conv2dOptions& options, const char* text) {
    expect_error<ShapeError>(text, [&] { conv2d(zeros(x), zeros(w), options); });
  };
  refuses({8, 3, 32, 32}, {16, 4, 3, 3}, {},
          "conv2d: x has 3 channels, w expects 4 (x [8,3,32,32], w [16,4,3,3])");
  expect_error<ShapeError>(
      "conv2d: x has 3 channels, w (conv1.weight) expects 4 (x [8,3,32,32], w [16,4,3,3])", [] {
        Tensor w = zeros({16, 4, 3, 3});
        w.set_name("conv1.weight");
        conv2d(zeros({8, 3, 32, 32}), w);
      });
  refuses({1, 6, 5, 4}, {4, 4, 3, 3}, {.groups = 2},
          "conv2d: x has 6 channels, w expects 4 in each of 2 groups (x [1,6,5,4], w [4,4,3,3])");
  refuses({1, 5, 5, 4}, {4, 2, 3, 3}, {.groups = 2},
          "conv2d: x has 5 channels, w expects 2 in each of 2 groups (x [1,5,5,4], w [4,2,3,3])");
  refuses({1, 6, 5, 4}, {4, 2, 3, 3}, {.groups = 3},
          "conv2d: 3 groups do not divide the 4 output channels of w (x [1,6,5,4], w [4,2,3,3])");
  refuses({3, 5, 4}, {1, 3, 1, 1}, {}, "conv2d: x must have 4 axes, it is [3,5,4]");
  refuses({1, 3, 5, 4}, {3, 1, 1}, {}, "conv2d: w must have 4 axes, it is [3,1,1]");
  refuses({1, 0, 5, 4}, {1, 0, 1, 1}, {},
          "conv2d: x must have at least one channel, row and column, it is [1,0,5,4]");
  refuses({1, 1, 0, 4}, {1, 1, 1, 1}, {.padding = 1},
          "conv2d: x must have at least one channel, row and column, it is [1,1,0,4]");
  refuses({1, 1, 5, 4}, {0, 1, 1, 1}, {}, "conv2d: w must not be empty, it is [0,1,1,1]");
  refuses({1, 1, 5, 4}, {1, 1, 1, 0}, {}, "conv2d: w must not be empty, it is [1,1,1,0]");
  refuses({1, 1, 5, 4}, {1, 1, 4, 4}, {.padding = {0, 1}, .dilation = {2, 1}},
          "conv2d: a window reaches over 7 rows, x has 5 with its padding (x [1,1,5,4], window {4, 4}, "
          "dilation {2, 1}, padding {0, 1})");
  refuses({1, 1, 5, 4}, {1, 1, 4, 4}, {.dilation = {1, 2}},
          "conv2d: a window reaches over 7 columns, x has 4 with its padding (x [1,1,5,4], window {4, 4}, "
          "dilation {1, 2}, padding {0, 0})");
  expect_error<ShapeError>(
      "conv2d: b must be [2], a number for each output channel of w [2,1,1,1], it is [3]", [] {
        conv2d(zeros({1, 1, 5, 4}), zeros({2, 1, 1, 1}), zeros({3}));
      });
  expect_error<ShapeError>("conv2d: b must be [1], a number for each output channel of w [1,1,1,1], it is []",
                           [] {
                             conv2d(zeros({1, 1, 5, 4}), zeros({1, 1, 1, 1}), zeros({}));
                           });
  expect_error<ShapeError>(
      "conv2d_input_grad: dy must be [1,2,4,3] (x [1,1,5,4], w [2,1,2,2]), it is [1,2,5,4]", [] {
        conv2d_input_grad(zeros({1, 2, 5, 4}), zeros({2, 1, 2, 2}), {1, 1, 5, 4});
      });
  expect_error<ShapeError>("conv2d_weight_grad: x has 2 channels, w expects 1 (x [1,2,5,4], w [2,1,2,2])",
                           [] {
                             conv2d_weight_grad(zeros({1, 2, 4, 3}), zeros({1, 2, 5, 4}), {2, 1, 2, 2});
                           });
}

TEST(Conv2d, RefusesOptionsOutOfRange) {
  const auto refuses = [](const Conv2dOptions& options, const char* text) {
    expect_error<Error>(text, [&] { conv2d(zeros({1, 1, 5, 4}), zeros({1, 1, 2, 2}), options); });
  };
  refuses({.stride = {0, 1}}, "conv2d: stride must be at least 1, it is {0, 1}");
  refuses({.stride = {1, -2}}, "conv2d: stride must be at least 1, it is {1, -2}");
  refuses({.padding = {0, -1}}, "conv2d: padding must be at least 0, it is {0, -1}");
  refuses({.dilation = 0}, "conv2d: dilation must be at least 1, it is {0, 0}");
  refuses({.groups = 0}, "conv2d: groups must be at least 1, it is 0");
  refuses({.groups = -1}, "conv2d: groups must be at least 1, it is -1");
}

TEST(Conv2d, RefusesSizesThatOverflow) {
  const auto convolve = [](const Conv2dOptions& options) {
    return [options] { conv2d(zeros({1, 1, 5, 4}), zeros({1, 1, 3, 3}), options); };
  };
  const std::int64_t half = INT64_MAX / 2;
  EXPECT_THROW(convolve({.padding = half})(), ShapeError);
  EXPECT_THROW(convolve({.padding = half + 1})(), ShapeError);
  EXPECT_THROW(convolve({.padding = INT64_MAX})(), ShapeError);
  EXPECT_THROW(convolve({.dilation = half})(), ShapeError);
  EXPECT_THROW(convolve({.dilation = INT64_MAX})(), ShapeError);
  EXPECT_THROW(convolve({.padding = INT64_MAX / 4})(), ShapeError);  // the product of y's sizes
}

TEST(Conv2d, RefusesDtypesThatDoNotFit) {
  const auto refuses = [](DType x, DType w, DType b, const char* text) {
    expect_error<DTypeError>(text, [&] {
      conv2d(zeros({1, 1, 2, 2}, {.dtype = x}), zeros({1, 1, 1, 1}, {.dtype = w}), zeros({1}, {.dtype = b}));
    });
  };
  refuses(float32, float64, float32, "conv2d: x and w must have the same dtype; x is float32, w is float64");
  refuses(float32, float32, float64, "conv2d: x and b must have the same dtype; x is float32, b is float64");
  refuses(int64, int64, int64, "conv2d: x must be float32 or float64, it is int64");
}

}  // namespace
}  // namespace adjoint
