#include "adjoint/ops/dense.h"

#include <algorithm>

#include "adjoint/graph/node.h"
#include "adjoint/ops/reduce.h"
#include "autograd/kernels/linalg/dense.h"
#include "autograd/ops/support/apply.h"

// As for conv2d, the layer and the two products of its gradient are linear in each argument, and each one's
// gradients are the other two.
//
// Each runs in the layout that its arguments come in. The lanes kernels are up to twice as fast forward, the
// rows kernels somewhat faster backward from about 500 x 500 weights on; neither pays for a change of layout.

namespace adjoint {
namespace {

using kernels::DenseSizes;
using Layout = Values::Layout;

Values y_of(const DenseSizes& sizes, const Tensor& x, const Tensor& w, const Tensor* b) {
  const Layout layout = x.values().layout();
  Values y(x.dtype(), {sizes.batch, sizes.outputs}, layout);
  visit_floating(x.dtype(), [&]<class T>() {
    const auto kernel = layout == Layout::lanes ? kernels::dense_lanes<T> : kernels::dense_rows<T>;
    kernel(sizes, x.values().in<T>(layout), w.values().rows<T>(),
           b != nullptr ? b->values().rows<T>() : nullptr, y.writable<T>());
  });
  return y;
}

Values dx_of(const DenseSizes& sizes, const Tensor& dy, const Tensor& w) {
  const Layout layout = dy.values().layout();
  Values dx(dy.dtype(), {sizes.batch, sizes.inputs}, layout);
  visit_floating(dy.dtype(), [&]<class T>() {
    const auto kernel =
        layout == Layout::lanes ? kernels::dense_input_grad_lanes<T> : kernels::dense_input_grad_rows<T>;
    kernel(sizes, dy.values().in<T>(layout), w.values().rows<T>(), dx.writable<T>());
  });
  return dx;
}

/// dw of one image: an optimizer can do without the products.
Values factors_of(const Tensor& dy, const Tensor& x) {
  Values dw(dy.dtype(), {dy.size(1), x.size(1)}, Layout::factors);
  visit_floating(dy.dtype(), [&]<class T>() {
    T* a = std::copy_n(x.values().rows<T>(), x.numel(), dw.writable<T>());
    std::copy_n(dy.values().rows<T>(), dy.numel(), a);
  });
  return dw;
}

Values dw_of(const DenseSizes& sizes, const Tensor& dy, const Tensor& x) {
  if (sizes.batch == 1) return factors_of(dy, x);
  const Layout layout = ops::common_layout(dy.values(), x.values());
  Values dw(dy.dtype(), {sizes.outputs, sizes.inputs});
  visit_floating(dy.dtype(), [&]<class T>() {
    const auto kernel =
        layout == Layout::lanes ? kernels::dense_weight_grad_lanes<T> : kernels::dense_weight_grad_rows<T>;
    kernel(sizes, dy.values().in<T>(layout), x.values().in<T>(layout), dw.writable<T>());
  });
  return dw;
}

// The three products as ops, for arguments known to fit sizes.

Tensor input_grad(const DenseSizes& sizes, const Tensor& dy, const Tensor& w);
Tensor weight_grad(const DenseSizes& sizes, const Tensor& dy, const Tensor& x);

Tensor layer(const DenseSizes& sizes, const Tensor& x, const Tensor& w) {
  return record("dense", y_of(sizes, x, w, nullptr), {x, w},
                [sizes, x = Saved(x, w.requires_grad()), w = Saved(w, x.requires_grad())](
                    const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? input_grad(sizes, dy, w) : Tensor{},
                          needs[1] ? weight_grad(sizes, dy, x) : Tensor{}};
                });
}

Tensor layer(const DenseSizes& sizes, const Tensor& x, const Tensor& w, const Tensor& b) {
  return record("dense", y_of(sizes, x, w, &b), {x, w, b},
                [sizes, x = Saved(x, w.requires_grad()), w = Saved(w, x.requires_grad())](
                    const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? input_grad(sizes, dy, w) : Tensor{},
                          needs[1] ? weight_grad(sizes, dy, x) : Tensor{},
                          needs[2] ? sum(dy, {0}) : Tensor{}};
                });
}

/// dx = dy w
Tensor input_grad(const DenseSizes& sizes, const Tensor& dy, const Tensor& w) {
  return record(
      "dense_input_grad", dx_of(sizes, dy, w), {dy, w},
      [sizes, dy = Saved(dy, w.requires_grad()), w = Saved(w, dy.requires_grad())](const Tensor& d,
                                                                                   Needs needs) -> Grads {
        return {needs[0] ? layer(sizes, d, w) : Tensor{}, needs[1] ? weight_grad(sizes, dy, d) : Tensor{}};
      });
}

/// dw = dy^T x
Tensor weight_grad(const DenseSizes& sizes, const Tensor& dy, const Tensor& x) {
  return record(
      "dense_weight_grad", dw_of(sizes, dy, x), {dy, x},
      [sizes, dy = Saved(dy, x.requires_grad()), x = Saved(x, dy.requires_grad())](const Tensor& d,
                                                                                   Needs needs) -> Grads {
        return {needs[0] ? layer(sizes, x, d) : Tensor{}, needs[1] ? input_grad(sizes, dy, d) : Tensor{}};
      });
}

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

Tensor dense(const Tensor& x, const Tensor& w) { return layer(checked_sizes(x, w), x, w); }

Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b) {
  const DenseSizes sizes = checked_sizes(x, w);
  ops::check_same_dtype("dense", "x", x, "b", b);
  check_shape(b.shape() == Shape{sizes.outputs},
              "dense: b must be [{}], a number for each output of w {}, it is {}", sizes.outputs, w.shape(),
              b.shape());
  return layer(sizes, x, w, b);
}

}  // namespace adjoint
