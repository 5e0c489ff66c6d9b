// Convolution in the lanes layout and its gradients against plain loops, over random sizes and options, on
// every instruction set and with several numbers of threads. Values are small whole numbers, so that every
// sum is exact.

#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <rapidcheck.h>
#include <tuple>
#include <vector>

#include "autograd/kernels/convolution/conv2d.h"
#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"
#include "tests/autograd/kernels/naive_conv2d.h"
#include "tests/support/instruction_sets.h"

namespace adjoint::kernels {
namespace {

template <class T>
class Conv2dLanes : public testing::Test {
 protected:
  void TearDown() override { set_num_threads(threads_); }

 private:
  int threads_ = num_threads();
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Conv2dLanes, Types);

/// A batch in the lanes layout whose spare lanes hold NaN: nothing may read them into a result.
template <class T>
class LanesBatch {
 public:
  LanesBatch(std::int64_t batch, std::int64_t features)
      : batch_(batch),
        features_(features),
        size_(interleaved_blocks<T>(batch) * features * kInterleaved<T>),
        values_(size_) {
    std::fill(values_.get(), values_.get() + size_, std::numeric_limits<T>::quiet_NaN());
  }
  LanesBatch(std::int64_t batch, std::int64_t features, const std::vector<T>& rows)
      : LanesBatch(batch, features) {
    for (std::int64_t i = 0; i < batch * features; ++i)
      values_.get()[index(i)] = rows[static_cast<std::size_t>(i)];
  }
  T* get() { return values_.get(); }
  std::vector<double> rows() const {
    std::vector<double> rows;
    for (std::int64_t i = 0; i < batch_ * features_; ++i) rows.push_back(values_.get()[index(i)]);
    return rows;
  }

