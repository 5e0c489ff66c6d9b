#include <algorithm>

#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/convolution/row_major/along_out_channels.h"
#include "autograd/kernels/convolution/row_major/along_positions.h"
#include "autograd/kernels/convolution/row_major/chunks.h"
#include "autograd/kernels/convolution/row_major/kernels.h"
#include "autograd/kernels/convolution/strategy.h"

namespace adjoint::kernels {
namespace {

// y of one image's group of channels. bias may be null.

template <class T>
void forward_product_by_product(const ImageConvolution& c, bool flip, const T* x, const T* w, const T* bias,
                                T* y) {
  for (std::int64_t o = 0; o < c.out_channels; ++o)
    std::fill_n(y + o * c.positions(), c.positions(), bias == nullptr ? T(0) : bias[o]);
  for_each_product(c, flip, [&](auto iy, auto ix, auto iw) { y[iy] += x[ix] * w[iw]; });
}

template <class T>
void forward_along_positions(const ImageConvolution& c, bool flip, const T* x, const T* w, const T* bias,
                             T* y) {
  const std::int64_t sign = flip ? -1 : 1;
  const WeightSteps steps{c.taps(), c.area(), sign * c.columns.taps, sign};
  convolve_along_positions(c, steps, x, w + weight_index(c, flip, 0, 0, 0), bias, y);
}

}  // namespace

template <class T>
void conv2d_row_major(const Conv2dSizes& s, const T* x, const T* w, const T* bias, T* y) {
  const ImageConvolution c = forward_convolution(s);
  const Strategy strategy = forward_strategy(c, row_major_kernels<T>().vector_size);
  if (strategy == Strategy::along_out_channels) return forward_along_out_channels(s, x, w, bias, y);
  const auto of_group =
      strategy == Strategy::product_by_product ? forward_product_by_product<T> : forward_along_positions<T>;
  for_each_group(s.batch * s.groups, c.products(), [&](std::int64_t i) {
    const std::int64_t g = i % s.groups;
    of_group(c, s.flip, x + i * c.in_size(), w + g * c.weights(),
             bias == nullptr ? nullptr : bias + g * c.out_channels, y + i * c.out_size());
  });
}

template void conv2d_row_major(const Conv2dSizes&, const float*, const float*, const float*, float*);
template void conv2d_row_major(const Conv2dSizes&, const double*, const double*, const double*, double*);

}  // namespace adjoint::kernels
