#pragma once
// What every broadcasting op of two arguments is tested for.

#include <string>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "tests/support/expect_close.h"
#include "tests/support/naive/broadcast.h"
#include "tests/support/random_values.h"

namespace adjoint::support {

/// y = f(a, b), its slopes, and where the arguments are drawn from.
struct BinaryCase {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&);
  double (*f)(double, double);
  double (*df_da)(double, double);
  double (*df_db)(double, double);
  double low, high;
};

/// Values and gradients of one call agree with plain loops.
inline void expect_broadcast(const BinaryCase& c, const Tensor& a, const Tensor& b, const Shape& y_shape,
                             const Tensor& dy) {
  const std::vector<double> as = numbers(a), bs = numbers(b), dys = numbers(dy);
  std::vector<double> y(dys.size()), da(as.size()), db(bs.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t ia = source_of(i, y_shape, a.shape()), ib = source_of(i, y_shape, b.shape());
    y[i] = c.f(as[ia], bs[ib]);
    da[ia] += dys[i] * c.df_da(as[ia], bs[ib]);
    db[ib] += dys[i] * c.df_db(as[ia], bs[ib]);
  }
  const double tolerance = tolerance_of(a.dtype());
  const Tensor found = c.op(a, b);
  ASSERT_EQ(found.shape(), y_shape);
  expect_close(found, y, tolerance);
  const std::vector<Tensor> gradients = grad(found, {a, b}, {.gradient = dy});
  expect_close(gradients[0], da, 4 * tolerance);
  expect_close(gradients[1], db, 4 * tolerance);
}

/// All pairs of shapes that broadcast, with up to three axes of 0 to 3 elements, arguments and gradient in
/// either layout.
inline void check_all_shape_pairs(const BinaryCase& c) {
  Rng rng(1);
  const std::vector<Shape> shapes = all_shapes(3, {0, 1, 2, 3});
  int number = 0;
  for (const Shape& a_shape : shapes) {
    for (const Shape& b_shape : shapes) {
      if (!shapes_broadcast(a_shape, b_shape)) continue;
      const DType dtype = ++number % 2 == 0 ? float32 : float64;
      const Shape y_shape = common_shape(a_shape, b_shape);
      const Tensor a = random_tensor(a_shape, rng, c.low, c.high, dtype).set_requires_grad();
      const Tensor b = random_tensor(b_shape, rng, c.low, c.high, dtype).set_requires_grad();
      const Tensor dy = random_tensor(y_shape, rng, -1, 1, dtype);
      SCOPED_TRACE(std::string(c.name) + ": " + to_string(a_shape) + " and " + to_string(b_shape));
      expect_broadcast(c, a, b, y_shape, dy);
      const int in_which = number % 3;
      expect_broadcast(c, in_which != 0 ? as_interleaved(a) : a, in_which != 1 ? as_interleaved(b) : b,
                       y_shape, as_interleaved(dy));
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace adjoint::support
