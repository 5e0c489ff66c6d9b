// Smooth activation functions; those made of straight lines are in rectifiers.cpp.
#include "adjoint/ops/activation.h"

#include <algorithm>
#include <functional>
#include <numbers>
#include <numeric>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/softmax.h"
#include "autograd/ops/elementwise/unary.h"
#include "autograd/ops/support/checks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/elementwise/activation.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace {
struct Tanh;
struct Sigmoid;
struct LogSigmoid;
struct Softplus;
struct SoftplusSlope;
struct Softsign;
struct Silu;
struct Mish;
struct Gelu;
struct GeluTanh;
struct Elu;
struct EluCurve;
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
struct Function<LogSigmoid, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V negative = IfThenElse(x > m(0), m(0), x);  // NaN stays NaN.
    return negative - m.log1p_of_fraction(m.exp_of_negative(Neg(Abs(x))));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy * m.sigmoid(Neg(x));
  }
};

template <>
struct Function<Softplus, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x, V beta, V per_beta, V threshold) {
    const V z = x * beta;
    const V positive = IfThenElse(x < m(0), m(0), x);  // NaN stays NaN.
    const V y = positive + m.log1p_of_fraction(m.exp_of_negative(Neg(Abs(z)))) * per_beta;
    return IfThenElse(z > threshold, x, y);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x, V beta, V, V threshold) {
    const V z = x * beta;
    return IfThenElse(z > threshold, dy, dy * m.sigmoid(z));
  }
};

template <>
struct Function<SoftplusSlope, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x, V beta, V threshold) {
    const V z = x * beta;
    return IfThenElse(z > threshold, m(1), m.sigmoid(z));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y, V beta, V) {
    return dy * beta * y * (m(1) - y);
  }
};

template <>
struct Function<Softsign, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V bounded = IfThenElse(Abs(x) > m(1e30), CopySign(m(1e30), x), x);  // Infinity, too, gives 1.
    return bounded / (m(1) + Abs(bounded));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    const V d = m(1) + Abs(x);
    return dy / (d * d);
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

template <>
struct Function<Mish, HWY_TARGET> {
  /// tanh(ln(1 + e^x)), with n = e^-|x|, so that no exponential overflows.
  template <class M, class V>
  static HWY_INLINE V factor(M m, V x) {
    const V n = m.exp_of_negative(Neg(Abs(x)));
    const auto negative = x < m(0);
    const V numerator = IfThenElse(negative, n * (n + m(2)), m(1) + n + n);
    return numerator / (numerator + IfThenElse(negative, m(2), m(2) * n * n));
  }
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V bounded = IfThenElse(x < m(-1000), m(-1000), x);  // -infinity times 0 would be NaN.
    return bounded * factor(m, bounded);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    const V bounded = IfThenElse(Abs(x) > m(1000), CopySign(m(1000), x), x);
    const V t = factor(m, bounded);
    return dy * (t + bounded * (m(1) - t * t) * m.sigmoid(bounded));
  }
};

template <>
struct Function<Gelu, HWY_TARGET> {
  static constexpr double kFar = 40;  // Beyond it, both factors are exact.
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V normal_cdf(M m, V x) {
    return m(0.5) * m.erfc(x * m(-0.5 * std::numbers::sqrt2));
  }
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V bounded = IfThenElse(x < m(-kFar), m(-kFar), x);  // -infinity times 0 would be NaN.
    return bounded * normal_cdf(m, bounded);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    const V bounded = IfThenElse(Abs(x) > m(kFar), CopySign(m(kFar), x), x);
    const V density = m(0.5 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi) *
                      m.exp_of_negative(m(-0.5) * bounded * bounded);
    return dy * (normal_cdf(m, bounded) + bounded * density);
  }
};

