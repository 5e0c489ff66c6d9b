#include "autograd/kernels/linalg/dense.h"

#include <algorithm>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
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

/// The sizes of the layer for x with all axes but the last merged.
DenseSizes checked_sizes(const Tensor& x, const Tensor& w) {
  ops::check_floating("dense", "x", x);
  ops::check_same_dtype("dense", "x", x, "w", w);
  check_shape(x.rank() >= 1, "dense: x must have at least 1 axis, it is []");
  ops::check_rank("dense", "w", w, 2);
  if (x.size(-1) != w.size(1)) [[unlikely]]
    throw ShapeError(fmt::format("dense: x has {} features, w{} expects {} (x {}, w {})", x.size(-1),
                                 in_brackets(w.name()), w.size(1), x.shape(), w.shape()));
  return {.batch = x.shape().with(-1, 1).numel(), .inputs = w.size(1), .outputs = w.size(0)};
}

/// w's first axis are the outputs.
void check_bias(const char* op, const char* x_name, const Tensor& x, const Tensor& w, const Tensor& b) {
  ops::check_same_dtype(op, x_name, x, "b", b);
  check_shape(b.shape() == Shape{w.size(0)}, "{}: b must be [{}], a number for each output of w {}, it is {}",
              op, w.size(0), w.shape(), b.shape());
}

Tensor dense_of_rows(const DenseSizes& sizes, const Tensor& x, const Tensor& w, const Tensor& b) {
  if (x.rank() == 2) return ops::product<DenseProduct>(sizes, x, w, b);
  const Tensor rows = reshape(x, {sizes.batch, sizes.inputs});
  return reshape(ops::product<DenseProduct>(sizes, rows, w, b), x.shape().with(-1, sizes.outputs));
}

}  // namespace

Tensor dense(const Tensor& x, const Tensor& w) { return dense_of_rows(checked_sizes(x, w), x, w, {}); }

Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b) {
  const DenseSizes sizes = checked_sizes(x, w);
  check_bias("dense", "x", x, w, b);
  return dense_of_rows(sizes, x, w, b);
}

// With the rows n of x1 and x2: y[n,o] = sum_i x1[n,i] z[n,o,i] for z[n,o,i] = sum_j w[o,i,j] x2[n,j].
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& w, const Tensor& b) {
  ops::check_floating("bilinear", "x1", x1);
  ops::check_same_dtype("bilinear", "x1", x1, "x2", x2);
  ops::check_same_dtype("bilinear", "x1", x1, "w", w);
  ops::check_rank("bilinear", "w", w, 3);
  check_shape(x1.rank() >= 1 && x1.rank() == x2.rank() && x1.shape().with(-1, 1) == x2.shape().with(-1, 1),
              "bilinear: x1 and x2 must be the same except for the last axis; x1 is {}, x2 is {}", x1.shape(),
              x2.shape());
  const std::int64_t outputs = w.size(0), inputs1 = w.size(1), inputs2 = w.size(2);
  check_shape(x1.size(-1) == inputs1 && x2.size(-1) == inputs2,
              "bilinear: x1 has {} features and x2 has {}, w expects {} and {} (x1 {}, x2 {}, w {})",
              x1.size(-1), x2.size(-1), inputs1, inputs2, x1.shape(), x2.shape(), w.shape());
  if (b.defined()) check_bias("bilinear", "x1", x1, w, b);
  const std::int64_t rows = x1.shape().with(-1, 1).numel();
  const Tensor z = dense(reshape(x2, {rows, inputs2}), reshape(w, {outputs * inputs1, inputs2}));
  const Tensor y = matmul(reshape(z, {rows, outputs, inputs1}), reshape(x1, {rows, inputs1, 1}));
  const Tensor result = reshape(y, x1.shape().with(-1, outputs));
  return b.defined() ? result + b : result;
}

}  // namespace adjoint
