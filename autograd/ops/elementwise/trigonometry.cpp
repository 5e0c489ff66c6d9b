#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "autograd/ops/elementwise/unary.h"
#include "autograd/ops/support/broadcast.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/elementwise/trigonometry.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace {
struct Sin;
struct Cos;
struct Tan;
struct Asin;
struct Acos;
struct Atan;
struct Sinh;
struct Cosh;
struct Asinh;
struct Acosh;
struct Atanh;
struct Atan2;
struct Hypot;
}  // namespace

template <>
struct Function<Sin, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.sin(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy * m.cos(x);
  }
};

template <>
struct Function<Cos, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.cos(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return Neg(dy * m.sin(x));
  }
};

template <>
struct Function<Tan, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.tan(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V y) {
    return dy * MulAdd(y, y, m(1));
  }
};

template <>
struct Function<Asin, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.asin(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy / Sqrt((m(1) - x) * (m(1) + x));
  }
};

template <>
struct Function<Acos, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.acos(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return Neg(dy / Sqrt((m(1) - x) * (m(1) + x)));
  }
};

template <>
struct Function<Atan, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.atan(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy / MulAdd(x, x, m(1));
  }
};

template <>
struct Function<Sinh, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.sinh(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy * m.cosh(x);
  }
};

template <>
struct Function<Cosh, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.cosh(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy * m.sinh(x);
  }
};

template <>
struct Function<Asinh, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.asinh(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy / m.hypot(x, m(1));
  }
};

template <>
struct Function<Acosh, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.acosh(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy / (Sqrt(x - m(1)) * Sqrt(x + m(1)));
  }
};

template <>
struct Function<Atanh, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    return m.atanh(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V dy, V x) {
    return dy / ((m(1) - x) * (m(1) + x));
  }
};

template <>
struct Function<Atan2, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V a, V b) {
    return m.atan2(a, b);
  }
};

template <>
struct Function<Hypot, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V a, V b) {
    return m.hypot(a, b);
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint {

Tensor sin(Tensor x) {
  return ops::unary<kernels::Sin>("sin", std::move(x), [](const Tensor& x) { return -sin(x); });
}

Tensor cos(Tensor x) {
  return ops::unary<kernels::Cos>("cos", std::move(x), [](const Tensor& x) { return -cos(x); });
}

Tensor tan(Tensor x) {
  return ops::unary_from_result<kernels::Tan>("tan", std::move(x), [](const Tensor& y) { return y * 2; });
}

Tensor asin(Tensor x) {
  return ops::unary<kernels::Asin>("asin", std::move(x), [](const Tensor& x) {
    const Tensor d = (1 - x) * (1 + x);
    return x / (d * sqrt(d));
  });
}

Tensor acos(Tensor x) {
  return ops::unary<kernels::Acos>("acos", std::move(x), [](const Tensor& x) {
    const Tensor d = (1 - x) * (1 + x);
    return -x / (d * sqrt(d));
  });
}

Tensor atan(Tensor x) {
  return ops::unary<kernels::Atan>("atan", std::move(x),
                                   [](const Tensor& x) { return x * -2 / square(square(x) + 1); });
}

Tensor sinh(Tensor x) {
  return ops::unary<kernels::Sinh>("sinh", std::move(x), [](const Tensor& x) { return sinh(x); });
}

Tensor cosh(Tensor x) {
  return ops::unary<kernels::Cosh>("cosh", std::move(x), [](const Tensor& x) { return cosh(x); });
}

Tensor asinh(Tensor x) {
  return ops::unary<kernels::Asinh>("asinh", std::move(x), [](const Tensor& x) {
    const Tensor d = square(x) + 1;
    return -x / (d * sqrt(d));
  });
}

Tensor acosh(Tensor x) {
  return ops::unary<kernels::Acosh>("acosh", std::move(x), [](const Tensor& x) {
    const Tensor d = (x - 1) * (x + 1);
    return -x / (d * sqrt(d));
  });
}

Tensor atanh(Tensor x) {
  return ops::unary<kernels::Atanh>("atanh", std::move(x),
                                    [](const Tensor& x) { return x * 2 / square((1 - x) * (1 + x)); });
}

Tensor atan2(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::Atan2>("atan2", a, b);
  return record(
      "atan2", std::move(y), {a, b},
      [a = Saved(a), b = Saved(b), as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
        // da = dy b / h^2 and db = -dy a / h^2, where h^2 may be too small or too large a number.
        Tensor h = hypot(a, b);
        h = where(h == 0, 1, h);
        const Tensor per_h = dy / h;
        return {needs[0] ? sum_to(per_h * (b / h), as) : Tensor{},
                needs[1] ? neg(sum_to(per_h * (a / h), bs)) : Tensor{}};
      });
}

Tensor hypot(const Tensor& a, const Tensor& b) {
  Values y = ops::broadcast<kernels::Hypot>("hypot", a, b);
  return record("hypot", std::move(y), {a, b},
                [a = Saved(a), b = Saved(b), as = a.shape(), bs = b.shape()](
                    const Tensor& dy, const Tensor& y, Needs needs) -> Grads {
                  const Tensor divisor = where(y == 0, 1, y);
                  return {needs[0] ? sum_to(dy * (a / divisor), as) : Tensor{},
                          needs[1] ? sum_to(dy * (b / divisor), bs) : Tensor{}};
                });
}

}  // namespace adjoint
#endif
