#include "adjoint/ops/math.h"

#include <numbers>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/ops/elementwise/unary.h"
#include "autograd/ops/support/broadcast.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/elementwise/math.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace {
struct Exp;
struct Exp2;
struct Expm1;
struct Log;
struct Log2;
struct Log10;
struct Log1p;
struct Sqrt;
struct Rsqrt;
struct Square;
struct Reciprocal;
struct Abs;
struct Erf;
struct Erfc;
struct Pow;
struct XLogY;
}  // namespace

template <>
struct Function<Exp, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.exp(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M, V dy, V y) {
    return dy * y;
  }
};

template <>
struct Function<Exp2, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.exp2(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y) {
    return dy * (y * m(std::numbers::ln2));
  }
};

template <>
struct Function<Expm1, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.expm1(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y) {
    return dy * (y + m(1));
  }
};

template <>
struct Function<Log, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.log(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M, V dy, V x) {
    return dy / x;
  }
};

template <>
struct Function<Log2, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.log2(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy / (x * m(std::numbers::ln2));
  }
};

template <>
struct Function<Log10, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.log10(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy / (x * m(std::numbers::ln10));
  }
};

template <>
struct Function<Log1p, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.log1p(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy / (x + m(1));
  }
};

template <>
struct Function<Sqrt, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return hwy::HWY_NAMESPACE::Sqrt(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y) {
    return dy * m(0.5) / y;
  }
};

template <>
struct Function<Rsqrt, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m(1) / hwy::HWY_NAMESPACE::Sqrt(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y) {
    return dy * (m(-0.5) * y * y * y);
  }
};

template <>
struct Function<Square, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return x * x;
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy * x * m(2);
  }
};

template <>
struct Function<Reciprocal, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m(1) / x;
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M, V dy, V y) {
    return Neg(dy * (y * y));
  }
};

template <>
struct Function<Abs, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return hwy::HWY_NAMESPACE::Abs(x);
  }
  /// dy sign(x), and dy where x is NaN.
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return IfThenElse(x < m(0), Neg(dy), IfThenZeroElse(x == m(0), dy));
  }
};

template <>
struct Function<Erf, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.erf(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy * (m(2 * std::numbers::inv_sqrtpi) * m.exp_of_negative(Neg(x * x)));
  }
};

template <>
struct Function<Erfc, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.erfc(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy * (m(-2 * std::numbers::inv_sqrtpi) * m.exp_of_negative(Neg(x * x)));
  }
};

template <>
struct Function<Pow, HWY_TARGET> {
  static constexpr std::int64_t kWork = 128;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x, V p) {
    return m.pow(x, p);
  }
};

template <>
struct Function<XLogY, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V a, V b) {
    return IfThenElse(a == m(0), IfThenElse(b == b, m(0), b), a * m.log(b));
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint {
namespace {

/// A derivative that is the same for all x.
Tensor constant(double value, const Tensor& x) { return full({}, value, {.dtype = x.dtype()}); }

}  // namespace

Tensor exp(Tensor x) {
  return ops::unary_from_result<kernels::Exp>("exp", std::move(x),
                                              [](const Tensor& y) { return constant(1, y); });
}

Tensor exp2(Tensor x) {
  return ops::unary_from_result<kernels::Exp2>(
      "exp2", std::move(x), [](const Tensor& y) { return constant(std::numbers::ln2, y); });
}

Tensor expm1(Tensor x) {
  return ops::unary_from_result<kernels::Expm1>("expm1", std::move(x),
                                                [](const Tensor& y) { return constant(1, y); });
}

Tensor log(Tensor x) {
  return ops::unary<kernels::Log>("log", std::move(x), [](const Tensor& x) { return -1 / square(x); });
}

Tensor log2(Tensor x) {
  return ops::unary<kernels::Log2>("log2", std::move(x),
                                   [](const Tensor& x) { return (-1 / std::numbers::ln2) / square(x); });
}

Tensor log10(Tensor x) {
  return ops::unary<kernels::Log10>("log10", std::move(x),
                                    [](const Tensor& x) { return (-1 / std::numbers::ln10) / square(x); });
}

Tensor log1p(Tensor x) {
  return ops::unary<kernels::Log1p>("log1p", std::move(x),
                                    [](const Tensor& x) { return -1 / square(x + 1); });
}

Tensor sqrt(Tensor x) {
  return ops::unary_from_result<kernels::Sqrt>("sqrt", std::move(x),
                                               [](const Tensor& y) { return -0.5 / square(y); });
}

Tensor rsqrt(Tensor x) {
  return ops::unary_from_result<kernels::Rsqrt>("rsqrt", std::move(x),
                                                [](const Tensor& y) { return square(y) * -1.5; });
}

Tensor square(Tensor x) {
  return ops::unary<kernels::Square>("square", std::move(x), [](const Tensor& x) { return constant(2, x); });
}

Tensor reciprocal(Tensor x) {
  return ops::unary_from_result<kernels::Reciprocal>("reciprocal", std::move(x),
                                                     [](const Tensor& y) { return y * -2; });
}

Tensor abs(Tensor x) { return ops::unary<kernels::Abs>("abs", std::move(x), ops::NoSecondDerivative()); }

Tensor erf(Tensor x) {
  return ops::unary<kernels::Erf>("erf", std::move(x), [](const Tensor& x) {
    return x * exp(-square(x)) * (-4 * std::numbers::inv_sqrtpi);
  });
}

Tensor erfc(Tensor x) {
  return ops::unary<kernels::Erfc>("erfc", std::move(x), [](const Tensor& x) {
    return x * exp(-square(x)) * (4 * std::numbers::inv_sqrtpi);
  });
}

Tensor pow(const Tensor& x, double p) {
  const auto rule = [x = Saved(x, p != 0), p](const Tensor& dy, Needs) -> Grads {
    return {p != 0 ? dy * pow(x, p - 1) * p : zeros(dy.shape(), {.dtype = dy.dtype()})};
  };
  // Common powers have faster functions.
  if (p == 2) return ops::map_op<kernels::Square>("pow", x, rule);
  if (p == -1) return ops::map_op<kernels::Reciprocal>("pow", x, rule);
  return ops::map_op<kernels::Pow>("pow", x, rule, p);
}

Tensor pow(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::Pow>("pow", a, b);
  return record("pow", std::move(y), {a, b},
                [a = Saved(a), b = Saved(b), as = a.shape(), bs = b.shape()](
                    const Tensor& dy, const Tensor& y, Needs needs) -> Grads {
                  // Where a = 0, b a^(b-1) and y ln a may be 0 inf, but the gradient is 0.
                  const Tensor &base = a, &exponent = b;
                  const auto da = [&] {
                    return dy * b * pow(a, where((base == 0) & (exponent == 0), b, b - 1));
                  };
                  const auto db = [&] { return dy * y * log(where((base == 0) & (exponent >= 0), 1, a)); };
                  return {needs[0] ? sum_to(da(), as) : Tensor{}, needs[1] ? sum_to(db(), bs) : Tensor{}};
                });
}

Tensor xlogy(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::XLogY>("xlogy", a, b);
  return record(
      "xlogy", std::move(y), {a, b},
      [a = Saved(a), b = Saved(b), as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
        const Tensor &factor = a, &x = b;
        const auto da = [&] { return where((factor == 0) & (x <= 0), 0, xlogy(dy, x)); };
        const auto db = [&] { return dy * (factor / where((factor == 0) & (x == 0), 1, x)); };
        return {needs[0] ? sum_to(da(), as) : Tensor{}, needs[1] ? sum_to(db(), bs) : Tensor{}};
      });
}

}  // namespace adjoint
#endif
