#pragma once
// From the losses of elements or rows to the result of a loss.

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/loss.h"
#include "adjoint/ops/reduce.h"
#include "autograd/ops/support/checks.h"

namespace adjoint::ops {

/// What the sum of losses of this shape is divided by; reduction is not `none`. Throws ShapeError when it is
/// 0; the message shows the argument `name` with its shape.
inline double loss_divisor(const char* op, Reduction reduction, const Shape& losses, const char* name,
                           const Shape& shape) {
  if (reduction == Reduction::sum) return 1;
  const bool by_batch = reduction == Reduction::batch_mean;
  check_shape(!by_batch || losses.rank() > 0, "{}: Reduction::batch_mean needs a batch axis, {} is {}", op,
              name, shape);
  const std::int64_t count = by_batch ? losses[0] : losses.numel();
  check_shape(count > 0, "{}: the mean over nothing is undefined, {} is {}; Reduction::sum gives 0", op, name,
              shape);
  return static_cast<double>(count);
}

inline Tensor reduce_losses(const char* op, Reduction reduction, const Tensor& losses, const char* name,
                            const Shape& shape) {
  if (reduction == Reduction::none) return losses;
  const double divisor = loss_divisor(op, reduction, losses.shape(), name, shape);
  return divisor == 1 ? sum(losses) : sum(losses) / divisor;
}
/// The same for losses with the shape of the argument x.
inline Tensor reduce_losses(const char* op, Reduction reduction, const Tensor& losses) {
  return reduce_losses(op, reduction, losses, "x", losses.shape());
}

/// Throws unless a is floating and b has its dtype and shape.
inline void check_same(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                       const Tensor& b) {
  check_floating(op, a_name, a);
  check_same_dtype(op, a_name, a, b_name, b);
  check_shape(a.shape() == b.shape(), "{}: {} and {} must have the same shape; {} is {}, {} is {}", op,
              a_name, b_name, a_name, a.shape(), b_name, b.shape());
}

/// losses times a weight that is broadcast to them; an undefined weight is 1.
inline Tensor weighted(const char* op, const Tensor& losses, const char* name, const Tensor& weight) {
  if (!weight.defined()) return losses;
  check_same_dtype(op, "x", losses, name, weight);
  check_shape(broadcast_shape(op, losses.shape(), weight.shape()) == losses.shape(),
              "{}: {} must broadcast to the shape of x {}, it is {}", op, name, losses.shape(),
              weight.shape());
  return losses * weight;
}

/// The cross-entropy of softmax in one pass, for logits [N,K] and a target that have been checked; reduction
/// is not `none`.
Tensor fused_cross_entropy(const char* op, const Tensor& logits, const Tensor& target, Reduction reduction);

}  // namespace adjoint::ops
