#pragma once
// What every function of one number is tested for.

#include <functional>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/shape.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint::support {

/// y = f(x) and where x is drawn from for its values, and for its gradients (clear of kinks).
struct UnaryCase {
  const char* name;
  std::function<Tensor(const Tensor&)> op;
  double (*f)(double);
  double low, high;
  double gradient_low, gradient_high;
};

inline std::vector<double> apply(double (*f)(double), std::vector<double> numbers) {
  for (double& number : numbers) number = f(number);
  return numbers;
}

/// Values against f in every floating dtype and both layouts, gradients, an error on int64.
inline void check_unary(const UnaryCase& c) {
  SCOPED_TRACE(c.name);
  Rng rng(1);
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{3, 5}, Shape{17, 3, 1, 2}, Shape{1031}}) {
      const Tensor x = random_tensor(shape, rng, c.low, c.high, dtype);
      const Tensor y = c.op(x), from_interleaved = c.op(as_interleaved(x));
      EXPECT_EQ(y.dtype(), dtype);
      EXPECT_EQ(y.shape(), shape);
      expect_close(y, apply(c.f, numbers(x)), tolerance_of(dtype));
      EXPECT_EQ(from_interleaved.values().has(Layout::row_major), shape.rank() == 0);
      expect_close(from_interleaved, y, 0);
    }
  }
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 5}, Shape{0, 2}, Shape{9, 2}}) {
    const Tensor x = random_tensor(shape, rng, c.gradient_low, c.gradient_high);
    expect_gradients([&](auto in) { return c.op(in[0]); }, {x});
    expect_gradients([&](auto in) { return as_interleaved(c.op(as_interleaved(in[0]))); }, {x});
  }
  expect_error<DTypeError>(std::string(c.name) + ": x must be float32 or float64, it is int64",
                           [&] { c.op(zeros({2}, {.dtype = int64})); });
}

/// Values and slopes of op at these x, exactly, in both dtypes.
inline void expect_table(std::function<Tensor(const Tensor&)> op, const std::vector<double>& x,
                         const std::vector<double>& y, const std::vector<double>& slope) {
  for (const DType dtype : {float32, float64}) {
    const Shape shape{static_cast<std::int64_t>(x.size())};
    const Tensor at = from_data(std::span(x), shape).to(dtype).set_requires_grad();
    const Tensor result = op(at);
    expect_close(result, y, tolerance_of(dtype));
    expect_close(grad(result, at, {.gradient = ones(shape, {.dtype = dtype})}), slope, tolerance_of(dtype));
  }
}

/// Where x is NaN, of either sign, the gradient of op is dy itself: on every instruction set, in both dtypes
/// and both layouts, in whole vectors and at their ends.
inline void expect_gradient_at_nan(const std::function<Tensor(const Tensor&)>& op) {
  for_each_instruction_set([&] {
    for (const DType dtype : {float32, float64}) {
      const Tensor dy = arange(19, {.dtype = dtype}) - 9;
      for (const double sign : {1, -1}) {
        const Tensor leaf = full({19, 1}, std::copysign(NAN, sign), {.dtype = dtype, .requires_grad = true});
        for (const bool interleaved : {false, true}) {
          const Tensor y = op(interleaved ? as_interleaved(leaf) : leaf);
          for (const double value : numbers(y)) ASSERT_TRUE(std::isnan(value));
          const Tensor gradient = reshape(dy, {19, 1});
          expect_close(grad(y, leaf, {.gradient = interleaved ? as_interleaved(gradient) : gradient}),
                       numbers(dy), 0);
        }
      }
    }
  });
}

}  // namespace adjoint::support
