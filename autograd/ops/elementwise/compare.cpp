#include "adjoint/ops/compare.h"

#include <cmath>
#include <limits>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/elementwise/compare.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

using kernels::Comparison;

/// s with x's dtype.
Tensor number_like(const char* op, const Tensor& x, double s) {
  if (x.dtype() == DType::int64) {
    check(fits_int64(s) && s == std::trunc(s),
          "{}: x is int64, so the number must be whole and fit into int64, it is {}; to() converts x", op, s);
  }
  if (x.dtype() == DType::boolean)
    check(s == 0 || s == 1, "{}: x is boolean, so the number must be 0 or 1, it is {}", op, s);
  return full({}, s, {.dtype = x.dtype()});
}

/// y = a op b, or b op a if swapped.
Tensor compare(const char* op, Comparison comparison, const Tensor& a, const Tensor& b,
               bool swapped = false) {
  ops::check_same_dtype(op, "a", a, "b", b);
  Values y(DType::boolean, broadcast_shape(op, a.shape(), b.shape()));
  const Values &left = (swapped ? b : a).values(), &right = (swapped ? a : b).values();
  visit(a.dtype(), [&]<class T>() {
    kernels::compare(comparison, left.shape(), left.row_major<T>(), right.shape(), right.row_major<T>(),
                     y.shape(), y.writable<bool>());
  });
  return Tensor(std::move(y));
}

Tensor as_boolean(const Tensor& x) { return x.dtype() == DType::boolean ? x : x.detach().to(DType::boolean); }

Tensor combine(const char* op, kernels::Logical logical, const Tensor& a_numbers, const Tensor& b_numbers) {
  const Tensor a = as_boolean(a_numbers), b = as_boolean(b_numbers);
  Values y(DType::boolean, broadcast_shape(op, a.shape(), b.shape()));
  kernels::combine(logical, a.shape(), a.values().row_major<bool>(), b.shape(), b.values().row_major<bool>(),
                   y.shape(), y.writable<bool>());
  return Tensor(std::move(y));
}

}  // namespace

Tensor equal(const Tensor& a, const Tensor& b) { return compare("equal", Comparison::equal, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) {
  return compare("not_equal", Comparison::not_equal, a, b);
}
Tensor less(const Tensor& a, const Tensor& b) { return compare("less", Comparison::less, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return compare("less_equal", Comparison::less_equal, a, b);
}
Tensor greater(const Tensor& a, const Tensor& b) {
  return compare("greater", Comparison::less, a, b, /*swapped=*/true);
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return compare("greater_equal", Comparison::less_equal, a, b, /*swapped=*/true);
}

Tensor equal(const Tensor& x, double s) { return equal(x, number_like("equal", x, s)); }
Tensor not_equal(const Tensor& x, double s) { return not_equal(x, number_like("not_equal", x, s)); }
Tensor less(const Tensor& x, double s) { return less(x, number_like("less", x, s)); }
Tensor less_equal(const Tensor& x, double s) { return less_equal(x, number_like("less_equal", x, s)); }
Tensor greater(const Tensor& x, double s) { return greater(x, number_like("greater", x, s)); }
Tensor greater_equal(const Tensor& x, double s) {
  return greater_equal(x, number_like("greater_equal", x, s));
}

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return combine("logical_and", kernels::Logical::conjunction, a, b);
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return combine("logical_or", kernels::Logical::disjunction, a, b);
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return compare("logical_xor", Comparison::not_equal, as_boolean(a), as_boolean(b));
}
Tensor logical_not(const Tensor& x) { return equal(as_boolean(x), 0); }

Tensor isnan(const Tensor& x) { return not_equal(x, x); }
Tensor isinf(const Tensor& x) {
  if (!is_floating(x.dtype())) return zeros(x.shape(), {.dtype = DType::boolean});
  return equal(abs(x.detach()), std::numeric_limits<double>::infinity());
}
Tensor isfinite(const Tensor& x) {
  if (!is_floating(x.dtype())) return ones(x.shape(), {.dtype = DType::boolean});
  return less(abs(x.detach()), std::numeric_limits<double>::infinity());
}

Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b) {
  check<DTypeError>(mask.dtype() == DType::boolean, "where: mask must be boolean, it is {}; write mask != 0",
                    mask.dtype());
  ops::check_same_dtype("where", "a", a, "b", b);
  const Shape of_values = broadcast_shape("where", a.shape(), b.shape());
  Values y(a.dtype(), broadcast_shape("where", mask.shape(), of_values));
  visit(a.dtype(), [&]<class T>() {
    kernels::where(mask.shape(), mask.values().row_major<bool>(), a.shape(), a.values().row_major<T>(),
                   b.shape(), b.values().row_major<T>(), y.shape(), y.writable<T>());
  });
  return record("where", std::move(y), {mask, a, b},
                [mask = Saved(mask), as = a.shape(), bs = b.shape()](const Tensor& dy, Needs needs) -> Grads {
                  return {Tensor{}, needs[1] ? sum_to(where(mask, dy, 0), as) : Tensor{},
                          needs[2] ? sum_to(where(mask, 0, dy), bs) : Tensor{}};
                });
}

Tensor where(const Tensor& mask, const Tensor& a, double b) {
  return where(mask, a, number_like("where", a, b));
}
Tensor where(const Tensor& mask, double a, const Tensor& b) {
  return where(mask, number_like("where", b, a), b);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double s) {
  check<DTypeError>(mask.dtype() == DType::boolean,
                    "masked_fill: mask must be boolean, it is {}; write mask != 0", mask.dtype());
  check_shape(broadcast_shape("masked_fill", x.shape(), mask.shape()) == x.shape(),
              "masked_fill: mask must broadcast to x's shape; x is {}, mask is {}", x.shape(), mask.shape());
  return where(mask, number_like("masked_fill", x, s), x);
}

Tensor nan_to_num(const Tensor& x, const NanToNumOptions& options) {
  ops::check_floating("nan_to_num", "x", x);
  const double largest =
      x.dtype() == DType::float32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  const Tensor finite_or_nan =
      where(isinf(x),
            where(x > 0, full({}, options.posinf.value_or(largest), {.dtype = x.dtype()}),
                  full({}, options.neginf.value_or(-largest), {.dtype = x.dtype()})),
            x);
  return where(isnan(x), options.nan, finite_or_nan);
}

}  // namespace adjoint
