#include "adjoint/ops/softmax.h"

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/softmax/softmax.h"
#include "autograd/ops/support/checks.h"
#include "autograd/ops/support/layout_policy.h"

namespace adjoint {
namespace {

/// The sizes of an array that is viewed as row-major [outer, axis, inner], where axis is one of its axes.
struct Extents {
  std::int64_t outer = 1, axis, inner = 1;
};

template <class T>
Extents extents(const Shape& shape, int axis, Layout layout) {
  const bool blocks =
      layout == Layout::interleaved;  // [blocks of images, all axes but the first, images of a block]
  Extents result{.axis = shape[axis]};
  for (int i = 0; i < axis; ++i)
    result.outer *= blocks && i == 0 ? kernels::interleaved_blocks<T>(shape[0]) : shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) result.inner *= shape[i];
  if (blocks) result.inner *= kernels::kInterleaved<T>;
  return result;
}

/// Calls kernel(outer, axis, inner, arguments..., result) along an axis in [0, rank). All arrays have the
/// same shape.
template <class Kernel, class... Arguments>
Values along(int axis, const Kernel& kernel, const Values& first, const Arguments&... others) {
  const Layout layout = ops::layout_along(axis, first, others...);
  Values result(first.dtype(), first.shape(), layout);
  visit_floating(first.dtype(), [&]<class T>() {
    const auto [outer, size, inner] = extents<T>(first.shape(), axis, layout);
    kernel(outer, size, inner, first.in<T>(layout), others.template in<T>(layout)...,
           result.template writable<T>());
  });
  return result;
}

}  // namespace

// The rules compute the same equation in two ways: with ops if the gradient itself may be differentiated,
// otherwise with one kernel.

Tensor softmax(const Tensor& x, int axis) {
  ops::check_floating("softmax", "x", x);
  const int about = ops::checked_axis("softmax", x, axis);
  Values y = along(
      about, [](auto... args) { kernels::softmax(args...); }, x.values());
  return record("softmax", std::move(y), {x}, [about](const Tensor& dy, const Tensor& y, Needs) -> Grads {
    if (grad_enabled()) return {y * (dy - sum(dy * y, {about}, {.keepdim = true}))};
    return {Tensor(along(
        about, [](auto... args) { kernels::softmax_grad(args...); }, dy.values(), y.values()))};
  });
}

Tensor log_softmax(const Tensor& x, int axis) {
  ops::check_floating("log_softmax", "x", x);
  const int about = ops::checked_axis("log_softmax", x, axis);
  Values y = along(
      about, [](auto... args) { kernels::log_softmax(args...); }, x.values());
  return record("log_softmax", std::move(y), {x}, [about](const Tensor& dy, const Tensor& y, Needs) -> Grads {
    if (grad_enabled()) return {dy - exp(y) * sum(dy, {about}, {.keepdim = true})};
    return {Tensor(along(
        about, [](auto... args) { kernels::log_softmax_grad(args...); }, dy.values(), y.values()))};
  });
}

}  // namespace adjoint
