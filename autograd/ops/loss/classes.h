#pragma once
// Targets that are classes.

#include <cstdint>

#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

/// The classes of the rows of x, whose axis `axis` counts classes.
struct Classes {
  int axis;
  Tensor index;    ///< A class in [0, K) for each row; 0 in rows to ignore.
  Tensor ignored;  ///< Boolean; undefined if no row is ignored.
};

/// The axis of x [N,K,...] or [K] that counts classes. Throws ShapeError when it has none.
int class_axis(const char* op, const char* name, const Tensor& x);
/// Throws unless target has a class of x for each row, or, if given, the class to ignore.
Classes classes_of(const char* op, const char* name, const Tensor& x, const Tensor& target,
                   const std::int64_t* ignore_index);

/// x at the class of each row.
Tensor at_classes(const Tensor& x, const Classes& classes);
/// weight [K] at the class of each row; undefined if weight is.
Tensor row_weights(const Tensor& weight, const Classes& classes);
/// Throws unless weight is undefined, or fits x's classes and dtype.
void check_class_weight(const char* op, const char* name, const Tensor& x, int axis, const Tensor& weight);

}  // namespace adjoint::ops
