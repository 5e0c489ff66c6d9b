#include "adjoint/ops/activation.h"

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "autograd/kernels/elementwise/elementwise.h"
#include "autograd/ops/support/apply.h"

// Each gradient is one kernel, and an op of its own, so that it can be differentiated again. The gradients of
// the piecewise linear functions depend on x by their kink alone: of them, dx is recorded as a function of dy
// only.

namespace adjoint {
namespace {

/// kernel(x), which must be floating.
template <class Kernel>
Values map(const char* op, const Tensor& x, const Kernel& kernel) {
  ops::check_floating(op, "x", x);
  return ops::map(x.values(), kernel);
}
template <class Kernel>
Values map(const char* op, Tensor& x, const Kernel& kernel) {
  ops::check_floating(op, "x", x);
  return ops::map(x, kernel);
}

/// kernel(dy, y), in dy's memory where it may be.
template <class Kernel>
Values map_gradient(Tensor& dy, const Tensor& y, const Kernel& kernel) {
  return grad_enabled() ? ops::map(dy.values(), y.values(), kernel) : ops::map(dy, y.values(), kernel);
}

/// dx = dy (1 - y^2).
Tensor tanh_grad(Tensor dy, const Tensor& y) {
  Values dx = map_gradient(dy, y, [](auto... args) { kernels::tanh_grad(args...); });
  return record("tanh_grad", std::move(dx), {dy, y},
                [dy = Saved(dy, y.requires_grad()), y = Saved(y)](const Tensor& ddx, Needs needs) -> Grads {
                  return {needs[0] ? tanh_grad(ddx, y) : Tensor{}, needs[1] ? ddx * dy * y * -2 : Tensor{}};
                });
}

/// dx = dy y (1 - y).
Tensor sigmoid_grad(Tensor dy, const Tensor& y) {
  Values dx = map_gradient(dy, y, [](auto... args) { kernels::sigmoid_grad(args...); });
  return record(
      "sigmoid_grad", std::move(dx), {dy, y},
      [dy = Saved(dy, y.requires_grad()), y = Saved(y)](const Tensor& ddx, Needs needs) -> Grads {
        return {needs[0] ? sigmoid_grad(ddx, y) : Tensor{}, needs[1] ? ddx * dy * (1 - y * 2) : Tensor{}};
      });
}

/// dx = y <= 0 ? 0 : dy.
Tensor relu_grad(Tensor dy, const Tensor& y) {
  Values dx = map_gradient(dy, y, [](auto... args) { kernels::relu_grad(args...); });
  return record("relu_grad", std::move(dx), {dy},
                [y = Saved(y)](const Tensor& ddx, Needs) -> Grads { return {relu_grad(ddx, y)}; });
}

/// dx = x <= 0 ? slope dy : dy.
Tensor leaky_relu_grad(const Tensor& dy, const Tensor& x, double slope) {
  Values dx =
      ops::map(dy.values(), x.values(), [slope]<class T>(std::int64_t n, const T* dy, const T* x, T* dx) {
        kernels::leaky_relu_grad(n, static_cast<T>(slope), dy, x, dx);
      });
  return record(
      "leaky_relu_grad", std::move(dx), {dy},
      [x = Saved(x), slope](const Tensor& ddx, Needs) -> Grads { return {leaky_relu_grad(ddx, x, slope)}; });
}

/// dx = dy sigmoid(x).
Tensor softplus_grad(const Tensor& dy, const Tensor& x) {
  Values dx = ops::map(dy.values(), x.values(), [](auto... args) { kernels::softplus_grad(args...); });
  return record("softplus_grad", std::move(dx), {dy, x},
                [dy = Saved(dy, x.requires_grad()), x = Saved(x)](const Tensor& ddx, Needs needs) -> Grads {
                  return {needs[0] ? softplus_grad(ddx, x) : Tensor{},
                          needs[1] ? sigmoid_grad(ddx * dy, sigmoid(x)) : Tensor{}};
                });
}

}  // namespace

Tensor tanh(Tensor x) {
  return record("tanh", map("tanh", x, [](auto... args) { kernels::tanh(args...); }), {x},
                [](Tensor dy, const Tensor& y, Needs) -> Grads { return {tanh_grad(std::move(dy), y)}; });
}

Tensor sigmoid(Tensor x) {
  return record("sigmoid", map("sigmoid", x, [](auto... args) { kernels::sigmoid(args...); }), {x},
                [](Tensor dy, const Tensor& y, Needs) -> Grads { return {sigmoid_grad(std::move(dy), y)}; });
}

Tensor relu(Tensor x) {
  return record("relu", map("relu", x, [](auto... args) { kernels::relu(args...); }), {x},
                [](Tensor dy, const Tensor& y, Needs) -> Grads { return {relu_grad(std::move(dy), y)}; });
}

Tensor softplus(const Tensor& x) {
  return record("softplus", map("softplus", x, [](auto... args) { kernels::softplus(args...); }), {x},
                [x = Saved(x)](const Tensor& dy, Needs) -> Grads { return {softplus_grad(dy, x)}; });
}

Tensor leaky_relu(const Tensor& x, const LeakyReluOptions& options) {
  const double slope = options.slope;
  Values y = map("leaky_relu", x, [slope]<class T>(std::int64_t n, const T* x, T* y) {
    kernels::leaky_relu(n, static_cast<T>(slope), x, y);
  });
  return record("leaky_relu", std::move(y), {x}, [x = Saved(x), slope](const Tensor& dy, Needs) -> Grads {
    return {leaky_relu_grad(dy, x, slope)};
  });
}

}  // namespace adjoint
