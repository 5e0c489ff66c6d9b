#pragma once
// Functions of one number, applied to every element, and a few of two numbers. They take float32 and float64,
// and throw DTypeError on int64, but sign takes int64, too. Special values follow <cmath>, NaN gives NaN, and
// the results are within a few units in the last place. Functions that take x by value compute in its memory
// if it is a temporary, unless the gradient reads x.
//
// Outside of a function's domain, where its value is NaN, the gradient is what its formula gives, which may
// be a number. Functions with jumps have the gradient 0 everywhere.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = e^x.   dx = dy y.
Tensor exp(Tensor x);
/// y = 2^x.   dx = dy y ln 2.
Tensor exp2(Tensor x);
/// y = e^x - 1, exact to the last digits near 0.   dx = dy (y + 1).
Tensor expm1(Tensor x);
/// y = ln x.   dx = dy / x.
Tensor log(Tensor x);
/// y = log x to the base 2.   dx = dy / (x ln 2).
Tensor log2(Tensor x);
/// y = log x to the base 10.   dx = dy / (x ln 10).
Tensor log10(Tensor x);
/// y = ln(1 + x), exact to the last digits near 0.   dx = dy / (1 + x), infinite at -1, as the slope is.
Tensor log1p(Tensor x);

/// y = sqrt(x).   dx = dy / (2 y), infinite at x = 0, as the slope is, but NaN if dy is 0 there.
Tensor sqrt(Tensor x);
/// y = 1 / sqrt(x).   dx = -dy y^3 / 2, -infinity at x = 0.
Tensor rsqrt(Tensor x);
/// y = x x.   dx = 2 dy x.
Tensor square(Tensor x);
/// y = 1 / x.   dx = -dy y^2, -infinity at x = 0.
Tensor reciprocal(Tensor x);
/// y = |x|.   dx = dy sign(x), 0 at x = 0, dy where x is NaN.
Tensor abs(Tensor x);

/// y = 2 / sqrt(pi) times the integral of e^-t^2 over t from 0 to x.   dx = dy 2 / sqrt(pi) e^-x^2.
Tensor erf(Tensor x);
/// y = 1 - erf(x), without loss of digits for large x.   dx = -dy 2 / sqrt(pi) e^-x^2.
Tensor erfc(Tensor x);

/// y = sin(x), x in radians and of any size.   dx = dy cos(x).
Tensor sin(Tensor x);
/// y = cos(x).   dx = -dy sin(x).
Tensor cos(Tensor x);
/// y = tan(x).   dx = dy (1 + y^2).
Tensor tan(Tensor x);
/// y = arcsin(x), in [-pi/2, pi/2].   dx = dy / sqrt(1 - x^2), infinite at x = 1 and -1.
Tensor asin(Tensor x);
/// y = arccos(x), in [0, pi].   dx = -dy / sqrt(1 - x^2), -infinity at x = 1 and -1.
Tensor acos(Tensor x);
/// y = arctan(x), in [-pi/2, pi/2].   dx = dy / (1 + x^2).
Tensor atan(Tensor x);
/// y = (e^x - e^-x) / 2.   dx = dy cosh(x).
Tensor sinh(Tensor x);
/// y = (e^x + e^-x) / 2.   dx = dy sinh(x).
Tensor cosh(Tensor x);
/// The inverse of sinh.   dx = dy / sqrt(x^2 + 1).
Tensor asinh(Tensor x);
/// The inverse of cosh, for x >= 1.   dx = dy / sqrt(x^2 - 1), infinite at x = 1.
Tensor acosh(Tensor x);
/// The inverse of tanh, for x in [-1, 1].   dx = dy / (1 - x^2), infinite at x = 1 and -1.
Tensor atanh(Tensor x);

/// y = -1, 0 or 1 as x is negative, zero (of either sign) or positive; NaN where x is NaN (PyTorch has 0).
/// int64, too.   dx = 0.
Tensor sign(Tensor x);
/// y = the largest whole number that is not larger than x.   dx = 0.
Tensor floor(Tensor x);
/// y = the smallest whole number that is not smaller than x.   dx = 0.
Tensor ceil(Tensor x);
/// y = the nearest whole number, and the even one of two that are equally near.   dx = 0.
Tensor round(Tensor x);
/// y = x without its fraction.   dx = 0.
Tensor trunc(Tensor x);

/// y = x^p.   dx = dy p x^(p-1), 0 everywhere when p = 0.
Tensor pow(const Tensor& x, double p);

// Functions of two numbers, with broadcasting, see arithmetic.h. They throw ShapeError when the shapes do not
// fit and DTypeError unless both arguments have one floating dtype.

/// y = a^b.   da = dy b a^(b-1), 0 where a = 0 and b = 0;   db = dy y ln a, 0 where a = 0 and b >= 0.
Tensor pow(const Tensor& a, const Tensor& b);
/// y = a ln b, and 0 where a = 0, unless b is NaN.   da = dy ln b, 0 where a = 0 and b <= 0;   db = dy a / b,
/// 0 where a = 0 and b = 0 (PyTorch has NaN).
Tensor xlogy(const Tensor& a, const Tensor& b);
/// y = the angle of the point (b, a), in [-pi, pi]: arctan(a / b) where b > 0.   da = dy b / (a^2 + b^2);
/// db = -dy a / (a^2 + b^2). Both are 0 where a = b = 0 (PyTorch has NaN).
Tensor atan2(const Tensor& a, const Tensor& b);
/// y = sqrt(a^2 + b^2), without overflow.   da = dy a / y, db = dy b / y. Both are 0 where a = b = 0 (PyTorch
/// has NaN).
Tensor hypot(const Tensor& a, const Tensor& b);

}  // namespace adjoint
