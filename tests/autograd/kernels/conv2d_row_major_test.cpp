// Row-major convolution and its gradients against the definition, with every instruction set.
#include <gtest/gtest.h>
#include <limits>
#include <rapidcheck/gtest.h>
#include <vector>

#include "autograd/kernels/convolution/conv2d.h"
#include "tests/support/expect_near.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive/conv2d.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;

template <class T>
void expect_conv2d_matches(const Conv2dSizes& s) {
  const auto x = random_values<T>(input_size(s), 1), w = random_values<T>(weight_size(s), 2);
  const auto bias = random_values<T>(static_cast<std::size_t>(s.out_channels), 3);
  const auto dy = random_values<T>(output_size(s), 4);
  const double tolerance = 1e3 * std::numeric_limits<T>::epsilon();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const T* no_bias = nullptr;
  std::vector<T> y(dy.size(), nan), dx(x.size(), nan), dw(w.size(), nan);
  conv2d(Layout::row_major, s, x.data(), w.data(), no_bias, y.data());
  expect_near(y, naive_conv2d(s, x.data(), w.data(), no_bias), tolerance, "y");
  conv2d(Layout::row_major, s, x.data(), w.data(), bias.data(), y.data());
  expect_near(y, naive_conv2d(s, x.data(), w.data(), bias.data()), tolerance, "y with bias");
  conv2d_input_grad(Layout::row_major, s, dy.data(), w.data(), dx.data());
  expect_near(dx, naive_conv2d_input_grad(s, dy.data(), w.data()), tolerance, "dx");
  conv2d_weight_grad(Layout::row_major, s, dy.data(), x.data(), dw.data());
  expect_near(dw, naive_conv2d_weight_grad(s, dy.data(), x.data()), tolerance, "dw");
}

void expect_conv2d_matches_everywhere(const Conv2dSizes& s) {
  SCOPED_TRACE(testing::Message() << "x [" << s.batch << "," << s.in_channels << "," << s.height << ","
                                  << s.width << "], w [" << s.out_channels << ",...," << s.kernel_height
                                  << "," << s.kernel_width << "], stride " << s.stride_height << ","
                                  << s.stride_width << ", padding " << s.padding_height << ","
                                  << s.padding_width << ", dilation " << s.dilation_height << ","
                                  << s.dilation_width << ", groups " << s.groups << ", flip " << s.flip);
  for_each_instruction_set([&] {
    expect_conv2d_matches<float>(s);
    expect_conv2d_matches<double>(s);
  });
}

TEST(Conv2dRowMajor, DocumentedSizes) {
  expect_conv2d_matches_everywhere({1, 1, 28, 28, 4, 24, 24, 5, 5});
  expect_conv2d_matches_everywhere({1, 4, 12, 12, 6, 8, 8, 5, 5});
  expect_conv2d_matches_everywhere({1, 1, 5, 5, 1, 2, 2, 3, 3, 2, 2});
}

TEST(Conv2dRowMajor, ManyChannels) {
  // Too many for a tile to take all input channels of a tap before the next tap.
  expect_conv2d_matches_everywhere({1, 80, 6, 19, 5, 4, 17, 3, 3});
  expect_conv2d_matches_everywhere(with_output({.batch = 2,
                                                .in_channels = 20,
                                                .height = 9,
                                                .width = 7,
                                                .out_channels = 70,
                                                .out_height = 0,
                                                .out_width = 0,
                                                .kernel_height = 3,
                                                .kernel_width = 2,
                                                .padding_height = 1}));
  expect_conv2d_matches_everywhere(with_output({.batch = 2,
                                                .in_channels = 12,
                                                .height = 8,
                                                .width = 11,
                                                .out_channels = 48,
                                                .out_height = 0,
                                                .out_width = 0,
                                                .kernel_height = 2,
                                                .kernel_width = 3,
                                                .stride_width = 2,
                                                .groups = 2,
                                                .flip = true}));
}

// Large enough to be cut into bands of rows, pieces of output channels, and chunks of input channels.
TEST(Conv2dRowMajor, CutForThreads) {
  const auto sizes = [](std::int64_t channels, std::int64_t height, std::int64_t width,
                        std::int64_t out_channels) {
    return Conv2dSizes{.batch = 1,
                       .in_channels = channels,
                       .height = height,
                       .width = width,
                       .out_channels = out_channels,
                       .out_height = 0,
                       .out_width = 0,
                       .kernel_height = 3,
                       .kernel_width = 3,
                       .padding_height = 1,
                       .padding_width = 1};
  };
  expect_conv2d_matches_everywhere(with_output(sizes(16, 41, 13, 24)));
  expect_conv2d_matches_everywhere(with_output(sizes(40, 7, 6, 130)));
  Conv2dSizes strided = sizes(24, 60, 31, 16);
  strided.kernel_height = 4;
  strided.stride_height = 2;
  strided.dilation_width = 3;
  strided.flip = true;
  expect_conv2d_matches_everywhere(with_output(strided));
}

