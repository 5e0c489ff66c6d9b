#include "autograd/kernels/pooling/pool2d.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <ostream>
#include <random>
#include <rapidcheck/gtest.h>
#include <vector>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/threads/parallel.h"
#include "tests/support/instruction_sets.h"

namespace adjoint::kernels {

void PrintTo(const Pool2dSizes& s, std::ostream* out) {
  *out << "batch " << s.batch << " channels " << s.channels << " x " << s.height << "x" << s.width << " y "
       << s.out_height << "x" << s.out_width << " window " << s.window_height << "x" << s.window_width
       << " stride " << s.stride_height << "x" << s.stride_width << " padding " << s.padding_height << "x"
       << s.padding_width << (s.count_include_pad ? "" : " not counting padding");
}

namespace {

template <class T>
using Values = std::vector<T>;

/// Pooling by plain loops over row-major arrays.
template <class T>
struct Naive {
  Values<T> average, maximum, offset, average_grad, maximum_grad, gathered;

  Naive(const Pool2dSizes& s, const Values<T>& x, const Values<T>& dy)
      : average(dy.size()),
        maximum(dy.size()),
        offset(dy.size()),
        average_grad(x.size()),
        maximum_grad(x.size()),
        gathered(dy.size()) {
    std::size_t out = 0;
    for (std::int64_t plane = 0; plane < s.batch * s.channels; ++plane) {
      for (std::int64_t i = 0; i < s.out_height; ++i) {
        for (std::int64_t j = 0; j < s.out_width; ++j) pool(s, x, dy, plane, i, j, out++);
      }
    }
  }

  void pool(const Pool2dSizes& s, const Values<T>& x, const Values<T>& dy, std::int64_t plane, std::int64_t i,
            std::int64_t j, std::size_t out) {
    std::vector<std::size_t> inside;
    std::int64_t best = -1, best_offset = -1;
    T sum = 0;
    for (std::int64_t u = 0; u < s.window_height; ++u) {
      for (std::int64_t v = 0; v < s.window_width; ++v) {
        const std::int64_t row = i * s.stride_height - s.padding_height + u;
        const std::int64_t column = j * s.stride_width - s.padding_width + v;
        if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
        const std::int64_t at = (plane * s.height + row) * s.width + column;
        inside.push_back(at);
        sum += x[at];
        if (best < 0 || x[at] > x[best] || (std::isnan(x[at]) && !std::isnan(x[best]))) {
          best = at;
          best_offset = u * s.window_width + v;
        }
      }
    }
    const auto count = s.count_include_pad ? s.window_height * s.window_width : std::ssize(inside);
    average[out] = sum / T(count);
    for (const auto at : inside) average_grad[at] += dy[out] / T(count);
    maximum[out] = gathered[out] = x[best];
    offset[out] = T(best_offset);
    maximum_grad[best] += dy[out];
  }
};

template <class T>
Values<T> to_lanes(const Values<T>& rows, std::int64_t batch) {
  constexpr std::int64_t L = kInterleaved<T>;
  const std::int64_t features = batch == 0 ? 0 : std::ssize(rows) / batch;
  Values<T> lanes(interleaved_blocks<T>(batch) * features * L, std::numeric_limits<T>::quiet_NaN());
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t f = 0; f < features; ++f)
      lanes[(n / L * features + f) * L + n % L] = rows[n * features + f];
  }
  return lanes;
}

template <class T>
void expect_equal(const char* what, const Values<T>& actual, const Values<T>& expected,
                  double tolerance = 0) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (actual[i] == expected[i]) continue;  // Infinities too.
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(actual[i])) << what << " at " << i;
    } else {
      ASSERT_NEAR(actual[i], expected[i], tolerance) << what << " at " << i;
    }
  }
}

template <class T>
Values<T> from_lanes(const Values<T>& lanes, std::int64_t batch, std::size_t size) {
  constexpr std::int64_t L = kInterleaved<T>;
  Values<T> rows(size);
  const std::int64_t features = batch == 0 ? 0 : std::ssize(rows) / batch;
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t f = 0; f < features; ++f)
      rows[n * features + f] = lanes[(n / L * features + f) * L + n % L];
  }
  return rows;
}

/// x with ties, and now and then NaN and -inf.
template <class T>
Values<T> inputs(std::int64_t n, bool special) {
  std::mt19937 random(static_cast<unsigned>(n));
  Values<T> x(n);
  for (T& value : x) {
    value = T(static_cast<int>(random() % 9)) - 4;
    if (special && random() % 8 == 0) value = std::numeric_limits<T>::quiet_NaN();
    if (special && random() % 4 == 0) value = -std::numeric_limits<T>::infinity();
  }
  return x;
}

/// The inputs are whole numbers, so that sums are exact and an average is one quotient, rounded once. Only
/// gradients of windows that overlap are added up from several of them, in whatever order.
template <class T>
double tolerance_of_gradients(const Pool2dSizes& s) {
  const bool overlap = s.stride_height < s.window_height || s.stride_width < s.window_width;
  return overlap ? 30 * std::numeric_limits<T>::epsilon() * double(s.window_height * s.window_width) : 0;
}

