#include "autograd/kernels/pooling/pool2d.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <ostream>
#include <rapidcheck/gtest.h>
#include <vector>

#include "tests/support/draw.h"
#include "tests/support/expect_near.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/interleaved.h"
#include "tests/support/naive/pool2d.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {

void PrintTo(const Pool2dSizes& s, std::ostream* out) {
  *out << "batch " << s.batch << " channels " << s.channels << " x " << s.height << "x" << s.width << " y "
       << s.out_height << "x" << s.out_width << " window " << s.window_height << "x" << s.window_width
       << " stride " << s.stride_height << "x" << s.stride_width << " padding " << s.padding_height << "x"
       << s.padding_width << (s.count_include_pad ? "" : " not counting padding");
}

namespace {

using namespace support;

/// x with ties, and now and then NaN and -inf.
template <class T>
std::vector<T> inputs(std::int64_t n, bool special) {
  auto x = random_whole_numbers<T>(n, n);
  if (!special) return x;
  Rng rng(n, 1);
  for (T& value : x) {
    if (rng.below(8) == 0) value = std::numeric_limits<T>::quiet_NaN();
    if (rng.below(4) == 0) value = -std::numeric_limits<T>::infinity();
  }
  return x;
}

/// The inputs are whole numbers, so that sums are exact and an average is one quotient, rounded once. Only
/// gradients of overlapping windows are sums over several windows, in any order.
template <class T>
double tolerance_of_gradients(const Pool2dSizes& s) {
  const bool overlap = s.stride_height < s.window_height || s.stride_width < s.window_width;
  return overlap ? 30 * std::numeric_limits<T>::epsilon() * double(s.window_height * s.window_width) : 0;
}

template <class T>
void check_rows(const Pool2dSizes& s, const NaivePool2d<T>& naive, const std::vector<T>& x,
                const std::vector<T>& dy) {
  const double tolerance = tolerance_of_gradients<T>(s);
  std::vector<T> y(dy.size(), T(777)), offset = y, dx(x.size(), T(777));
  avg_pool2d(Layout::row_major, s, x.data(), y.data());
  expect_near(y, naive.average, 0, "average");
  avg_pool2d_grad(Layout::row_major, s, dy.data(), dx.data());
  expect_near(dx, naive.average_grad, tolerance, "average gradient");
  max_pool2d(Layout::row_major, s, x.data(), y.data(), offset.data());
  expect_near(y, naive.maximum, 0, "maximum");
  expect_near(offset, naive.offset, 0, "offset");
  std::fill(y.begin(), y.end(), T(777));
  max_pool2d(Layout::row_major, s, x.data(), y.data(), static_cast<T*>(nullptr));
  expect_near(y, naive.maximum, 0, "maximum alone");
  max_pool2d_grad(Layout::row_major, s, dy.data(), naive.offset.data(), dx.data());
  expect_near(dx, naive.maximum_grad, tolerance, "maximum gradient");
  max_pool2d_gather(Layout::row_major, s, x.data(), naive.offset.data(), y.data());
  expect_near(y, naive.maximum, 0, "gather");
}

template <class T>
void check_interleaved(const Pool2dSizes& s, const NaivePool2d<T>& naive, const std::vector<T>& x,
                       const std::vector<T>& dy) {
  const double tolerance = tolerance_of_gradients<T>(s);
  const Interleaved<T> x_interleaved(s.batch, x), dy_interleaved(s.batch, dy),
      offset_interleaved(s.batch, naive.offset);
  const std::int64_t y_features = s.channels * s.out_height * s.out_width;
  Interleaved<T> y(s.batch, y_features, 777), offset = y, dx(s.batch, s.channels * s.height * s.width, 777);

  avg_pool2d(Layout::interleaved, s, x_interleaved.data(), y.data());
  expect_near(y.row_major(), naive.average, 0, "average");
  avg_pool2d_grad(Layout::interleaved, s, dy_interleaved.data(), dx.data());
  expect_near(dx.row_major(), naive.average_grad, tolerance, "average gradient");
  max_pool2d(Layout::interleaved, s, x_interleaved.data(), y.data(), offset.data());
  expect_near(y.row_major(), naive.maximum, 0, "maximum");
  expect_near(offset.row_major(), naive.offset, 0, "offset");
  y = Interleaved<T>(s.batch, y_features, 777);
  max_pool2d(Layout::interleaved, s, x_interleaved.data(), y.data(), static_cast<T*>(nullptr));
  expect_near(y.row_major(), naive.maximum, 0, "maximum alone");
  max_pool2d_grad(Layout::interleaved, s, dy_interleaved.data(), offset_interleaved.data(), dx.data());
  expect_near(dx.row_major(), naive.maximum_grad, tolerance, "maximum gradient");
  max_pool2d_gather(Layout::interleaved, s, x_interleaved.data(), offset_interleaved.data(), y.data());
  expect_near(y.row_major(), naive.maximum, 0, "gather");
}

template <class T>
void check_pooling(const Pool2dSizes& s, bool special = false) {
  const auto x = inputs<T>(s.batch * s.channels * s.height * s.width, special);
  const auto dy = inputs<T>(s.batch * s.channels * s.out_height * s.out_width, false);
  // NaN and infinity would hide errors in averages, which are checked without them.
  const NaivePool2d<T> naive(s, x, dy);
  if (!special) {
    check_rows(s, naive, x, dy);
    check_interleaved(s, naive, x, dy);
    return;
  }
  std::vector<T> y(dy.size()), offset(dy.size());
  max_pool2d(Layout::row_major, s, x.data(), y.data(), offset.data());
  expect_near(y, naive.maximum, 0, "maximum");
  expect_near(offset, naive.offset, 0, "offset");
  const Interleaved<T> x_interleaved(s.batch, x);
  Interleaved<T> y_interleaved(s.batch, s.channels * s.out_height * s.out_width, 777),
      offset_interleaved = y_interleaved;
  max_pool2d(Layout::interleaved, s, x_interleaved.data(), y_interleaved.data(), offset_interleaved.data());
  expect_near(y_interleaved.row_major(), naive.maximum, 0, "maximum");
  expect_near(offset_interleaved.row_major(), naive.offset, 0, "offset");
}

struct Axis {
  std::int64_t size, out, window, stride, padding;
};

Axis random_axis(std::int64_t longest) {
  const auto window = draw(1, 5);
  const auto padding = *rc::gen::weightedOneOf<std::int64_t>(
      {{2, rc::gen::just<std::int64_t>(0)}, {1, rc::gen::inRange<std::int64_t>(0, window)}});
  const auto stride = *rc::gen::weightedOneOf<std::int64_t>(
      {{1, rc::gen::just(window)}, {1, rc::gen::inRange<std::int64_t>(1, 5)}});
  const auto least = std::max<std::int64_t>(1, window - 2 * padding);
  const auto size = draw(least, least + longest - 1);
  return {size, (size + 2 * padding - window) / stride + 1, window, stride, padding};
}

RC_GTEST_PROP(Pool2d, AgreesWithPlainLoops, ()) {
  const Axis h = random_axis(7), w = random_axis(40);
  const Pool2dSizes sizes{.batch = *rc::gen::element<std::int64_t>(0, 1, 2, 9, 17),
                          .channels = draw(1, 2),
                          .height = h.size,
                          .width = w.size,
                          .out_height = h.out,
                          .out_width = w.out,
                          .window_height = h.window,
                          .window_width = w.window,
                          .stride_height = h.stride,
                          .stride_width = w.stride,
                          .padding_height = h.padding,
                          .padding_width = w.padding,
                          .count_include_pad = *rc::gen::arbitrary<bool>()};
  RC_LOG() << testing::PrintToString(sizes);
  for_each_instruction_set([&] {
    check_pooling<float>(sizes);
    check_pooling<double>(sizes);
    check_pooling<float>(sizes, true);
    check_pooling<double>(sizes, true);
  });
  RC_ASSERT(!testing::Test::HasFailure());
}

constexpr Pool2dSizes square(std::int64_t batch, std::int64_t channels, std::int64_t size,
                             std::int64_t window, std::int64_t stride) {
  const std::int64_t out = (size - window) / stride + 1;
  return {.batch = batch,
          .channels = channels,
          .height = size,
          .width = size,
          .out_height = out,
          .out_width = out,
          .window_height = window,
          .window_width = window,
          .stride_height = stride,
          .stride_width = stride};
}

TEST(Pool2d, ManyPlanesWithThreads) {
  for (const int number : {1, 2, 3}) {
    const WithThreads threads(number);
    check_pooling<float>(square(33, 4, 24, 2, 2));
    check_pooling<double>(square(33, 4, 24, 3, 2));
  }
}

// A single window over each image's last elements: reading one element further would leave the array.
TEST(Pool2d, ReadsNothingOutsideTheArray) {
  for_each_instruction_set([] {
    for (std::int64_t size = 2; size < 70; ++size) {
      check_pooling<float>(square(1, 1, size, 2, 2));
      check_pooling<double>(square(1, 1, size, 1, 2));
    }
  });
}

}  // namespace
}  // namespace adjoint::kernels
