#include "autograd/ops/indexing/elements.h"

#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/indexing.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/indexing/elements.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/ops/indexing/rows.h"
#include "autograd/ops/shape/box.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

kernels::IndexedElements elements_of(const Shape& whole, int axis, const Tensor& index, std::int64_t skip) {
  return {whole, index.shape(), axis, index.values().row_major<std::int64_t>(), skip};
}

void add_to_elements(Values& y, const Tensor& x, int axis, const Tensor& index, std::int64_t skip) {
  visit_numbers(x.dtype(), [&]<class T>() {
    kernels::scatter_add(elements_of(y.shape(), axis, index, skip), x.values().row_major<T>(),
                         y.writable<T>());
  });
}

/// True unless `part` has another rank or is larger than whole along an axis other than `free`.
bool lies_in(const Shape& part, const Shape& whole, int free) {
  if (part.rank() != whole.rank()) return false;
  for (int axis = 0; axis < part.rank(); ++axis)
    if (axis != free && part[axis] > whole[axis]) return false;
  return true;
}

/// axis counted from 0, after the checks of x and index.
int checked_elements(const char* op, const Tensor& x, int axis, const Tensor& index) {
  axis = ops::checked_axis(op, x, axis);
  ops::check_index_dtype(op, "index", index);
  check_shape(
      lies_in(index.shape(), x.shape(), axis),
      "{}: index must have as many axes as x and be nowhere larger, except along axis {}; index is {}, x {}",
      op, axis, index.shape(), x.shape());
  ops::check_indices(op, index, x.size(axis));
  return axis;
}

/// The part of src that index has elements for.
Tensor checked_source(const char* op, const Tensor& x, const Tensor& index, const Tensor& src) {
  ops::check_same_dtype(op, "x", x, "src", src);
  check_shape(lies_in(index.shape(), src.shape(), -1),
              "{}: src must have as many axes as index and be nowhere smaller; src is {}, index {}", op,
              src.shape(), index.shape());
  if (src.shape() == index.shape()) return src;
  ops::Box box(src.shape());
  for (int axis = 0; axis < src.rank(); ++axis) box.keep(axis, 0, 1, index.size(axis));
  return ops::read_box(op, src, box);
}

/// index with kSkipNone in place of each index that is repeated later along axis.
Tensor last_of_each(const Shape& x, int axis, const Tensor& index) {
  Values last(DType::int64, index.shape());
  kernels::keep_last(elements_of(x, axis, index, ops::kSkipNone), last.writable<std::int64_t>());
  return Tensor(std::move(last));
}

}  // namespace

namespace ops {

Tensor take_elements(const char* op, const Tensor& x, int axis, const Tensor& index, std::int64_t skip) {
  Values y(x.dtype(), index.shape());
  kernels::gather(size_of(x.dtype()), elements_of(x.shape(), axis, index, skip), bytes_of(x.values()),
                  writable_bytes(y));
  return record(op, std::move(y), {x},
                [=, shape = x.shape(), index = Saved(index)](const Tensor& dy, Needs) -> Grads {
                  return {add_elements(op, dy, axis, index, shape, skip)};
                });
}

Tensor add_elements(const char* op, const Tensor& x, int axis, const Tensor& index, const Shape& shape,
                    std::int64_t skip) {
  Values y(x.dtype(), shape);
  kernels::clear(y.numel() * static_cast<std::int64_t>(size_of(y.dtype())), writable_bytes(y));
  add_to_elements(y, x, axis, index, skip);
  return record(op, std::move(y), {x}, [=, index = Saved(index)](const Tensor& dy, Needs) -> Grads {
    return {take_elements(op, dy, axis, index, skip)};
  });
}

}  // namespace ops

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  return ops::take_elements("gather", x, checked_elements("gather", x, axis, index), index, ops::kSkipNone);
}

Tensor take_along_axis(const Tensor& x, const Tensor& index, int axis) {
  axis = ops::checked_axis("take_along_axis", x, axis);
  check_shape(index.rank() == x.rank(),
              "take_along_axis: index must have as many axes as x; index is {}, x {}", index.shape(),
              x.shape());
  const Shape common =
      broadcast_shape("take_along_axis", x.shape().with(axis, 1), index.shape().with(axis, 1));
  return gather(broadcast_to(x, common.with(axis, x.size(axis))), axis,
                broadcast_to(index, common.with(axis, index.size(axis))));
}

Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  axis = checked_elements("scatter", x, axis, index);
  const Tensor part = checked_source("scatter", x, index, src);
  Values y = x.values().copy();
  kernels::scatter(size_of(x.dtype()), elements_of(x.shape(), axis, index, ops::kSkipNone),
                   ops::bytes_of(part.values()), ops::writable_bytes(y));
  return record("scatter", std::move(y), {x, part},
                [axis, index = Saved(index)](const Tensor& dy, Needs needs) -> Grads {
                  Tensor dx, dsrc;
                  if (needs[0]) dx = scatter(dy, axis, index, 0);
                  if (needs[1]) {
                    const Tensor last = last_of_each(dy.shape(), axis, index);
                    dsrc = ops::take_elements("scatter", dy, axis, last, ops::kSkipNone);
                  }
                  return {dx, dsrc};
                });
}

Tensor scatter(const Tensor& x, int axis, const Tensor& index, double value) {
  return scatter(x, axis, index, full(index.shape(), value, {.dtype = x.dtype()}));
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  ops::check_number("scatter_add", "x", x);
  axis = checked_elements("scatter_add", x, axis, index);
  const Tensor part = checked_source("scatter_add", x, index, src);
  Values y = x.values().copy();
  add_to_elements(y, part, axis, index, ops::kSkipNone);
  return record(
      "scatter_add", std::move(y), {x, part},
      [axis, index = Saved(index, part.requires_grad())](const Tensor& dy, Needs needs) -> Grads {
        return {dy, needs[1] ? ops::take_elements("scatter_add", dy, axis, index, ops::kSkipNone) : Tensor{}};
      });
}

}  // namespace adjoint