template <class T>
void check_rows(const Pool2dSizes& s, const Naive<T>& naive, const Values<T>& x, const Values<T>& dy) {
  const double tolerance = tolerance_of_gradients<T>(s);
  Values<T> y(dy.size(), T(777)), offset = y, dx(x.size(), T(777));
  avg_pool2d_rows(s, x.data(), y.data());
  expect_equal("average", y, naive.average);
  avg_pool2d_grad_rows(s, dy.data(), dx.data());
  expect_equal("average gradient", dx, naive.average_grad, tolerance);
  max_pool2d_rows(s, x.data(), y.data(), offset.data());
  expect_equal("maximum", y, naive.maximum);
  expect_equal("offset", offset, naive.offset);
  std::fill(y.begin(), y.end(), T(777));
  max_pool2d_rows(s, x.data(), y.data(), static_cast<T*>(nullptr));
  expect_equal("maximum alone", y, naive.maximum);
  max_pool2d_grad_rows(s, dy.data(), naive.offset.data(), dx.data());
  expect_equal("maximum gradient", dx, naive.maximum_grad, tolerance);
  max_pool2d_gather_rows(s, x.data(), naive.offset.data(), y.data());
  expect_equal("gather", y, naive.gathered);
}

template <class T>
void check_lanes(const Pool2dSizes& s, const Naive<T>& naive, const Values<T>& x, const Values<T>& dy) {
  const double tolerance = tolerance_of_gradients<T>(s);
  const auto x_lanes = to_lanes(x, s.batch), dy_lanes = to_lanes(dy, s.batch);
  const auto offset_lanes = to_lanes(naive.offset, s.batch);
  Values<T> y(dy_lanes.size(), T(777)), offset = y, dx(x_lanes.size(), T(777));
  const auto expect = [&](const char* what, const Values<T>& actual, const Values<T>& expected,
                          double error) {
    expect_equal(what, from_lanes(actual, s.batch, expected.size()), expected, error);
  };
  avg_pool2d_lanes(s, x_lanes.data(), y.data());
  expect("average", y, naive.average, 0);
  avg_pool2d_grad_lanes(s, dy_lanes.data(), dx.data());
  expect("average gradient", dx, naive.average_grad, tolerance);
  max_pool2d_lanes(s, x_lanes.data(), y.data(), offset.data());
  expect("maximum", y, naive.maximum, 0);
  expect("offset", offset, naive.offset, 0);
  std::fill(y.begin(), y.end(), T(777));
  max_pool2d_lanes(s, x_lanes.data(), y.data(), static_cast<T*>(nullptr));
  expect("maximum alone", y, naive.maximum, 0);
  max_pool2d_grad_lanes(s, dy_lanes.data(), offset_lanes.data(), dx.data());
  expect("maximum gradient", dx, naive.maximum_grad, tolerance);
  max_pool2d_gather_lanes(s, x_lanes.data(), offset_lanes.data(), y.data());
  expect("gather", y, naive.gathered, 0);
}

template <class T>
void check_pooling(const Pool2dSizes& s, bool special = false) {
  const auto x = inputs<T>(s.batch * s.channels * s.height * s.width, special);
  const auto dy = inputs<T>(s.batch * s.channels * s.out_height * s.out_width, false);
  // NaN and infinity would hide errors in averages, which are checked without them.
  const Naive<T> naive(s, x, dy);
  if (!special) {
    check_rows(s, naive, x, dy);
    check_lanes(s, naive, x, dy);
    return;
  }
  Values<T> y(dy.size()), offset(dy.size());
  max_pool2d_rows(s, x.data(), y.data(), offset.data());
  expect_equal("maximum", y, naive.maximum);
  expect_equal("offset", offset, naive.offset);
  const auto x_lanes = to_lanes(x, s.batch);
  Values<T> y_lanes(to_lanes(y, s.batch).size()), offset_lanes(y_lanes.size());
  max_pool2d_lanes(s, x_lanes.data(), y_lanes.data(), offset_lanes.data());
  expect_equal("maximum", from_lanes(y_lanes, s.batch, y.size()), naive.maximum);
  expect_equal("offset", from_lanes(offset_lanes, s.batch, y.size()), naive.offset);
}

struct Axis {
  std::int64_t size, out, window, stride, padding;
};

Axis random_axis(std::int64_t longest) {
  const auto window = *rc::gen::inRange<std::int64_t>(1, 6);
  const auto padding = *rc::gen::weightedOneOf<std::int64_t>(
      {{2, rc::gen::just<std::int64_t>(0)}, {1, rc::gen::inRange<std::int64_t>(0, window)}});
  const auto stride = *rc::gen::weightedOneOf<std::int64_t>(
      {{1, rc::gen::just(window)}, {1, rc::gen::inRange<std::int64_t>(1, 5)}});
  const auto least = std::max<std::int64_t>(1, window - 2 * padding);
  const auto size = *rc::gen::inRange<std::int64_t>(least, longest + least);
  return {size, (size + 2 * padding - window) / stride + 1, window, stride, padding};
}

RC_GTEST_PROP(Pool2d, AgreesWithPlainLoops, ()) {
  const Axis h = random_axis(7), w = random_axis(40);
  const Pool2dSizes sizes{.batch = *rc::gen::element<std::int64_t>(0, 1, 2, 9, 17),
                          .channels = *rc::gen::inRange<std::int64_t>(1, 3),
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
  const int threads_before = num_threads();
  for (int threads = 1; threads <= 3; ++threads) {
    set_num_threads(threads);
    check_pooling<float>(square(33, 4, 24, 2, 2));
    check_pooling<double>(square(33, 4, 24, 3, 2));
  }
  set_num_threads(threads_before);
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
