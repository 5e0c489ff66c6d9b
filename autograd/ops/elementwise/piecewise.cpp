// Functions with jumps and kinks: rounding, remainders, and bounds.
#include <limits>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/ops/elementwise/unary.h"
#include "autograd/ops/support/broadcast.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/elementwise/piecewise.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace {
struct Sign;
struct Floor;
struct Ceil;
struct Round;
struct Trunc;
struct Fmod;
struct Remainder;
struct Minimum;
struct Maximum;
struct Clamp;
struct Share;
struct UnlessLess;
struct IfMore;
}  // namespace

template <>
struct Function<Sign, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V x) {
    const V positive = IfThenElse(x > m(0), m(1), m(0) * x);  // NaN stays NaN.
    return IfThenElse(x < m(0), m(-1), hwy::HWY_NAMESPACE::Abs(positive));
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V, V) {
    return m(0);
  }
};

template <>
struct Function<Floor, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return hwy::HWY_NAMESPACE::Floor(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V, V) {
    return m(0);
  }
};

template <>
struct Function<Ceil, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return hwy::HWY_NAMESPACE::Ceil(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V, V) {
    return m(0);
  }
};

template <>
struct Function<Round, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return hwy::HWY_NAMESPACE::Round(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V, V) {
    return m(0);
  }
};

template <>
struct Function<Trunc, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x) {
    return hwy::HWY_NAMESPACE::Trunc(x);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M m, V, V) {
    return m(0);
  }
};

template <>
struct Function<Fmod, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V a, V b) {
    return m.fmod(a, b);
  }
  static std::uint64_t value(int, std::uint64_t a, std::uint64_t b) {
    const auto p = static_cast<std::int64_t>(a), q = static_cast<std::int64_t>(b);
    return q == -1 ? 0 : static_cast<std::uint64_t>(p % q);  // p / -1 may overflow.
  }
};

template <>
struct Function<Remainder, HWY_TARGET> {
  static constexpr std::int64_t kWork = 64;
  template <class M, class V>
  static HWY_INLINE V value(M m, V a, V b) {
    const V r = m.fmod(a, b);
    const auto other_sign = Or(And(r<m(0), b> m(0)), And(r > m(0), b < m(0)));
    return IfThenElse(other_sign, r + b, r);
  }
  static std::uint64_t value(int, std::uint64_t a, std::uint64_t b) {
    const std::uint64_t r = Function<Fmod, HWY_TARGET>::value(0, a, b);
    const bool other_sign = r != 0 && ((r ^ b) >> 63) != 0;
    return other_sign ? r + b : r;
  }
};

template <>
struct Function<Minimum, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V a, V b) {
    return IfThenElse(Or(b < a, IsNaN(b)), b, a);
  }
  static std::uint64_t value(int, std::uint64_t a, std::uint64_t b) {
    return static_cast<std::int64_t>(b) < static_cast<std::int64_t>(a) ? b : a;
  }
};

template <>
struct Function<Maximum, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V a, V b) {
    return IfThenElse(Or(b > a, IsNaN(b)), b, a);
  }
  static std::uint64_t value(int, std::uint64_t a, std::uint64_t b) {
    return static_cast<std::int64_t>(b) > static_cast<std::int64_t>(a) ? b : a;
  }
};

template <>
struct Function<Clamp, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V x, V low, V high) {
    const V y = IfThenElse(Or(x < low, IsNaN(low)), low, x);
    return IfThenElse(Or(y > high, IsNaN(high)), high, y);
  }
  template <class M, class V>
  static HWY_INLINE V gradient(M, V dy, V x, V low, V high) {
    return IfThenZeroElse(Or(x<low, x> high), dy);
  }
};

// The parts of dy that go to one of two arguments, a, of a function that returns one of them.

/// For the larger of both; equal ones get half of it each.
template <>
struct Function<Share, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M m, V dy, V a, V b) {
    return IfThenZeroElse(a < b, IfThenElse(a == b, dy * m(0.5), dy));
  }
};

template <>
struct Function<UnlessLess, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V dy, V a, V b) {
    return IfThenZeroElse(a < b, dy);
  }
};

