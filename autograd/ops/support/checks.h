#pragma once
// Checks that many ops share.

#include "adjoint/tensor/check.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

/// Throws DTypeError unless x is float32 or float64.
inline void check_floating(const char* op, const char* argument, const Tensor& x) {
  check<DTypeError>(is_floating(x.dtype()), "{}: {} must be float32 or float64, it is {}", op, argument,
                    x.dtype());
}

/// Throws DTypeError if x is boolean.
inline void check_number(const char*, const char*, const Tensor&) {}

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

}  // namespace adjoint::ops
