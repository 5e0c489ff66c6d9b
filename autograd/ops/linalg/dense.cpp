#include "autograd/kernels/linalg/dense.h"

#include <algorithm>

#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "autograd/ops/support/bilinear.h"
#include "autograd/ops/support/checks.h"
#include "autograd/ops/support/layout_policy.h"

// Each product runs in the layout of its arguments. Interleaved kernels are up to twice as fast in the
// forward pass. Row-major kernels are somewhat faster in the backward pass from about 500 x 500 weights on.
// Neither gain is worth a change of layout.

namespace adjoint {
namespace {

using kernels::DenseSizes;

/// dw of one image, as an outer product: an optimizer does not need the matrix.
Values outer_product(const Tensor& dy, const Tensor& x) {
  Values dw = Values::as_outer_product(dy.dtype(), {dy.size(1), x.size(1)});
  visit_floating(dy.dtype(), [&]<class T>() {
    const auto [column, row] = dw.writable_outer_product<T>();
    std::copy_n(dy.values().row_major<T>(), dy.numel(), column);
    std::copy_n(x.values().row_major<T>(), x.numel(), row);
  });
  return dw;
}

/// y = x w^T + b,   dx = dy w,   dw = dy^T x: see bilinear.h.
struct DenseProduct {
  using Sizes = DenseSizes;
  static constexpr const char* kName = "dense";
  static constexpr const char* kInputGradName = "dense_input_grad";
  static constexpr const char* kWeightGradName = "dense_weight_grad";

  static Values y(const DenseSizes& sizes, const Tensor& x, const Tensor& w, const Tensor& b) {
    const Layout layout = x.values().cheapest_layout();
    Values y(x.dtype(), {sizes.batch, sizes.outputs}, layout);
    visit_floating(x.dtype(), [&]<class T>() {
      kernels::dense(layout, sizes, x.values().in<T>(layout), w.values().row_major<T>(),
                     b.defined() ? b.values().row_major<T>() : nullptr, y.writable<T>());
    });
    return y;
  }

  static Values dx(const DenseSizes& sizes, const Tensor& dy, const Tensor& w) {
    const Layout layout = dy.values().cheapest_layout();
    Values dx(dy.dtype(), {sizes.batch, sizes.inputs}, layout);
    visit_floating(dy.dtype(), [&]<class T>() {
      kernels::dense_input_grad(layout, sizes, dy.values().in<T>(layout), w.values().row_major<T>(),
                                dx.writable<T>());
    });
    return dx;
  }

  static Values dw(const DenseSizes& sizes, const Tensor& dy, const Tensor& x) {
    if (sizes.batch == 1) return outer_product(dy, x);
    const Layout layout = ops::common_layout(dy.values(), x.values());
    Values dw(dy.dtype(), {sizes.outputs, sizes.inputs});
    visit_floating(dy.dtype(), [&]<class T>() {
      kernels::dense_weight_grad(layout, sizes, dy.values().in<T>(layout), x.values().in<T>(layout),
                                 dw.writable<T>());
    });
    return dw;
  }

  static Tensor db(const Tensor& dy) { return sum(dy, {0}); }
};

DenseSizes checked_sizes(const Tensor& x, const Tensor& w) {
  ops::check_floating("dense", "x", x);
  ops::check_same_dtype("dense", "x", x, "w", w);
  ops::check_rank("dense", "x", x, 2);
  ops::check_rank("dense", "w", w, 2);
  if (x.size(1) != w.size(1)) [[unlikely]]
    throw ShapeError(fmt::format("dense: x has {} features, w{} expects {} (x {}, w {})", x.size(1),
                                 in_brackets(w.name()), w.size(1), x.shape(), w.shape()));
  return {.batch = x.size(0), .inputs = w.size(1), .outputs = w.size(0)};
}

}  // namespace

Tensor dense(const Tensor& x, const Tensor& w) {
  return ops::product<DenseProduct>(checked_sizes(x, w), x, w);
}

Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b) {
  const DenseSizes sizes = checked_sizes(x, w);
  ops::check_same_dtype("dense", "x", x, "b", b);
  check_shape(b.shape() == Shape{sizes.outputs},
              "dense: b must be [{}], a number for each output of w {}, it is {}", sizes.outputs, w.shape(),
              b.shape());
  return ops::product<DenseProduct>(sizes, x, w, b);
}

}  // namespace adjoint