// A stride without a second position counts as 1: no tap reads the last row of x.
TEST(Conv2dRowMajor, RowsLeftOver) {
  expect_conv2d_matches_everywhere({1, 4, 6, 5, 8, 1, 5, 3, 3, 1, 1, 0, 2, 2, 2, 2});
}

TEST(Conv2dRowMajor, EmptyBatch) {
  expect_conv2d_matches_everywhere({0, 2, 4, 5, 3, 3, 4, 2, 2});
  expect_conv2d_matches_everywhere({0, 20, 6, 5, 30, 4, 3, 3, 3});
}

void expect_drawn_match(const Conv2dLimits& limits) {
  Conv2dSizes s = limits.drawn();
  // As ops do it. With strides of 1, too, rows and columns may then be left over that no tap reads.
  if (s.out_height == 1) s.stride_height = 1;
  if (s.out_width == 1) s.stride_width = 1;
  expect_conv2d_matches_everywhere(s);
  RC_ASSERT(!testing::Test::HasFailure());
}

RC_GTEST_PROP(Conv2dRowMajor, MatchesDefinition, ()) {
  expect_drawn_match({.batch = {1, 3},
                      .groups = {1, 3},
                      .in_channels = {1, 4},
                      .out_channels = {1, 9},
                      .kernel = {1, 5},
                      .stride = {1, 4},
                      .dilation = {1, 4},
                      .padding = {0, 4},
                      .height = {0, 12},
                      .width = {0, 20}});
}

// Small images under large kernels: the input gradient is computed by col2im.
RC_GTEST_PROP(Conv2dRowMajor, SmallImagesMatchDefinition, ()) {
  expect_drawn_match({.batch = {1, 2},
                      .groups = {1, 2},
                      .in_channels = {1, 4},
                      .out_channels = {1, 20},
                      .kernel = {2, 6},
                      .stride = {1, 1},
                      .dilation = {1, 2},
                      .padding = {0, 1},
                      .height = {0, 10},
                      .width = {0, 30}});
}

// Enough channels that registers hold output channels.
RC_GTEST_PROP(Conv2dRowMajor, ManyChannelsMatchDefinition, ()) {
  expect_drawn_match({.batch = {1, 2},
                      .groups = {1, 2},
                      .in_channels = {1, 40},
                      .out_channels = {10, 70},
                      .kernel = {1, 3},
                      .stride = {1, 3},
                      .dilation = {1, 2},
                      .padding = {0, 2},
                      .height = {0, 8},
                      .width = {0, 8}});
}

// Kernels that reach far past narrow images: products with the zeros around these are left out.
RC_GTEST_PROP(Conv2dRowMajor, WideKernelsOnNarrowImagesMatchDefinition, ()) {
  expect_drawn_match({.batch = {1, 2},
                      .groups = {1, 2},
                      .in_channels = {3, 10},
                      .out_channels = {14, 36},
                      .kernel = {3, 7},
                      .stride = {1, 2},
                      .dilation = {1, 2},
                      .padding = {2, 5},
                      .height = {2, 12},
                      .width = {0, 6}});
}

void expect_same_bits(const Conv2dSizes& s) {
  SCOPED_TRACE(testing::Message() << "batch " << s.batch << ", channels " << s.in_channels);
  const auto x = random_values<float>(input_size(s), 1), w = random_values<float>(weight_size(s), 2);
  const auto dy = random_values<float>(output_size(s), 3);
  expect_same_bits_for_any_number_of_threads([&] {
    std::vector<float> y(dy.size()), dx(x.size()), dw(w.size());
    conv2d(Layout::row_major, s, x.data(), w.data(), static_cast<const float*>(nullptr), y.data());
    conv2d_input_grad(Layout::row_major, s, dy.data(), w.data(), dx.data());
    conv2d_weight_grad(Layout::row_major, s, dy.data(), x.data(), dw.data());
    return std::vector{y, dx, dw};
  });
}

TEST(Conv2dRowMajor, SameBitsForAnyNumberOfThreads) {
  const auto sizes = [](std::int64_t batch, std::int64_t channels, std::int64_t side,
                        std::int64_t out_channels) {
    return Conv2dSizes{.batch = batch,
                       .in_channels = channels,
                       .height = side,
                       .width = side - 2,
                       .out_channels = out_channels,
                       .out_height = 0,
                       .out_width = 0,
                       .kernel_height = 3,
                       .kernel_width = 3};
  };
  for (const std::int64_t batch : {1, 3}) {
    expect_same_bits(with_output(sizes(batch, 24, 20, 20)));
    // Registers that hold output channels, and an input gradient by col2im.
    expect_same_bits(with_output(sizes(batch, 40, 9, 100)));
    Conv2dSizes strided = sizes(batch, 40, 15, 100);
    strided.stride_height = strided.stride_width = 2;
    expect_same_bits(with_output(strided));
  }
}

}  // namespace
}  // namespace adjoint::kernels
