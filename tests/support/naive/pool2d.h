#pragma once
// Pooling by plain loops over row-major arrays.

#include <cmath>
#include <cstdint>
#include <iterator>
#include <vector>

#include "autograd/kernels/pooling/pool2d.h"

namespace adjoint::support {

/// y and, for a given dy, dx of both kinds of pooling; for the maximum also its place in each window.
template <class T>
struct NaivePool2d {
  std::vector<T> average, maximum, offset, average_grad, maximum_grad;

  NaivePool2d(const kernels::Pool2dSizes& s, const std::vector<T>& x, const std::vector<T>& dy)
      : average(dy.size()),
        maximum(dy.size()),
        offset(dy.size()),
        average_grad(x.size()),
        maximum_grad(x.size()) {
    std::size_t out = 0;
    for (std::int64_t plane = 0; plane < s.batch * s.channels; ++plane) {
      for (std::int64_t i = 0; i < s.out_height; ++i) {
        for (std::int64_t j = 0; j < s.out_width; ++j) pool(s, x, dy, plane, i, j, out++);
      }
    }
  }

  void pool(const kernels::Pool2dSizes& s, const std::vector<T>& x, const std::vector<T>& dy,
            std::int64_t plane, std::int64_t i, std::int64_t j, std::size_t out) {
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
    maximum[out] = x[best];
    offset[out] = T(best_offset);
    maximum_grad[best] += dy[out];
  }
};

}  // namespace adjoint::support
