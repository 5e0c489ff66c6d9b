#include "autograd/kernels/convolution/conv2d.h"

#include <string>

#include "adjoint/ops/convolution.h"
#include "adjoint/ops/reduce.h"
#include "autograd/ops/support/bilinear.h"
#include "autograd/ops/support/checks.h"
#include "autograd/ops/support/layout_policy.h"

namespace adjoint {
namespace {

using kernels::Conv2dSizes;

Shape x_shape_of(const Conv2dSizes& s) { return {s.batch, s.in_channels, s.height, s.width}; }
Shape y_shape_of(const Conv2dSizes& s) { return {s.batch, s.out_channels, s.out_height, s.out_width}; }
Shape w_shape_of(const Conv2dSizes& s) {
  return {s.out_channels, s.in_channels / s.groups, s.kernel_height, s.kernel_width};
}

/// See bilinear.h.
struct Convolution {
  using Sizes = Conv2dSizes;
  static constexpr const char* kName = "conv2d";
  static constexpr const char* kInputGradName = "conv2d_input_grad";
  static constexpr const char* kWeightGradName = "conv2d_weight_grad";

  static Values y(const Conv2dSizes& sizes, const Tensor& x, const Tensor& w, const Tensor& b) {
    return visit_floating(x.dtype(), [&]<class T>() {
      const Layout layout = ops::layout_of_convolution(dtype_of<T>, sizes);
      Values y(x.dtype(), y_shape_of(sizes), layout);
      kernels::conv2d(layout, sizes, x.values().in<T>(layout), w.values().row_major<T>(),
                      b.defined() ? b.values().row_major<T>() : nullptr, y.writable<T>());
      return y;
    });
  }

  static Values dx(const Conv2dSizes& sizes, const Tensor& dy, const Tensor& w) {
    return visit_floating(dy.dtype(), [&]<class T>() {
      const Layout layout = ops::layout_of_convolution(dtype_of<T>, sizes);
      Values dx(dy.dtype(), x_shape_of(sizes), layout);
      kernels::conv2d_input_grad(layout, sizes, dy.values().in<T>(layout), w.values().row_major<T>(),
                                 dx.writable<T>());
      return dx;
    });
  }

  static Values dw(const Conv2dSizes& sizes, const Tensor& dy, const Tensor& x) {
    return visit_floating(dy.dtype(), [&]<class T>() {
      const Layout layout = ops::layout_of_convolution(dtype_of<T>, sizes);
      Values dw(dy.dtype(), w_shape_of(sizes));
      kernels::conv2d_weight_grad(layout, sizes, dy.values().in<T>(layout), x.values().in<T>(layout),
                                  dw.writable<T>());
      return dw;
    });
  }

  static Tensor db(const Tensor& dy) { return sum(dy, {0, 2, 3}); }
};

void check_options(const char* op, const Conv2dOptions& options) {
  ops::check_at_least(1, op, "stride", options.stride);
  ops::check_at_least(0, op, "padding", options.padding);
  ops::check_at_least(1, op, "dilation", options.dilation);
  check(options.groups >= 1, "{}: groups must be at least 1, it is {}", op, options.groups);
}

void check_channels(const char* op, const Shape& x, const Shape& w, const std::string& w_name,
                    std::int64_t groups) {
  check_shape(w[0] % groups == 0, "{}: {} groups do not divide the {} output channels of w (x {}, w {})", op,
              groups, w[0], x, w);
  if (x[1] % groups == 0 && x[1] / groups == w[1]) return;
  const std::string of_groups = groups == 1 ? "" : fmt::format(" in each of {} groups", groups);
  throw ShapeError(fmt::format("{}: x has {} channels, w{} expects {}{} (x {}, w {})", op, x[1],
                               in_brackets(w_name), w[1], of_groups, x, w));
}

/// Checks shapes and options, and returns the sizes of conv2d(x, w) and of the products that give its
/// gradients.
Conv2dSizes checked_sizes(const char* op, const Shape& x, const Shape& w, const Conv2dOptions& options,
                          const std::string& w_name = {}) {
  check_options(op, options);
  ops::check_image(op, x);
  check_shape(w.rank() == 4, "{}: w must have 4 axes, it is {}", op, w);
  check_shape(w.numel() > 0, "{}: w must not be empty, it is {}", op, w);
  check_channels(op, x, w, w_name, options.groups);
  const PerAxis out =
      ops::count_windows(op, x, {{w[2], w[3]}, options.stride, options.padding, options.dilation});
  return {.batch = x[0],
          .in_channels = x[1],
          .height = x[2],
          .width = x[3],
          .out_channels = w[0],
          .out_height = out.height,
          .out_width = out.width,
          .kernel_height = w[2],
          .kernel_width = w[3],
          .stride_height = ops::step_between(out.height, options.stride.height),
          .stride_width = ops::step_between(out.width, options.stride.width),
          .padding_height = options.padding.height,
          .padding_width = options.padding.width,
          .dilation_height = ops::step_between(w[2], options.dilation.height),
          .dilation_width = ops::step_between(w[3], options.dilation.width),
          .groups = options.groups,
          .flip = options.flip_kernel};
}

void check_dtypes(const char* op, const char* a_name, const Tensor& a, const char* b_name, const Tensor& b) {
  ops::check_floating(op, a_name, a);
  ops::check_same_dtype(op, a_name, a, b_name, b);
}

void check_dy(const char* op, const Tensor& dy, const Conv2dSizes& sizes) {
  const Shape y = y_shape_of(sizes);
  check_shape(dy.shape() == y, "{}: dy must be {} (x {}, w {}), it is {}", op, y, x_shape_of(sizes),
              w_shape_of(sizes), dy.shape());
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Conv2dOptions& options) {
  check_dtypes("conv2d", "x", x, "w", w);
  return ops::product<Convolution>(checked_sizes("conv2d", x.shape(), w.shape(), options, w.name()), x, w);
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2dOptions& options) {
  check_dtypes("conv2d", "x", x, "w", w);
  check_dtypes("conv2d", "x", x, "b", b);
  const Conv2dSizes sizes = checked_sizes("conv2d", x.shape(), w.shape(), options, w.name());
  check_shape(b.rank() == 1 && b.numel() == sizes.out_channels,
              "conv2d: b must be [{}], a number for each output channel of w {}, it is {}",
              sizes.out_channels, w.shape(), b.shape());
  return ops::product<Convolution>(sizes, x, w, b);
}

Tensor conv2d_input_grad(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                         const Conv2dOptions& options) {
  check_dtypes(Convolution::kInputGradName, "dy", dy, "w", w);
  const Conv2dSizes sizes = checked_sizes(Convolution::kInputGradName, x_shape, w.shape(), options);
  check_dy(Convolution::kInputGradName, dy, sizes);
  return ops::input_grad<Convolution>(sizes, dy, w);
}

Tensor conv2d_weight_grad(const Tensor& dy, const Tensor& x, const Shape& w_shape,
                          const Conv2dOptions& options) {
  check_dtypes(Convolution::kWeightGradName, "dy", dy, "x", x);
  const Conv2dSizes sizes = checked_sizes(Convolution::kWeightGradName, x.shape(), w_shape, options);
  check_dy(Convolution::kWeightGradName, dy, sizes);
  return ops::weight_grad<Convolution>(sizes, dy, x);
}

}  // namespace adjoint