template <>
struct Function<IfMore, HWY_TARGET> {
  template <class M, class V>
  static HWY_INLINE V value(M, V dy, V a, V b) {
    return IfThenElseZero(b < a, dy);
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint {
namespace {

using LoopsOf = const kernels::Loops& (*)();

/// F(dy, a, b), which is linear in dy.
Tensor part_of(const char* op, LoopsOf f, const Tensor& dy, const Tensor& a, const Tensor& b) {
  return record(op, ops::broadcast(op, f(), dy, a, b), {dy},
                [op, f, a = Saved(a), b = Saved(b)](const Tensor& ddx, Needs) -> Grads {
                  return {part_of(op, f, ddx, a, b)};
                });
}

/// The larger of a and b, or the smaller one. Its gradients are the parts of dy for a and for b: of_a(dy, a,
/// b) and of_b(dy, b, a) if y is the larger one. Otherwise, a and b change places.
struct Extreme {
  const char* name;
  const char* gradient_name;
  bool larger;
  LoopsOf of_a, of_b;
};

Tensor extreme(const Extreme& op, Values y, const Tensor& a, const Tensor& b) {
  return record(op.name, std::move(y), {a, b},
                [&op, a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Grads {
                  const Tensor &p = a, &q = b;
                  const auto part = [&](LoopsOf f, bool of_larger) {
                    return of_larger ? part_of(op.gradient_name, f, dy, p, q)
                                     : part_of(op.gradient_name, f, dy, q, p);
                  };
                  return {needs[0] ? sum_to(part(op.of_a, op.larger), p.shape()) : Tensor{},
                          needs[1] ? sum_to(part(op.of_b, !op.larger), q.shape()) : Tensor{}};
                });
}

/// Throws unless int64 divisors are all different from 0.
void check_divisor(const char* op, const Tensor& b) {
  if (b.dtype() != DType::int64) return;
  const std::int64_t* values = b.values().row_major<std::int64_t>();
  for (std::int64_t i = 0; i < b.numel(); ++i)
    check(values[i] != 0, "{}: b must not be 0 where the dtype is int64, element {} of b {} is", op, i,
          b.shape());
}

/// The gradients of a remainder y = a - n b with a whole number n: dy and -n dy.
Tensor record_remainder(const char* op, Values y, const Tensor& a, const Tensor& b) {
  return record(op, std::move(y), {a, b},
                [a = Saved(a, b.requires_grad()), b = Saved(b, b.requires_grad()), as = a.shape(),
                 bs = b.shape()](const Tensor& dy, const Tensor& y, Needs needs) -> Grads {
                  const auto db = [&] {
                    const NoGrad constant;
                    return round((y - a) / b);
                  };
                  return {needs[0] ? sum_to(dy, as) : Tensor{}, needs[1] ? sum_to(dy * db(), bs) : Tensor{}};
                });
}

}  // namespace

Tensor sign(Tensor x) {
  if (x.dtype() == DType::int64) {
    const auto number = [](double value) { return full({}, value, {.dtype = DType::int64}); };
    return clamp(x, number(-1), number(1));
  }
  return ops::unary_from_result<kernels::Sign>("sign", std::move(x), ops::NoSecondDerivative());
}

Tensor floor(Tensor x) {
  return ops::unary_from_result<kernels::Floor>("floor", std::move(x), ops::NoSecondDerivative());
}

Tensor ceil(Tensor x) {
  return ops::unary_from_result<kernels::Ceil>("ceil", std::move(x), ops::NoSecondDerivative());
}

Tensor round(Tensor x) {
  return ops::unary_from_result<kernels::Round>("round", std::move(x), ops::NoSecondDerivative());
}

Tensor trunc(Tensor x) {
  return ops::unary_from_result<kernels::Trunc>("trunc", std::move(x), ops::NoSecondDerivative());
}

Tensor fmod(const Tensor& a, const Tensor& b) {
  check_divisor("fmod", b);
  return record_remainder("fmod", ops::broadcast<kernels::Fmod, true>("fmod", a, b), a, b);
}

Tensor fmod(const Tensor& x, double s) {
  ops::check_floating("fmod", "x", x);
  return fmod(x, full({}, s, {.dtype = x.dtype()}));
}

Tensor remainder(const Tensor& a, const Tensor& b) {
  check_divisor("remainder", b);
  return record_remainder("remainder", ops::broadcast<kernels::Remainder, true>("remainder", a, b), a, b);
}

Tensor remainder(const Tensor& x, double s) {
  ops::check_floating("remainder", "x", x);
  return remainder(x, full({}, s, {.dtype = x.dtype()}));
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  static constexpr Extreme kOp = {"minimum", "minimum_grad", false,
                                  kernels::zip_loops<kernels::Share, 3, false>,
                                  kernels::zip_loops<kernels::Share, 3, false>};
  return extreme(kOp, ops::broadcast<kernels::Minimum, true>("minimum", a, b), a, b);
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  static constexpr Extreme kOp = {"maximum", "maximum_grad", true,
                                  kernels::zip_loops<kernels::Share, 3, false>,
                                  kernels::zip_loops<kernels::Share, 3, false>};
  return extreme(kOp, ops::broadcast<kernels::Maximum, true>("maximum", a, b), a, b);
}

Tensor clamp(Tensor x, const ClampOptions& options) {
  check(options.min || options.max, "clamp: it needs a lower bound, min, or an upper bound, max");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return ops::unary<kernels::Clamp>("clamp", std::move(x), ops::NoSecondDerivative(),
                                    options.min.value_or(-kInfinity), options.max.value_or(kInfinity));
}

Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) {
  check(min.defined() || max.defined(), "clamp: it needs a lower bound, min, or an upper bound, max");
  // At a bound, x gets dy and the bound nothing.
  static constexpr Extreme kFromBelow = {"clamp", "clamp_grad", true,
                                         kernels::zip_loops<kernels::UnlessLess, 3, false>,
                                         kernels::zip_loops<kernels::IfMore, 3, false>};
  static constexpr Extreme kFromAbove = {"clamp", "clamp_grad", false,
                                         kernels::zip_loops<kernels::UnlessLess, 3, false>,
                                         kernels::zip_loops<kernels::IfMore, 3, false>};
  Tensor y = x;
  if (min.defined()) y = extreme(kFromBelow, ops::broadcast<kernels::Maximum, true>("clamp", y, min), y, min);
  if (max.defined()) y = extreme(kFromAbove, ops::broadcast<kernels::Minimum, true>("clamp", y, max), y, max);
  return y;
}

}  // namespace adjoint
#endif
