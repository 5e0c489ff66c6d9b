#pragma once
// Functions of one number, applied to every element, and powers. They take float32 and float64, and throw
// DTypeError on int64. Special values follow <cmath>. Functions that take x by value compute in its memory if
// it is a temporary, unless the gradient reads x.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = e^x.
Tensor exp(Tensor x);
/// y = ln x.   dx = dy / x.
Tensor log(const Tensor& x);
/// y = sqrt(x).   dx = dy / (2 y), infinite at x = 0, as the slope is, but NaN if dy is 0 there.
Tensor sqrt(Tensor x);
/// y = x x.
Tensor square(const Tensor& x);
/// y = |x|.   dx = dy sign(x), 0 at x = 0, dy where x is NaN.
Tensor abs(Tensor x);

/// y = x^p.   dx = dy p x^(p-1), 0 everywhere when p = 0.
Tensor pow(const Tensor& x, double p);
/// y = a^b with broadcasting, see arithmetic.h. Throws ShapeError when the shapes do not fit and DTypeError
/// unless both have one floating dtype.
/// da = dy b a^(b-1), 0 where a = 0 and b = 0;   db = dy y ln a, 0 where a = 0 and b >= 0.
Tensor pow(const Tensor& a, const Tensor& b);

}  // namespace adjoint
