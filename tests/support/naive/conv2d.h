#pragma once
// The convolution of autograd/kernels/convolution/conv2d.h and its gradients written straight from the
// definition, in double precision, and sizes to try them on. All arrays are row-major.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <rapidcheck.h>
#include <vector>

#include "autograd/kernels/convolution/conv2d.h"
#include "tests/support/draw.h"

namespace adjoint::support {

using kernels::Conv2dSizes;

inline std::size_t input_size(const Conv2dSizes& s) {
  return static_cast<std::size_t>(s.batch * s.in_channels * s.height * s.width);
}
inline std::size_t output_size(const Conv2dSizes& s) {
  return static_cast<std::size_t>(s.batch * s.out_channels * s.out_height * s.out_width);
}
inline std::size_t weight_size(const Conv2dSizes& s) {
  return static_cast<std::size_t>(s.out_channels * (s.in_channels / s.groups) * s.kernel_height *
                                  s.kernel_width);
}

/// Positions of a window on an axis, counted one by one.
inline std::int64_t windows_on(std::int64_t size, std::int64_t window, std::int64_t stride,
                               std::int64_t padding, std::int64_t dilation = 1) {
  std::int64_t count = 0;
  for (std::int64_t start = -padding; start + dilation * (window - 1) < size + padding; start += stride)
    ++count;
  return count;
}

/// s with the output's height and width that follow from the rest.
inline Conv2dSizes with_output(Conv2dSizes s) {
  s.out_height = windows_on(s.height, s.kernel_height, s.stride_height, s.padding_height, s.dilation_height);
  s.out_width = windows_on(s.width, s.kernel_width, s.stride_width, s.padding_width, s.dilation_width);
  return s;
}

/// What is drawn at random, both ends included; in_channels and out_channels of a group, and how much larger
/// an image is than the smallest one that has an output.
struct Conv2dLimits {
  struct Range {
    std::int64_t least, most;
    std::int64_t drawn() const { return draw(least, most); }
  };
  Range batch, groups, in_channels, out_channels, kernel, stride, dilation, padding, height, width;

  Conv2dSizes drawn() const {
    Conv2dSizes s{};
    s.batch = batch.drawn();
    s.groups = groups.drawn();
    s.in_channels = s.groups * in_channels.drawn();
    s.out_channels = s.groups * out_channels.drawn();
    s.flip = *rc::gen::arbitrary<bool>();
    const auto draw_axis = [&](std::int64_t& size, std::int64_t& taps, std::int64_t& step,
                               std::int64_t& spread, std::int64_t& zeros, const Range& extra) {
      taps = kernel.drawn();
      step = stride.drawn();
      spread = dilation.drawn();
      zeros = padding.drawn();
      size = std::max<std::int64_t>(1, spread * (taps - 1) + 1 - 2 * zeros) + extra.drawn();
    };
    draw_axis(s.height, s.kernel_height, s.stride_height, s.dilation_height, s.padding_height, height);
    draw_axis(s.width, s.kernel_width, s.stride_width, s.dilation_width, s.padding_width, width);
    return with_output(s);
  }
};

/// Calls f(index in x, index in w, index in y) for every product that the convolution adds up.
template <class F>
void for_each_product(const Conv2dSizes& s, F f) {
  const std::int64_t group_inputs = s.in_channels / s.groups, group_outputs = s.out_channels / s.groups;
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t o = 0; o < s.out_channels; ++o)
      for (std::int64_t i = 0; i < s.out_height; ++i)
        for (std::int64_t j = 0; j < s.out_width; ++j)
          for (std::int64_t c = 0; c < group_inputs; ++c)
            for (std::int64_t u = 0; u < s.kernel_height; ++u)
              for (std::int64_t v = 0; v < s.kernel_width; ++v) {
                const std::int64_t channel = o / group_outputs * group_inputs + c;
                const std::int64_t row = i * s.stride_height + u * s.dilation_height - s.padding_height;
                const std::int64_t column = j * s.stride_width + v * s.dilation_width - s.padding_width;
                if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
                const std::int64_t tap_row = s.flip ? s.kernel_height - 1 - u : u;
                const std::int64_t tap_column = s.flip ? s.kernel_width - 1 - v : v;
                f(((n * s.in_channels + channel) * s.height + row) * s.width + column,
                  ((o * group_inputs + c) * s.kernel_height + tap_row) * s.kernel_width + tap_column,
                  ((n * s.out_channels + o) * s.out_height + i) * s.out_width + j);
              }
}

/// y; bias may be null.
template <class T>
std::vector<double> naive_conv2d(const Conv2dSizes& s, const T* x, const T* w, const T* bias) {
  std::vector<double> y(output_size(s));
  const std::size_t area = static_cast<std::size_t>(s.out_height * s.out_width);
  if (bias)
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = bias[i / area % static_cast<std::size_t>(s.out_channels)];
  for_each_product(s, [&](auto xi, auto wi, auto yi) { y[yi] += static_cast<double>(x[xi]) * w[wi]; });
  return y;
}

/// dx
template <class T>
std::vector<double> naive_conv2d_input_grad(const Conv2dSizes& s, const T* dy, const T* w) {
  std::vector<double> dx(input_size(s));
  for_each_product(s, [&](auto xi, auto wi, auto yi) { dx[xi] += static_cast<double>(dy[yi]) * w[wi]; });
  return dx;
}

/// dw
template <class T>
std::vector<double> naive_conv2d_weight_grad(const Conv2dSizes& s, const T* dy, const T* x) {
  std::vector<double> dw(weight_size(s));
  for_each_product(s, [&](auto xi, auto wi, auto yi) { dw[wi] += static_cast<double>(dy[yi]) * x[xi]; });
  return dw;
}

}  // namespace adjoint::support
