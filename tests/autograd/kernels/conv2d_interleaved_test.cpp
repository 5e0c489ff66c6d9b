// Interleaved convolution and its gradients against plain loops, over random sizes and options, on
// every instruction set and with several numbers of threads. Values are small whole numbers, so that every
// sum is exact.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <vector>

#include "autograd/kernels/convolution/conv2d.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/interleaved.h"
#include "tests/support/naive/conv2d.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;

template <class T>
class Conv2dInterleaved : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Conv2dInterleaved, Types);

template <class T>
void check_all(const Conv2dSizes& s) {
  const auto x = random_whole_numbers<T>(input_size(s), 1), w = random_whole_numbers<T>(weight_size(s), 2);
  const auto dy = random_whole_numbers<T>(output_size(s), 3);
  const auto bias = random_whole_numbers<T>(static_cast<std::size_t>(s.out_channels), 4);
  const std::int64_t in_features = s.in_channels * s.height * s.width;
  const std::int64_t out_features = s.out_channels * s.out_height * s.out_width;
  const Interleaved<T> x_interleaved(s.batch, x), dy_interleaved(s.batch, dy);
  const auto exact = [](const std::vector<double>& values) {
    return std::vector<T>(values.begin(), values.end());
  };
  const T* no_bias = nullptr;
  const auto y = exact(naive_conv2d(s, x.data(), w.data(), bias.data()));
  const auto y_without_bias = exact(naive_conv2d(s, x.data(), w.data(), no_bias));
  const auto dx = exact(naive_conv2d_input_grad(s, dy.data(), w.data()));
  const auto dw = exact(naive_conv2d_weight_grad(s, dy.data(), x.data()));

  for_each_instruction_set([&] {
    for (const int number : {1, 2, 3}) {
      RC_LOG() << hwy::TargetName(hwy::SupportedTargets()) << ", " << number << " threads\n";
      const WithThreads threads(number);
      Interleaved<T> result(s.batch, out_features);
      conv2d(Layout::interleaved, s, x_interleaved.data(), w.data(), bias.data(), result.data());
      RC_ASSERT(result.row_major() == y);
      conv2d(Layout::interleaved, s, x_interleaved.data(), w.data(), no_bias, result.data());
      RC_ASSERT(result.row_major() == y_without_bias);
      Interleaved<T> input_grad(s.batch, in_features);
      conv2d_input_grad(Layout::interleaved, s, dy_interleaved.data(), w.data(), input_grad.data());
      RC_ASSERT(input_grad.row_major() == dx);
      std::vector<T> weight_grad(w.size(), T(77));
      conv2d_weight_grad(Layout::interleaved, s, dy_interleaved.data(), x_interleaved.data(),
                         weight_grad.data());
      RC_ASSERT(weight_grad == dw);
    }
  });
}

/// Sizes, some of which are large enough that work is cut into parts.
Conv2dSizes random_sizes(std::int64_t batch, std::int64_t in_channels, std::int64_t out_channels,
                         std::int64_t positions) {
  const std::int64_t groups = draw(1, 3);
  return Conv2dLimits{.batch = {1, batch},
                      .groups = {groups, groups},
                      .in_channels = {1, in_channels / groups},
                      .out_channels = {1, out_channels / groups},
                      .kernel = {1, 7},
                      .stride = {1, 3},
                      .dilation = {1, 3},
                      .padding = {0, 3},
                      .height = {0, positions},
                      .width = {0, positions}}
      .drawn();
}

TYPED_TEST(Conv2dInterleaved, AgreesWithPlainLoops) {
  EXPECT_TRUE(rc::check([] { check_all<TypeParam>(random_sizes(40, 9, 9, 11)); }));
}

TYPED_TEST(Conv2dInterleaved, AgreesWithPlainLoopsForManyChannels) {
  EXPECT_TRUE(rc::check([] { check_all<TypeParam>(random_sizes(3, 100, 40, 4)); }));
}

// Every output reads only the zeros around the image.
TYPED_TEST(Conv2dInterleaved, AgreesWithPlainLoopsWhereAllColumnsReadPadding) {
  Conv2dSizes s{.batch = 16,
                .in_channels = 2,
                .height = 3,
                .width = 1,
                .out_channels = 2,
                .out_height = 0,
                .out_width = 0,
                .kernel_height = 1,
                .kernel_width = 1,
                .stride_width = 70,
                .padding_width = 40};
  for (const std::int64_t padding_height : {0, 40}) {
    s.padding_height = padding_height;
    EXPECT_TRUE(rc::check([&] { check_all<TypeParam>(with_output(s)); }));
  }
}

// Large enough for threads and for several chunks of the batch; fractions, so that the order of additions
// shows.
TYPED_TEST(Conv2dInterleaved, GivesTheSameBitsForAnyNumberOfThreads) {
  using T = TypeParam;
  const Conv2dSizes s = with_output({.batch = 150,
                                     .in_channels = 3,
                                     .height = 9,
                                     .width = 11,
                                     .out_channels = 5,
                                     .out_height = 0,
                                     .out_width = 0,
                                     .kernel_height = 3,
                                     .kernel_width = 3,
                                     .stride_width = 2,
                                     .padding_height = 1,
                                     .padding_width = 1});
  const auto w = random_values<T>(weight_size(s), 2);
  const Interleaved<T> x(s.batch, random_values<T>(input_size(s), 1));
  const Interleaved<T> dy(s.batch, random_values<T>(output_size(s), 3));
  for_each_instruction_set([&] {
    expect_same_bits_for_any_number_of_threads([&] {
      Interleaved<T> y(s.batch, 5 * 9 * 6), dx(s.batch, 3 * 9 * 11);
      std::vector<T> dw(w.size());
      conv2d<T>(Layout::interleaved, s, x.data(), w.data(), nullptr, y.data());
      conv2d_input_grad(Layout::interleaved, s, dy.data(), w.data(), dx.data());
      conv2d_weight_grad(Layout::interleaved, s, dy.data(), x.data(), dw.data());
      return std::vector{y.row_major(), dx.row_major(), dw};
    });
  });
}

TYPED_TEST(Conv2dInterleaved, WeightGradOfAnEmptyBatchIsZero) {
  using T = TypeParam;
  const Conv2dSizes s{.batch = 0,
                      .in_channels = 2,
                      .height = 3,
                      .width = 4,
                      .out_channels = 2,
                      .out_height = 2,
                      .out_width = 3,
                      .kernel_height = 2,
                      .kernel_width = 2};
  std::vector<T> w(weight_size(s)), dw(weight_size(s), T(77));
  conv2d<T>(Layout::interleaved, s, nullptr, w.data(), nullptr, nullptr);
  conv2d_input_grad<T>(Layout::interleaved, s, nullptr, w.data(), nullptr);
  conv2d_weight_grad<T>(Layout::interleaved, s, nullptr, nullptr, dw.data());
  EXPECT_EQ(dw, w);
}

}  // namespace
}  // namespace adjoint::kernels
