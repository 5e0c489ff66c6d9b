#pragma once
// Comparisons, whose results are boolean tensors, logic on these, and the selection of values by them.
//
// Shapes are broadcast as in arithmetic.h. All of these throw ShapeError when shapes do not broadcast, and
// DTypeError when two arguments that must have the same dtype do not. Booleans are constants: no gradient
// flows through a comparison. A number s is first rounded to x's dtype; for int64 it must be a whole number
// in [-2^63, 2^63), for boolean 0 or 1, otherwise Error is thrown. NaN is not equal to anything, and neither
// less nor greater.
//
// `a == b` is a tensor, not a bool: write `if (all(a == b).item() != 0)`.

#include <optional>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = a == b, element by element; a and b have the same dtype, y is boolean.
Tensor equal(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& x, double s);
/// y = a != b.
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& x, double s);
/// y = a < b.
Tensor less(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& x, double s);
/// y = a <= b.
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& x, double s);
/// y = a > b.
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& x, double s);
/// y = a >= b.
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& x, double s);

inline Tensor operator==(const Tensor& a, const Tensor& b) { return equal(a, b); }
inline Tensor operator==(const Tensor& x, double s) { return equal(x, s); }
inline Tensor operator==(double s, const Tensor& x) { return equal(x, s); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return not_equal(a, b); }
inline Tensor operator!=(const Tensor& x, double s) { return not_equal(x, s); }
inline Tensor operator!=(double s, const Tensor& x) { return not_equal(x, s); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return less(a, b); }
inline Tensor operator<(const Tensor& x, double s) { return less(x, s); }
inline Tensor operator<(double s, const Tensor& x) { return greater(x, s); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return less_equal(a, b); }
inline Tensor operator<=(const Tensor& x, double s) { return less_equal(x, s); }
inline Tensor operator<=(double s, const Tensor& x) { return greater_equal(x, s); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return greater(a, b); }
inline Tensor operator>(const Tensor& x, double s) { return greater(x, s); }
inline Tensor operator>(double s, const Tensor& x) { return less(x, s); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return greater_equal(a, b); }
inline Tensor operator>=(const Tensor& x, double s) { return greater_equal(x, s); }
inline Tensor operator>=(double s, const Tensor& x) { return less_equal(x, s); }

// Logic. Arguments of another dtype than boolean count as true where they are not 0.

/// y = a and b.
Tensor logical_and(const Tensor& a, const Tensor& b);
/// y = a or b.
Tensor logical_or(const Tensor& a, const Tensor& b);
/// y = either a or b.
Tensor logical_xor(const Tensor& a, const Tensor& b);
/// y = not x.
Tensor logical_not(const Tensor& x);

inline Tensor operator&(const Tensor& a, const Tensor& b) { return logical_and(a, b); }
inline Tensor operator|(const Tensor& a, const Tensor& b) { return logical_or(a, b); }
inline Tensor operator^(const Tensor& a, const Tensor& b) { return logical_xor(a, b); }
inline Tensor operator!(const Tensor& x) { return logical_not(x); }

/// y = x is NaN. False for int64 and boolean.
Tensor isnan(const Tensor& x);
/// y = x is infinite. False for int64 and boolean.
Tensor isinf(const Tensor& x);
/// y = x is neither NaN nor infinite. True for int64 and boolean.
Tensor isfinite(const Tensor& x);

/// y = mask ? a : b. mask is boolean; a and b have the same dtype, which may be any.
/// da = mask ? dy : 0,   db = mask ? 0 : dy. The gradient is an exact 0 where an argument is not selected,
/// whatever dy is there. But if a was computed as sqrt(x), then the gradient of sqrt may turn this 0 into NaN
/// (0 / 0 where x = 0): give sqrt a safe argument there, as in where(x > 0, sqrt(where(x > 0, x, 1)), 0).
Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b);
/// The same with a number, which takes the other argument's dtype.
Tensor where(const Tensor& mask, const Tensor& a, double b);
Tensor where(const Tensor& mask, double a, const Tensor& b);
/// y = mask ? s : x. mask must broadcast to x's shape.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double s);

struct NanToNumOptions {
  double nan = 0;                     ///< In place of NaN.
  std::optional<double> posinf = {};  ///< In place of infinity; the default is the dtype's largest number.
  std::optional<double> neginf = {};  ///< In place of -infinity; the default is the dtype's lowest number.
};
/// y = x with other numbers in place of NaN and infinities. dx = dy where x is finite, else 0. Floating
/// dtypes only.
Tensor nan_to_num(const Tensor& x, const NanToNumOptions& options = {});

}  // namespace adjoint
