#include "autograd/ops/support/layout_policy.h"

#include "autograd/kernels/layout/interleaved.h"

namespace adjoint::ops {
namespace {

bool is_interleaved(const Values& x) { return x.cheapest_layout() == Layout::interleaved; }

/// Interleaved if n images fill at least sixteenths / 16 of their blocks. Work on spare lanes is wasted.
Layout where_blocks_are_full(DType dtype, std::int64_t n, std::int64_t sixteenths) {
  return visit_floating(dtype, [&]<class T>() {
    const bool full =
        n > 0 && 16 * n >= sixteenths * kernels::kInterleaved<T> * kernels::interleaved_blocks<T>(n);
    return full ? Layout::interleaved : Layout::row_major;
  });
}

}  // namespace

// With many output channels the row-major kernels keep their registers full, too, but less so with strides.
Layout layout_of_convolution(DType dtype, const kernels::Conv2dSizes& s) {
  const bool strided = s.stride_height > 1 || s.stride_width > 1;
  return where_blocks_are_full(dtype, s.batch, s.out_channels / s.groups <= 8 ? 11 : strided ? 13 : 15);
}

// The highest threshold of any convolution, so that none converts an interleaved batch to row-major. The
// opposite conversion, for a convolution with few output channels, costs less.
Layout layout_of_batch(DType dtype, std::int64_t count) { return where_blocks_are_full(dtype, count, 15); }

Layout common_layout(const Values& a, const Values& b) {
  return is_interleaved(a) ? Layout::interleaved : b.cheapest_layout();
}

Layout layout_from(const Values& x, const Shape& y_shape) {
  const bool has_batch =
      x.shape().rank() == y_shape.rank() && y_shape.rank() > 0 && x.shape()[0] == y_shape[0];
  return is_interleaved(x) && has_batch && y_shape.rank() < Shape::kMaxRank ? Layout::interleaved
                                                                            : Layout::row_major;
}

Layout layout_from(const Values& a, const Values& b, const Shape& y_shape) {
  const Layout layout = layout_from(a, y_shape);
  return layout == Layout::interleaved ? layout : layout_from(b, y_shape);
}

}  // namespace adjoint::ops