// x (1 + tanh(u)) / 2 = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3).
template <>
struct Function<GeluTanh, HWY_TARGET> {
  static constexpr double kFar = 40;  // As above.
  static constexpr double kSlope = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi, kCube = 0.044715;
  template <class M, class V>
  static HWY_INLINE V sigmoid(M m, V x) {
    return m.sigmoid(m(kSlope) * x * (m(1) + m(kCube) * x * x));
  }
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V bounded = IfThenElse(x < m(-kFar), m(-kFar), x);  // -infinity times 0 would be NaN.
    return bounded * sigmoid(m, bounded);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    const V bounded = IfThenElse(Abs(x) > m(kFar), CopySign(m(kFar), x), x);
    const V s = sigmoid(m, bounded);
    const V slope = m(kSlope) * (m(1) + m(3 * kCube) * bounded * bounded);
    return dy * (s + bounded * slope * s * (m(1) - s));
  }
};

/// x > 0 ? scale x : a (e^(k x) - 1).
template <>
struct Function<Elu, HWY_TARGET> {
  static constexpr std::int64_t kWork = 32;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x, V a, V scale, V k) {
    return IfThenElse(x > m(0), scale * x, a * m.expm1(k * x));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x, V a, V scale, V k) {
    return dy * IfThenElse(x > m(0), scale, a * k * m.exp(k * x));
  }
};

