#include "autograd/ops/loss/classes.h"

#include "adjoint/ops/indexing.h"
#include "adjoint/ops/shape.h"
#include "autograd/ops/support/checks.h"

namespace adjoint::ops {
namespace {

Shape without(const Shape& shape, int axis) {
  std::int64_t sizes[Shape::kMaxRank];
  std::size_t rank = 0;
  for (int i = 0; i < shape.rank(); ++i)
    if (i != axis) sizes[rank++] = shape[i];
  return Shape(std::span<const std::int64_t>(sizes, rank));
}

}  // namespace

int class_axis(const char* op, const char* name, const Tensor& x) {
  check_floating(op, name, x);
  check_shape(x.rank() > 0, "{}: {} must be [N,K,...] or [K], it is {}", op, name, x.shape());
  const int axis = x.rank() == 1 ? 0 : 1;
  check_shape(x.size(axis) > 0, "{}: {} must have at least one class, it is {}", op, name, x.shape());
  return axis;
}

Classes classes_of(const char* op, const char* name, const Tensor& x, const Tensor& target,
                   const std::int64_t* ignore_index) {
  const int axis = class_axis(op, name, x);
  const Shape rows = without(x.shape(), axis);
  check<DTypeError>(target.dtype() == DType::int64, "{}: target must be int64 classes, it is {}", op,
                    target.dtype());
  check_shape(target.shape() == rows, "{}: target classes must be {}, one for each row of {} {}, it is {}",
              op, rows, name, x.shape(), target.shape());
  const std::int64_t classes = x.size(axis), *given = target.values().row_major<std::int64_t>();
  bool any_ignored = false;
  for (std::int64_t n = 0; n < rows.numel(); ++n) {
    const bool ignored = ignore_index != nullptr && given[n] == *ignore_index;
    any_ignored = any_ignored || ignored;
    check(ignored || (given[n] >= 0 && given[n] < classes),
          "{}: target[{}] is class {}, {} {} have classes 0 to {}", op, n, given[n], name, x.shape(),
          classes - 1);
  }
  if (!any_ignored) return {axis, target, {}};
  Values index(DType::int64, rows), ignored(DType::boolean, rows);
  auto* indices = index.writable<std::int64_t>();
  bool* mask = ignored.writable<bool>();
  for (std::int64_t n = 0; n < rows.numel(); ++n) {
    mask[n] = given[n] == *ignore_index;
    indices[n] = mask[n] ? 0 : given[n];
  }
  return {axis, Tensor(std::move(index)), Tensor(std::move(ignored))};
}

Tensor at_classes(const Tensor& x, const Classes& classes) {
  return squeeze(gather(x, classes.axis, unsqueeze(classes.index, classes.axis)), classes.axis);
}

Tensor row_weights(const Tensor& weight, const Classes& classes) {
  if (!weight.defined()) return {};
  const Shape& rows = classes.index.shape();
  return reshape(index_select(weight, 0, reshape(classes.index, {rows.numel()})), rows);
}

void check_class_weight(const char* op, const char* name, const Tensor& x, int axis, const Tensor& weight) {
  if (!weight.defined()) return;
  check_same_dtype(op, name, x, "weight", weight);
  check_shape(weight.shape() == Shape{x.size(axis)},
              "{}: weight must be [{}], one for each class of {} {}, it is {}", op, x.size(axis), name,
              x.shape(), weight.shape());
}

}  // namespace adjoint::ops
