#include "autograd/kernels/pooling/pool2d.h"

#include "adjoint/graph/node.h"
#include "adjoint/ops/pooling.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

using kernels::Pool2dSizes;

Shape x_shape_of(const Pool2dSizes& s) { return {s.batch, s.channels, s.height, s.width}; }
Shape y_shape_of(const Pool2dSizes& s) { return {s.batch, s.channels, s.out_height, s.out_width}; }

Pool2dSizes checked_sizes(const char* op, const Tensor& x, const ops::Windows& windows) {
  ops::check_floating(op, "x", x);
  ops::check_image(op, x.shape());
  ops::check_at_least(1, op, "window", windows.size);
  ops::check_at_least(1, op, "stride", windows.stride);
  ops::check_at_least(0, op, "padding", windows.padding);
  const auto [height, width] = windows.padding;
  check(height <= windows.size.height / 2 && width <= windows.size.width / 2,
        "{}: padding must be at most half the window; window is {}, padding {}", op, windows.size,
        windows.padding);
  const PerAxis out = ops::count_windows(op, x.shape(), windows);
  return {.batch = x.size(0),
          .channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .out_height = out.height,
          .out_width = out.width,
          .window_height = windows.size.height,
          .window_width = windows.size.width,
          .stride_height = ops::step_between(out.height, windows.stride.height),
          .stride_width = ops::step_between(out.width, windows.stride.width),
          .padding_height = windows.padding.height,
          .padding_width = windows.padding.width};
}

/// Whether x is float32, and its windows have more than `most` elements or more than most_in_row elements per
/// row. Such an x is pooled in float64.
bool are_larger(const Tensor& x, const Pool2dSizes& s, std::int64_t most, std::int64_t most_in_row) {
  return x.dtype() == DType::float32 &&
         (s.window_height * s.window_width > most || s.window_width > most_in_row);
}

// Average pooling is linear, and so is its gradient: each is the other's gradient.

Tensor average_grad(const Pool2dSizes& sizes, const Tensor& dy);

Tensor average(const Pool2dSizes& sizes, const Tensor& x) {
  const Layout layout = x.values().cheapest_layout();
  Values y(x.dtype(), y_shape_of(sizes), layout);
  visit_floating(x.dtype(), [&]<class T>() {
    kernels::avg_pool2d(layout, sizes, x.values().in<T>(layout), y.writable<T>());
  });
  return record("avg_pool2d", std::move(y), {x},
                [sizes](const Tensor& dy, Needs) -> Grads { return {average_grad(sizes, dy)}; });
}

Tensor average_grad(const Pool2dSizes& sizes, const Tensor& dy) {
  const Layout layout = dy.values().cheapest_layout();
  Values dx(dy.dtype(), x_shape_of(sizes), layout);
  visit_floating(dy.dtype(), [&]<class T>() {
    kernels::avg_pool2d_grad(layout, sizes, dy.values().in<T>(layout), dx.writable<T>());
  });
  return record("avg_pool2d_grad", std::move(dx), {dy},
                [sizes](const Tensor& d, Needs) -> Grads { return {average(sizes, d)}; });
}

// When the places of the maxima are known, reading them from x is linear. offset holds the place in its
// window for each element of y. gather reads the elements at these places, scatter adds to the same places,
// and each is the other's gradient.

Tensor scatter(const Pool2dSizes& sizes, const Tensor& dy, const Values& offset);

Tensor gather(const Pool2dSizes& sizes, const Tensor& x, const Values& offset) {
  const Layout layout = offset.cheapest_layout();
  Values y(x.dtype(), y_shape_of(sizes), layout);
  visit_floating(x.dtype(), [&]<class T>() {
    kernels::max_pool2d_gather(layout, sizes, x.values().in<T>(layout), offset.in<T>(layout),
                               y.writable<T>());
  });
  return record("max_pool2d_gather", std::move(y), {x},
                [sizes, offset](const Tensor& dy, Needs) -> Grads { return {scatter(sizes, dy, offset)}; });
}

Tensor scatter(const Pool2dSizes& sizes, const Tensor& dy, const Values& offset) {
  const Layout layout = offset.cheapest_layout();
  Values dx(dy.dtype(), x_shape_of(sizes), layout);
  visit_floating(dy.dtype(), [&]<class T>() {
    kernels::max_pool2d_grad(layout, sizes, dy.values().in<T>(layout), offset.in<T>(layout),
                             dx.writable<T>());
  });
  return record("max_pool2d_grad", std::move(dx), {dy},
                [sizes, offset](const Tensor& d, Needs) -> Grads { return {gather(sizes, d, offset)}; });
}

}  // namespace

Tensor avg_pool2d(const Tensor& x, const AvgPool2dOptions& options) {
  Pool2dSizes sizes = checked_sizes(
      "avg_pool2d", x, {.size = options.window, .stride = options.stride, .padding = options.padding});
  constexpr std::int64_t kLongSum = 1 << 18, kLongRow = 1024;  // Terms; float32 sums of more lose digits.
  if (are_larger(x, sizes, kLongSum, kLongRow))
    return avg_pool2d(x.to(DType::float64), options).to(DType::float32);
  sizes.count_include_pad = options.count_include_pad;
  return average(sizes, x);
}

Tensor max_pool2d(const Tensor& x, const MaxPool2dOptions& options) {
  const Pool2dSizes sizes = checked_sizes(
      "max_pool2d", x, {.size = options.window, .stride = options.stride, .padding = options.padding});
  constexpr std::int64_t kExactOffsets = 1 << 24;  // Offsets are kept as numbers of x's dtype.
  if (are_larger(x, sizes, kExactOffsets, kExactOffsets))
    return max_pool2d(x.to(DType::float64), options).to(DType::float32);
  const Layout layout = x.values().cheapest_layout();
  const bool recorded = grad_enabled() && x.requires_grad();  // only the gradient needs offset
  Values y(x.dtype(), y_shape_of(sizes), layout), offset;
  if (recorded) offset = Values(x.dtype(), y_shape_of(sizes), layout);
  visit_floating(x.dtype(), [&]<class T>() {
    kernels::max_pool2d(layout, sizes, x.values().in<T>(layout), y.writable<T>(),
                        recorded ? offset.writable<T>() : nullptr);
  });
  return record("max_pool2d", std::move(y), {x},
                [sizes, offset](const Tensor& dy, Needs) -> Grads { return {scatter(sizes, dy, offset)}; });
}

}  // namespace adjoint
