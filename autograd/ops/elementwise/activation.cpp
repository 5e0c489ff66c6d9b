#include "adjoint/ops/activation.h"

#include "autograd/ops/elementwise/unary.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/elementwise/activation.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/map-inl.h"

// Where x is NaN, the gradients of the piecewise linear functions are dy, as for x > 0.

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace {
struct Tanh;
struct Sigmoid;
struct Relu;
struct LeakyRelu;
struct Softplus;
struct Silu;
}  // namespace

template <>
struct Function<Tanh, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.tanh(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y) {
    return dy * NegMulAdd(y, y, m(1));
  }
};

template <>
struct Function<Sigmoid, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.sigmoid(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y) {
    return dy * y * (m(1) - y);
  }
};

template <>
struct Function<Relu, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return IfThenElse(x < m(0), m(0), x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y) {
    return IfThenZeroElse(y <= m(0), dy);
  }
};

template <>
struct Function<LeakyRelu, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x, V slope) {
    return IfThenElse(x > m(0), x, slope * x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x, V slope) {
    return IfThenElse(x <= m(0), slope * dy, dy);
  }
};

template <>
struct Function<Softplus, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V positive = IfThenElse(x < m(0), m(0), x);  // NaN stays NaN.
    return positive + m.log1p(m.exp_of_negative(Neg(Abs(x))));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy * m.sigmoid(x);
  }
};

template <>
struct Function<Silu, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return x * m.sigmoid(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    const V s = m.sigmoid(x);
    return dy * s * (m(1) + x * (m(1) - s));
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint {

Tensor tanh(Tensor x) {
  return ops::unary_from_result<kernels::Tanh>("tanh", std::move(x), [](const Tensor& y) { return y * -2; });
}

Tensor sigmoid(Tensor x) {
  return ops::unary_from_result<kernels::Sigmoid>("sigmoid", std::move(x),
                                                  [](const Tensor& y) { return 1 - y * 2; });
}

Tensor relu(Tensor x) {
  return ops::unary_from_result<kernels::Relu>("relu", std::move(x), ops::NoSecondDerivative());
}

Tensor leaky_relu(Tensor x, const LeakyReluOptions& options) {
  return ops::unary<kernels::LeakyRelu>("leaky_relu", std::move(x), ops::NoSecondDerivative(), options.slope);
}

Tensor softplus(Tensor x) {
  return ops::unary<kernels::Softplus>("softplus", std::move(x), [](const Tensor& x) {
    const Tensor y = sigmoid(x);
    return y * (1 - y);
  });
}

Tensor silu(Tensor x) {
  return ops::unary<kernels::Silu>("silu", std::move(x), [](const Tensor& x) {
    const Tensor s = sigmoid(x);
    return s * (1 - s) * (2 + x * (1 - s * 2));
  });
}

}  // namespace adjoint
#endif
