// Activation functions made of straight lines, and hardswish.
#include "adjoint/ops/activation.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "autograd/ops/elementwise/unary.h"
#include "autograd/ops/support/broadcast.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/elementwise/rectifiers.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/map-inl.h"

// Where x is NaN, the gradients of the piecewise linear functions are dy, as for x > 0.

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace {
struct Relu;
struct LeakyRelu;
struct Hardtanh;
struct Relu6;
struct Hardsigmoid;
struct Hardswish;
struct HardswishCurve;
struct Threshold;
struct Prelu;
struct PreluGradient;
}  // namespace

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
struct Function<Hardtanh, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x, V low, V high) {
    return IfThenElse(x < low, low, IfThenElse(x > high, high, x));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M, V dy, V x, V low, V high) {
    return IfThenZeroElse(Or(x <= low, x >= high), dy);
  }
};

template <>
struct Function<Relu6, HWY_TARGET> : Function<Hardtanh, HWY_TARGET> {};

template <>
struct Function<Hardsigmoid, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V line = (x + m(3)) / m(6);
    return IfThenElse(x <= m(-3), m(0), IfThenElse(x >= m(3), m(1), line));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    const V inside = IfThenElse(x == x, dy / m(6), dy);
    return IfThenZeroElse(Or(x <= m(-3), x >= m(3)), inside);
  }
};

template <>
struct Function<Hardswish, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V curve = x * ((x + m(3)) / m(6));
    return IfThenElse(x <= m(-3), m(0), IfThenElse(x >= m(3), x, curve));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    const V curve = dy * (x / m(3) + m(0.5));
    return IfThenZeroElse(x <= m(-3), IfThenElse(x >= m(3), dy, curve));
  }
};

/// The second derivative of hardswish.
template <>
struct Function<HardswishCurve, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return IfThenElseZero(Abs(x) < m(3), m(1) / m(3));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V, V) {
    return m(0);
  }
};

template <>
struct Function<Threshold, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x, V threshold, V other) {
    return IfThenElse(x <= threshold, other, x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M, V dy, V x, V threshold, V) {
    return IfThenZeroElse(x <= threshold, dy);
  }
};

template <>
struct Function<Prelu, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x, V w) {
    return IfThenElse(x > m(0), x, w * x);
  }
};

template <>
struct Function<PreluGradient, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V dy, V x, V w) {
    return IfThenElse(x <= m(0), w * dy, dy);
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint {

Tensor relu(Tensor x) {
  return ops::unary_from_result<kernels::Relu>("relu", std::move(x), ops::NoSecondDerivative());
}

Tensor leaky_relu(Tensor x, const LeakyReluOptions& options) {
  return ops::unary<kernels::LeakyRelu>("leaky_relu", std::move(x), ops::NoSecondDerivative(), options.slope);
}

Tensor hardtanh(Tensor x, const HardtanhOptions& options) {
  check(options.min <= options.max, "hardtanh: min must not be larger than max; min is {}, max is {}",
        options.min, options.max);
  return ops::unary<kernels::Hardtanh>("hardtanh", std::move(x), ops::NoSecondDerivative(), options.min,
                                       options.max);
}

Tensor relu6(Tensor x) {
  return ops::unary<kernels::Relu6>("relu6", std::move(x), ops::NoSecondDerivative(), 0.0, 6.0);
}

Tensor hardsigmoid(Tensor x) {
  return ops::unary<kernels::Hardsigmoid>("hardsigmoid", std::move(x), ops::NoSecondDerivative());
}

Tensor hardswish(Tensor x) {
  return ops::unary<kernels::Hardswish>("hardswish", std::move(x), [](const Tensor& x) {
    return ops::unary<kernels::HardswishCurve>("hardswish_curve", x, ops::NoSecondDerivative());
  });
}

Tensor threshold(Tensor x, const ThresholdOptions& options) {
  return ops::unary<kernels::Threshold>("threshold", std::move(x), ops::NoSecondDerivative(),
                                        options.threshold, options.value);
}

namespace {

/// dy where x > 0, else w dy. w has its final shape.
Tensor prelu_input_grad(const Tensor& dy, const Tensor& x, const Tensor& w) {
  Values dx = ops::broadcast<kernels::PreluGradient>("prelu_grad", dy, x, w, {"dy", "x", "weight"});
  return record("prelu_grad", std::move(dx), {dy, w},
                [dy = Saved(dy, w.requires_grad()), x = Saved(x), w = Saved(w)](const Tensor& ddx,
                                                                                Needs needs) -> Grads {
                  const auto dw = [&] {
                    const Tensor& at = x;
                    return sum_to(where(at <= 0, ddx * dy, 0), static_cast<const Tensor&>(w).shape());
                  };
                  return {needs[0] ? prelu_input_grad(ddx, x, w) : Tensor{}, needs[1] ? dw() : Tensor{}};
                });
}

}  // namespace

Tensor prelu(const Tensor& x, const Tensor& weight) {
  ops::check_floating("prelu", "x", x);
  ops::check_same_dtype("prelu", "x", x, "weight", weight);
  const bool per_channel = x.rank() >= 2 && weight.rank() == 1 && weight.size(0) == x.size(1);
  check_shape(
      weight.numel() == 1 || per_channel,
      "prelu: weight must have one element, or one for each of x's channels (axis 1); x is {}, weight is {}",
      x.shape(), weight.shape());
  std::int64_t sizes[Shape::kMaxRank] = {weight.numel(), 1, 1, 1, 1, 1, 1, 1};
  const Tensor w = weight.numel() == 1 ? reshape(weight, {})
                                       : reshape(weight, Shape(std::span<const std::int64_t>(
                                                             sizes, static_cast<std::size_t>(x.rank() - 1))));
  return record("prelu", ops::broadcast<kernels::Prelu>("prelu", x, w), {x, w},
                [x = Saved(x), w = Saved(w)](const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? prelu_input_grad(dy, x, w) : Tensor{},
                          needs[1] ? sum_to(dy * clamp(static_cast<const Tensor&>(x), {.max = 0.0}),
                                            static_cast<const Tensor&>(w).shape())
                                   : Tensor{}};
                });
}

}  // namespace adjoint
#endif
