// Losses that ask for a margin between scores or distances.

#include "adjoint/ops/activation.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/indexing.h"
#include "adjoint/ops/join.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/statistics.h"
#include "autograd/ops/loss/classes.h"
#include "autograd/ops/loss/reduction.h"

namespace adjoint {
namespace {

/// Throws unless target has this shape and each element is 1 or -1. Returns where it is 1.
Tensor is_positive(const char* op, const Tensor& target, const Shape& shape) {
  ops::check_number(op, "target", target);
  check_shape(target.shape() == shape, "{}: target must be {}, it is {}", op, shape, target.shape());
  visit_numbers(target.dtype(), [&]<class T>() {
    const T* t = target.values().row_major<T>();
    for (std::int64_t i = 0; i < target.numel(); ++i)
      check(t[i] == T(1) || t[i] == T(-1),
            "{}: each target must be 1 or -1, target[{}] is {} in row-major order", op, i, t[i]);
  });
  return target == 1;
}

Shape without_last(const Shape& shape) {
  return Shape(shape.sizes().first(static_cast<std::size_t>(shape.rank() - 1)));
}

Tensor distance(const Tensor& a, const Tensor& b, const TripletMarginOptions& options) {
  return norm(a - b + options.eps, -1, {.p = options.p});
}

}  // namespace

Tensor soft_margin_loss(const Tensor& x, const Tensor& target, const LossOptions& options) {
  ops::check_same("soft_margin_loss", "x", x, "target", target);
  return ops::reduce_losses("soft_margin_loss", options.reduction, softplus(-(target * x)));
}

Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, const HingeEmbeddingOptions& options) {
  const char* op = "hinge_embedding_loss";
  ops::check_floating(op, "x", x);
  const Tensor positive = is_positive(op, target, x.shape());
  return ops::reduce_losses(op, options.reduction, where(positive, x, relu(options.margin - x)));
}

Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                           const MarginRankingOptions& options) {
  const char* op = "margin_ranking_loss";
  ops::check_same(op, "x1", x1, "x2", x2);
  ops::check_same(op, "x1", x1, "target", target);
  return ops::reduce_losses(op, options.reduction, relu(options.margin - target * (x1 - x2)), "x1",
                            x1.shape());
}

Tensor multi_margin_loss(const Tensor& x, const Tensor& target, const MultiMarginOptions& options) {
  const char* op = "multi_margin_loss";
  check_shape(x.rank() == 1 || x.rank() == 2, "{}: x must be [N,K] or [K], it is {}", op, x.shape());
  check(options.p == 1 || options.p == 2, "{}: p must be 1 or 2, it is {}", op, options.p);
  const ops::Classes classes = ops::classes_of(op, "x", x, target, nullptr);
  ops::check_class_weight(op, "x", x, classes.axis, options.weight);
  const std::int64_t count = x.size(classes.axis);
  const Tensor missing = relu(x - unsqueeze(ops::at_classes(x, classes), classes.axis) + options.margin);
  const Tensor others = where(one_hot(classes.index, count) == 1, 0, missing);
  Tensor losses = sum(options.p == 1 ? others : square(others), classes.axis) / static_cast<double>(count);
  if (options.weight.defined()) losses = losses * ops::row_weights(options.weight, classes);
  return ops::reduce_losses(op, options.reduction, losses, "x", x.shape());
}

Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, const CosineSimilarityOptions& options) {
  const char* op = "cosine_similarity";
  ops::check_floating(op, "x1", x1);
  ops::check_same_dtype(op, "x1", x1, "x2", x2);
  check(options.eps > 0, "{}: eps must be positive, it is {}", op, options.eps);
  const Shape shape = broadcast_shape(op, x1.shape(), x2.shape());
  const Tensor a = broadcast_to(x1, shape), b = broadcast_to(x2, shape);
  const int axis = ops::checked_axis(op, a, options.axis);
  const auto unit = [&](const Tensor& x) {
    const Tensor size = norm(x, axis, {.keepdim = true});
    return x / where(size < options.eps, options.eps, size);  // Each by its own: eps^2 may be 0 in float32.
  };
  return sum(unit(a) * unit(b), axis);
}

Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                             const CosineEmbeddingOptions& options) {
  const char* op = "cosine_embedding_loss";
  ops::check_same(op, "x1", x1, "x2", x2);
  check_shape(x1.rank() == 1 || x1.rank() == 2, "{}: x1 must be [N,D] or [D], it is {}", op, x1.shape());
  const Tensor positive = is_positive(op, target, without_last(x1.shape()));
  const Tensor cosine = cosine_similarity(x1, x2, {.axis = -1});
  return ops::reduce_losses(op, options.reduction, where(positive, 1 - cosine, relu(cosine - options.margin)),
                            "x1", x1.shape());
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginOptions& options) {
  const char* op = "triplet_margin_loss";
  ops::check_same(op, "anchor", anchor, "positive", positive);
  ops::check_same(op, "anchor", anchor, "negative", negative);
  check_shape(anchor.rank() > 0, "{}: anchor must be [...,D], it is []", op);
  const Tensor near = distance(anchor, positive, options);
  Tensor far = distance(anchor, negative, options);
  if (options.swap) far = min(stack({far, distance(positive, negative, options)}, 0), 0);
  return ops::reduce_losses(op, options.reduction, relu(near - far + options.margin), "anchor",
                            anchor.shape());
}

}  // namespace adjoint
