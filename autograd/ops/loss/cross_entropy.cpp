#include "adjoint/ops/compare.h"
#include "adjoint/ops/loss.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/softmax.h"
#include "autograd/ops/loss/classes.h"
#include "autograd/ops/loss/reduction.h"

namespace adjoint {
namespace {

/// weight [K] as a factor for x, whose axis `axis` counts classes.
Tensor times_class_weight(const Tensor& x, int axis, const Tensor& weight) {
  if (!weight.defined()) return x;
  std::int64_t sizes[Shape::kMaxRank];
  std::fill_n(sizes, x.rank(), 1);
  sizes[axis] = weight.size(0);
  return x * reshape(weight, Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(x.rank()))));
}

/// losses, and an exact 0 in ignored rows. As `where` selects, not even an infinite gradient passes there.
Tensor without_ignored(const Tensor& losses, const Tensor& ignored) {
  return ignored.defined() ? where(ignored, 0, losses) : losses;
}

/// The reduction of the losses of rows with classes: the mean divides by the sum of their weights.
Tensor reduce_rows(const char* op, Reduction reduction, const Tensor& losses, const ops::Classes& classes,
                   const Tensor& weights, const char* name, const Shape& shape) {
  if (reduction != Reduction::mean || (!weights.defined() && !classes.ignored.defined()))
    return ops::reduce_losses(op, reduction, losses, name, shape);
  ops::loss_divisor(op, reduction, losses.shape(), name, shape);  // throws if there are no rows
  if (weights.defined()) return sum(losses) / sum(without_ignored(weights, classes.ignored));
  return sum(losses) / (static_cast<double>(losses.numel()) - count_nonzero(classes.ignored).item());
}

Tensor nll_rows(const Tensor& x, const ops::Classes& classes, const Tensor& weights) {
  const Tensor losses = -ops::at_classes(x, classes);
  return without_ignored(weights.defined() ? losses * weights : losses, classes.ignored);
}

Tensor of_classes(const char* op, const Tensor& logits, const Tensor& target,
                  const CrossEntropyOptions& options) {
  const ops::Classes classes = ops::classes_of(op, "logits", logits, target, &options.ignore_index);
  const bool plain = !options.weight.defined() && !classes.ignored.defined() && options.label_smoothing == 0;
  if (plain && logits.rank() == 2 && options.reduction != Reduction::none)
    return ops::fused_cross_entropy(op, logits, target, options.reduction);
  const Tensor& ignored = classes.ignored;
  // Ignored logits do not count, even if they are NaN.
  const Tensor x = ignored.defined() ? where(unsqueeze(ignored, classes.axis), 0, logits) : logits;
  const Tensor log_p = log_softmax(x, classes.axis);
  const Tensor weights = ops::row_weights(options.weight, classes);
  Tensor losses = nll_rows(log_p, classes, weights);
  if (const double e = options.label_smoothing; e != 0) {
    const Tensor all = sum(times_class_weight(log_p, classes.axis, options.weight), classes.axis);
    const double share = e / static_cast<double>(x.size(classes.axis));
    losses = losses * (1 - e) - without_ignored(all, ignored) * share;
  }
  return reduce_rows(op, options.reduction, losses, classes, weights, "logits", logits.shape());
}

Tensor of_probabilities(const char* op, int axis, const Tensor& logits, const Tensor& target,
                        const CrossEntropyOptions& options) {
  check<DTypeError>(target.dtype() == logits.dtype(),
                    "{}: target must be int64 classes or probabilities of logits' dtype {}, it is {}", op,
                    logits.dtype(), target.dtype());
  check_shape(target.shape() == logits.shape(),
              "{}: target probabilities must have the shape of logits {}, it is {}; class numbers are int64, "
              "target is {}",
              op, logits.shape(), target.shape(), target.dtype());
  const double e = options.label_smoothing;
  if (!options.weight.defined() && e == 0 && logits.rank() == 2 && options.reduction != Reduction::none)
    return ops::fused_cross_entropy(op, logits, target, options.reduction);
  const Tensor t = e == 0 ? target : target * (1 - e) + e / static_cast<double>(logits.size(axis));
  const Tensor log_p = log_softmax(logits, axis);
  const Tensor terms = t * where((t == 0) & isinf(log_p), 0, log_p);  // 0 times infinity counts as 0.
  const Tensor losses = -sum(times_class_weight(terms, axis, options.weight), axis);
  return ops::reduce_losses(op, options.reduction, losses, "logits", logits.shape());
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const char* op = "cross_entropy";
  const int axis = ops::class_axis(op, "logits", logits);
  ops::check_class_weight(op, "logits", logits, axis, options.weight);
  check(options.label_smoothing >= 0 && options.label_smoothing <= 1,
        "{}: label_smoothing must be in [0, 1], it is {}", op, options.label_smoothing);
  return target.dtype() == DType::int64 ? of_classes(op, logits, target, options)
                                        : of_probabilities(op, axis, logits, target, options);
}

Tensor nll_loss(const Tensor& x, const Tensor& target, const NllLossOptions& options) {
  const ops::Classes classes = ops::classes_of("nll_loss", "x", x, target, &options.ignore_index);
  ops::check_class_weight("nll_loss", "x", x, classes.axis, options.weight);
  const Tensor weights = ops::row_weights(options.weight, classes);
  return reduce_rows("nll_loss", options.reduction, nll_rows(x, classes, weights), classes, weights, "x",
                     x.shape());
}

}  // namespace adjoint
