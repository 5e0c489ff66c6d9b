#pragma once
// Functions of two row-major arrays with NumPy's broadcasting: shapes are aligned at their last axes, and an
// axis that is missing or of size 1 is repeated to fit. The caller checks that every argument's shape
// broadcasts to y_shape. The gradient of broadcasting is sum_to in reduce.h.

#include <cstdint>

#include "adjoint/tensor/shape.h"
#include "autograd/kernels/elementwise/map.h"

namespace adjoint::kernels {

// T is float, double, std::int64_t or bool. y must not overlap an argument that is repeated. It may be the
// same array as an argument with the shape y_shape.

/// y[y_shape] = x, repeated.
template <class T>
void broadcast_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y);

/// An argument of a function of rows. The distance to the next element of a row is `step` (0 or 1), and that
/// to the next row is row_step.
template <class T>
struct RowOperand {
  const T* values;
  std::int64_t step, row_step;
};

/// Computes y[rows,n] from rows of n elements.
template <class T, class Y = T>
using RowFunction = void (*)(std::int64_t rows, std::int64_t n, RowOperand<T> a, RowOperand<T> b, Y* y);

/// y[y_shape] = f(a, b) row by row. work is the cost of one element, counted as for parallel_for. Y is T or
/// bool.
template <class T, class Y>
void broadcast_rows(RowFunction<T, Y> f, std::int64_t work, const Shape& a_shape, const T* a,
                    const Shape& b_shape, const T* b, const Shape& y_shape, Y* y);

/// y[y_shape] = F's value at a and b.
template <class F, class T>
void broadcast(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape,
               T* y) {
  if (a_shape == y_shape && b_shape == y_shape) return zip<F>(y_shape.numel(), a, b, y);
  const auto loop = best<Loops, T>([]<class L>(L) {
    return Loop{L::template zip_rows<F>, L::template kWork<F>};
  });
  broadcast_rows<T, T>(loop.call, loop.work, a_shape, a, b_shape, b, y_shape, y);
}

}  // namespace adjoint::kernels
