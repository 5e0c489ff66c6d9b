#pragma once
// Sums, differences, products, quotients, remainders and bounds, with NumPy's broadcasting: shapes are
// aligned at their last axes, and an axis that is missing or has size 1 in one argument is repeated to fit
// the other.
//
// All of these throw ShapeError when the shapes do not broadcast, and DTypeError when the dtypes differ.
// float32 and float64 are differentiable; int64 is not. div and the forms with numbers take only
// float32 and float64.
//
// Every floating result follows IEEE 754: it is rounded once, and zeros have the right sign. A number s is
// first rounded to x's dtype. int64 wraps around in two's complement, as in NumPy and PyTorch.

#include <optional>
#include <utility>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = a + b, element by element.
Tensor add(const Tensor& a, const Tensor& b);
/// y = a - b.
Tensor sub(const Tensor& a, const Tensor& b);
/// y = a b.
Tensor mul(const Tensor& a, const Tensor& b);
/// y = a / b.
Tensor div(const Tensor& a, const Tensor& b);
/// y = -x, in x's memory when it is a temporary.
Tensor neg(Tensor x);

/// y = x + s, in x's memory when it is a temporary.
Tensor add(Tensor x, double s);
/// y = s x, in x's memory when it is a temporary.
Tensor mul(Tensor x, double s);
/// y = x / s, in x's memory when it is a temporary.
Tensor div(Tensor x, double s);
/// y = s / x.
Tensor div(double s, const Tensor& x);

// Remainders of a division. For int64, they throw where b contains 0.

/// y = a - trunc(a / b) b, exactly: it has the sign of a.   da = dy, db = -dy trunc(a / b). For floating
/// dtypes, NaN where b = 0 or a is infinite. int64, too.
Tensor fmod(const Tensor& a, const Tensor& b);
Tensor fmod(const Tensor& x, double s);
/// y = a - floor(a / b) b: it has the sign of b.   da = dy, db = -dy floor(a / b). int64, too.
Tensor remainder(const Tensor& a, const Tensor& b);
Tensor remainder(const Tensor& x, double s);

/// y = the smaller of a and b, NaN where either is.   The smaller one gets dy, and each of two equal ones
/// dy / 2; both get dy where one is NaN. int64, too.
Tensor minimum(const Tensor& a, const Tensor& b);
/// y = the larger of a and b, otherwise as minimum.
Tensor maximum(const Tensor& a, const Tensor& b);

struct ClampOptions {
  std::optional<double> min = {}, max = {};  ///< The bounds; at least one.
};
/// y = min(max(x, min), max), so max where min > max; NaN where x is NaN, and everywhere if a bound is.
/// dx = dy where min <= x <= max or x is NaN, and 0 elsewhere. Throws Error without a bound.
Tensor clamp(Tensor x, const ClampOptions& options);
/// The same with a bound for every element. The shapes broadcast; one bound may be undefined, Tensor{}. A
/// bound gets dy where it is the result and x is not. int64, too.
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max);

/// y = a + weight (b - a), exactly a where weight is 0 and b where it is 1. Floating dtypes only; the shapes
/// broadcast.   da = dy (1 - weight), db = dy weight, dweight = dy (b - a).
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);
Tensor lerp(const Tensor& a, const Tensor& b, double weight);

struct AddcmulOptions {
  double value = 1;
};
/// y = x + value a b. Floating dtypes only; the shapes broadcast.   dx = dy, da = dy value b, db = dy value
/// a.
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const AddcmulOptions& options = {});

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(Tensor x) { return neg(std::move(x)); }

inline Tensor operator+(Tensor x, double s) { return add(std::move(x), s); }
inline Tensor operator+(double s, Tensor x) { return add(std::move(x), s); }
inline Tensor operator-(Tensor x, double s) { return add(std::move(x), -s); }
inline Tensor operator-(double s, Tensor x) { return add(neg(std::move(x)), s); }
inline Tensor operator*(Tensor x, double s) { return mul(std::move(x), s); }
inline Tensor operator*(double s, Tensor x) { return mul(std::move(x), s); }
inline Tensor operator/(Tensor x, double s) { return div(std::move(x), s); }
inline Tensor operator/(double s, const Tensor& x) { return div(s, x); }

/// The shape that a and b broadcast to. Throws ShapeError, naming op, when they do not fit.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

}  // namespace adjoint