/// x > 0 ? 0 : c e^(k x).
template <>
struct Function<EluCurve, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x, V c, V k) {
    return IfThenZeroElse(x > m(0), c * m.exp(k * x));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x, V c, V k) {
    return dy * value(m, x, c * k, k);
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

Tensor log_sigmoid(Tensor x) {
  return ops::unary<kernels::LogSigmoid>("log_sigmoid", std::move(x), [](const Tensor& x) {
    const Tensor s = sigmoid(x);
    return s * (s - 1);
  });
}

namespace {

/// The derivative of softplus.
Tensor softplus_slope(const Tensor& x, double beta, double threshold) {
  return ops::unary_from_result<kernels::SoftplusSlope>(
      "softplus_slope", x, [](const Tensor& y, double beta, double) { return (1 - y * 2) * beta; }, beta,
      threshold);
}

/// x > 0 ? 0 : c e^(k x), which the second derivatives of elu and its relatives are.
Tensor elu_curve(const Tensor& x, double c, double k) {
  return ops::unary<kernels::EluCurve>(
      "elu_curve", x, [](const Tensor& x, double c, double k) { return elu_curve(x, c * k * k, k); }, c, k);
}

/// The number of elements from one index of the axis before this one to the next.
std::int64_t run_of(const Shape& shape, int axis) {
  return std::accumulate(shape.begin() + axis, shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// The first or the second half of x along an axis.
Tensor half(const Tensor& x, int axis, bool second);

/// dy as that half, and zeros as the other.
Tensor half_grad(const Tensor& dy, int axis, bool second) {
  const Shape shape = dy.shape().with(axis, 2 * dy.size(axis));
  Values dx(dy.dtype(), shape);
  visit_floating(dy.dtype(), [&]<class T>() {
    const std::int64_t run = run_of(dy.shape(), axis);
    const T* from = dy.values().row_major<T>();
    T* to = dx.writable<T>();
    for (std::int64_t at = 0; at < dy.numel(); at += run) {
      std::copy_n(from + at, run, to + 2 * at + (second ? run : 0));
      std::fill_n(to + 2 * at + (second ? 0 : run), run, T(0));
    }
  });
  return record("glu_half_grad", std::move(dx), {dy},
                [axis, second](const Tensor& ddx, Needs) -> Grads { return {half(ddx, axis, second)}; });
}

Tensor half(const Tensor& x, int axis, bool second) {
  const Shape shape = x.shape().with(axis, x.size(axis) / 2);
  Values y(x.dtype(), shape);
  visit_floating(x.dtype(), [&]<class T>() {
    const std::int64_t run = run_of(shape, axis);
    const T* from = x.values().row_major<T>();
    T* to = y.writable<T>();
    for (std::int64_t at = 0; at < y.numel(); at += run)
      std::copy_n(from + 2 * at + (second ? run : 0), run, to + at);
  });
  return record("glu_half", std::move(y), {x},
                [axis, second](const Tensor& dy, Needs) -> Grads { return {half_grad(dy, axis, second)}; });
}

}  // namespace

Tensor softplus(Tensor x, const SoftplusOptions& options) {
  check(options.beta > 0, "softplus: beta must be positive, it is {}", options.beta);
  return ops::unary<kernels::Softplus>(
      "softplus", std::move(x),
      [](const Tensor& x, double beta, double, double threshold) {
        const Tensor y = softplus_slope(x, beta, threshold);
        return y * (1 - y) * beta;
      },
      options.beta, 1 / options.beta, options.threshold);
}

Tensor softsign(Tensor x) {
  return ops::unary<kernels::Softsign>("softsign", std::move(x), [](const Tensor& x) {
    const Tensor d = abs(x) + 1;
    return sign(x) * -2 / (d * d * d);
  });
}

Tensor silu(Tensor x) {
  return ops::unary<kernels::Silu>("silu", std::move(x), [](const Tensor& x) {
    const Tensor s = sigmoid(x);
    return s * (1 - s) * (2 + x * (1 - s * 2));
  });
}

Tensor mish(Tensor x) {
  return ops::unary<kernels::Mish>("mish", std::move(x), [](const Tensor& x) {
    const Tensor t = tanh(softplus(x)), s = sigmoid(x);
    return (1 - t * t) * s * (2 + x * (1 - s - t * s * 2));
  });
}

Tensor gelu(Tensor x, const GeluOptions& options) {
  if (!options.tanh) {
    return ops::unary<kernels::Gelu>("gelu", std::move(x), [](const Tensor& x) {
      return exp(square(x) * -0.5) * (2 - square(x)) * (0.5 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
    });
  }
  return ops::unary<kernels::GeluTanh>("gelu", std::move(x), [](const Tensor& x) {
    constexpr double kRoot = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi, kCube = 0.044715;
    const Tensor s = sigmoid(x * kRoot * (1 + square(x) * kCube));  // and the derivatives of its argument:
    const Tensor first = (1 + square(x) * (3 * kCube)) * kRoot, second = x * (6 * kCube * kRoot);
    return s * (1 - s) * (first * 2 + x * second + x * square(first) * (1 - s * 2));
  });
}

Tensor elu(Tensor x, const EluOptions& options) {
  return ops::unary<kernels::Elu>(
      "elu", std::move(x),
      [](const Tensor& x, double a, double, double k) { return elu_curve(x, a * k * k, k); }, options.alpha,
      1.0, 1.0);
}

Tensor celu(Tensor x, const EluOptions& options) {
  check(options.alpha != 0, "celu: alpha must not be 0");
  return ops::unary<kernels::Elu>(
      "celu", std::move(x),
      [](const Tensor& x, double a, double, double k) { return elu_curve(x, a * k * k, k); }, options.alpha,
      1.0, 1 / options.alpha);
}

Tensor selu(Tensor x) {
  constexpr double kAlpha = 1.6732632423543772848170429916717, kScale = 1.0507009873554804934193349852946;
  return ops::unary<kernels::Elu>(
      "selu", std::move(x),
      [](const Tensor& x, double a, double, double k) { return elu_curve(x, a * k * k, k); }, kScale * kAlpha,
      kScale, 1.0);
}

Tensor glu(const Tensor& x, int axis) {
  ops::check_floating("glu", "x", x);
  axis = ops::checked_axis("glu", x, axis);
  check_shape(x.size(axis) % 2 == 0, "glu: the size of axis {} must be even; x is {}", axis, x.shape());
  return half(x, axis, false) * sigmoid(half(x, axis, true));
}

Tensor softmin(const Tensor& x, int axis) {
  ops::check_floating("softmin", "x", x);
  ops::checked_axis("softmin", x, axis);
  return softmax(-x, axis);
}

}  // namespace adjoint
#endif
