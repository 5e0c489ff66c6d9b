#pragma once
// How ops call kernels: checks that many ops share, and elementwise kernels run in whichever layout the
// values have.

#include "adjoint/tensor/check.h"
#include "adjoint/tensor/tensor.h"
#include "autograd/ops/support/layout_policy.h"

namespace adjoint::ops {

/// Throws DTypeError unless x is float32 or float64.
inline void check_floating(const char* op, const char* argument, const Tensor& x) {
  check<DTypeError>(is_floating(x.dtype()), "{}: {} must be float32 or float64, it is {}", op, argument,
                    x.dtype());
}

/// Throws DTypeError unless a and b have the same dtype.
inline void check_same_dtype(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                             const Tensor& b) {
  check<DTypeError>(a.dtype() == b.dtype(), "{}: {} and {} must have the same dtype; {} is {}, {} is {}", op,
                    a_name, b_name, a_name, a.dtype(), b_name, b.dtype());
}

/// Throws ShapeError unless x has this many axes.
inline void check_rank(const char* op, const char* argument, const Tensor& x, int rank) {
  check_shape(x.rank() == rank, "{}: {} must have {} axes, it is {}", op, argument, rank, x.shape());
}

/// axis of x counted from 0. Throws ShapeError unless it is in [-x.rank(), x.rank()).
inline int checked_axis(const char* op, const Tensor& x, int axis) {
  check_shape(axis >= -x.rank() && axis < x.rank(), "{}: axis {} is out of range; x is {}", op, axis,
              x.shape());
  return axis < 0 ? axis + x.rank() : axis;
}

/// y = kernel(x) element by element, x floating; kernel is []<class T>(std::int64_t n, const T* x, T* y)
/// {...}.
template <class Kernel>
Values map(const Values& x, const Kernel& kernel) {
  const Layout layout = x.cheapest_layout();
  Values y(x.dtype(), x.shape(), layout);
  visit_floating(x.dtype(), [&]<class T>() {
    kernel(x.stored_elements(layout), x.in<T>(layout), y.template writable<T>());
  });
  return y;
}

/// y = kernel(a, b) element by element, both floating and of one shape and dtype;
/// kernel is []<class T>(std::int64_t n, const T* a, const T* b, T* y) {...}.
template <class Kernel>
Values map(const Values& a, const Values& b, const Kernel& kernel) {
  const Layout layout = common_layout(a, b);
  Values y(a.dtype(), a.shape(), layout);
  visit_floating(a.dtype(), [&]<class T>() {
    kernel(a.stored_elements(layout), a.in<T>(layout), b.in<T>(layout), y.template writable<T>());
  });
  return y;
}

// The same for an argument that an op takes by value and keeps no values of: when it is a temporary, which
// dies with the call, the result takes its memory. x itself must not be read any more.

template <class Kernel>
Values map(Tensor& x, const Kernel& kernel) {
  if (!x.is_unique()) return map(x.values(), kernel);
  Values y = x.values();
  visit_floating(y.dtype(), [&]<class T>() {
    T* values = y.template writable<T>();
    kernel(y.stored_elements(y.cheapest_layout()), static_cast<const T*>(values), values);
  });
  return y;
}

template <class Kernel>
Values map(Tensor& a, const Values& b, const Kernel& kernel) {
  if (!a.is_unique() || common_layout(a.values(), b) != a.values().cheapest_layout())
    return map(a.values(), b, kernel);
  Values y = a.values();
  visit_floating(y.dtype(), [&]<class T>() {
    T* values = y.template writable<T>();
    kernel(y.stored_elements(y.cheapest_layout()), static_cast<const T*>(values),
           b.in<T>(y.cheapest_layout()), values);
  });
  return y;
}

}  // namespace adjoint::ops