 private:
  std::int64_t index(std::int64_t i) const {
    const std::int64_t n = i / features_, f = i % features_;
    return (n / kInterleaved<T> * features_ + f) * kInterleaved<T> + n % kInterleaved<T>;
  }
  std::int64_t batch_, features_, size_;
  Scratch<T> values_;
};

/// Sizes up to some of which work is cut into parts.
struct Most {
  int batch, channels, maps, positions;
};

Conv2dSizes random_sizes(Most most) {
  const auto between = [](int low, int high) { return std::int64_t{*rc::gen::inRange(low, high + 1)}; };
  Conv2dSizes s{};
  s.batch = between(1, most.batch);
  s.groups = between(1, 3);
  s.in_channels = s.groups * between(1, most.channels / static_cast<int>(s.groups));
  s.out_channels = s.groups * between(1, most.maps / static_cast<int>(s.groups));
  const auto axis = [&](auto& in, auto& out, auto& kernel, auto& stride, auto& padding, auto& dilation) {
    kernel = between(1, 7);
    stride = between(1, 3);
    padding = between(0, 3);
    dilation = between(1, 3);
    const std::int64_t span = (kernel - 1) * dilation + 1;
    in = std::max<std::int64_t>(span - 2 * padding, 1) + between(0, most.positions);
    out = (in + 2 * padding - span) / stride + 1;
  };
  axis(s.height, s.out_height, s.kernel_height, s.stride_height, s.padding_height, s.dilation_height);
  axis(s.width, s.out_width, s.kernel_width, s.stride_width, s.padding_width, s.dilation_width);
  s.flip = *rc::gen::arbitrary<bool>();
  return s;
}

template <class T>
std::vector<T> whole_numbers(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(static_cast<int>(random() % 9) - 4);
  return values;
}

template <class T>
void check_all(const Conv2dSizes& s) {
  const auto x = whole_numbers<T>(input_size(s), 1), w = whole_numbers<T>(weight_size(s), 2);
  const auto dy = whole_numbers<T>(output_size(s), 3),
             bias = whole_numbers<T>(static_cast<std::size_t>(s.out_channels), 4);
  const std::int64_t in_features = s.in_channels * s.height * s.width, area = s.out_height * s.out_width;
  LanesBatch<T> x_lanes(s.batch, in_features, x), dy_lanes(s.batch, s.out_channels * area, dy);
  const std::vector<double> y = naive_conv2d(s, x.data(), w.data(), bias.data());
  const std::vector<double> y_without_bias = naive_conv2d<T>(s, x.data(), w.data(), nullptr);
  const std::vector<double> dx = naive_conv2d_input_grad(s, dy.data(), w.data());
  const std::vector<double> dw = naive_conv2d_weight_grad(s, dy.data(), x.data());

  for_each_instruction_set([&] {
    for (const int threads : {1, 2, 3}) {
      RC_LOG() << hwy::TargetName(hwy::SupportedTargets()) << ", " << threads << " threads\n";
      set_num_threads(threads);
      LanesBatch<T> result(s.batch, s.out_channels * area);
      conv2d_lanes(s, x_lanes.get(), w.data(), bias.data(), result.get());
      RC_ASSERT(result.rows() == y);
      conv2d_lanes<T>(s, x_lanes.get(), w.data(), nullptr, result.get());
      RC_ASSERT(result.rows() == y_without_bias);
      LanesBatch<T> input_grad(s.batch, in_features);
      conv2d_input_grad_lanes(s, dy_lanes.get(), w.data(), input_grad.get());
      RC_ASSERT(input_grad.rows() == dx);
      std::vector<T> weight_grad(w.size(), T(77));
      conv2d_weight_grad_lanes(s, dy_lanes.get(), x_lanes.get(), weight_grad.data());
      RC_ASSERT(std::vector<double>(weight_grad.begin(), weight_grad.end()) == dw);
    }
  });
}

TYPED_TEST(Conv2dLanes, AgreesWithPlainLoops) {
  EXPECT_TRUE(rc::check(
      [] { check_all<TypeParam>(random_sizes({.batch = 40, .channels = 9, .maps = 9, .positions = 11})); }));
}

TYPED_TEST(Conv2dLanes, AgreesWithPlainLoopsForManyChannels) {
  EXPECT_TRUE(rc::check(
      [] { check_all<TypeParam>(random_sizes({.batch = 3, .channels = 100, .maps = 40, .positions = 4})); }));
}

// Large enough for threads and for several chunks of the batch; fractions, so that the order of additions
// shows.
TYPED_TEST(Conv2dLanes, GivesTheSameBitsForAnyNumberOfThreads) {
  using T = TypeParam;
  const Conv2dSizes s{.batch = 150,
                      .in_channels = 3,
                      .height = 9,
                      .width = 11,
                      .out_channels = 5,
                      .out_height = 9,
                      .out_width = 6,
                      .kernel_height = 3,
                      .kernel_width = 3,
                      .stride_width = 2,
                      .padding_height = 1,
                      .padding_width = 1};
  auto x = whole_numbers<T>(input_size(s), 1), w = whole_numbers<T>(weight_size(s), 2),
       dy = whole_numbers<T>(output_size(s), 3);
  for (auto* values : {&x, &w, &dy})
    for (T& value : *values) value /= T(7);
  LanesBatch<T> x_lanes(s.batch, 3 * 9 * 11, x), dy_lanes(s.batch, 5 * 9 * 6, dy);
  const auto run = [&](int threads) {
    set_num_threads(threads);
    LanesBatch<T> y(s.batch, 5 * 9 * 6), dx(s.batch, 3 * 9 * 11);
    std::vector<T> dw(w.size());
    conv2d_lanes<T>(s, x_lanes.get(), w.data(), nullptr, y.get());
    conv2d_input_grad_lanes(s, dy_lanes.get(), w.data(), dx.get());
    conv2d_weight_grad_lanes(s, dy_lanes.get(), x_lanes.get(), dw.data());
    return std::tuple(y.rows(), dx.rows(), dw);
  };
  for_each_instruction_set([&] {
    const auto alone = run(1);
    EXPECT_EQ(run(2), alone);
    EXPECT_EQ(run(3), alone);
  });
}

TYPED_TEST(Conv2dLanes, WeightGradOfAnEmptyBatchIsZero) {
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
  conv2d_lanes<T>(s, nullptr, w.data(), nullptr, nullptr);
  conv2d_input_grad_lanes<T>(s, nullptr, w.data(), nullptr);
  conv2d_weight_grad_lanes<T>(s, nullptr, nullptr, dw.data());
  EXPECT_EQ(dw, w);
}

}  // namespace
}  // namespace adjoint::kernels
