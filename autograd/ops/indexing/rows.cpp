#include "autograd/ops/indexing/rows.h"

#include <algorithm>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/indexing.h"
#include "autograd/kernels/indexing/rows.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/ops/shape/box.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace ops {
namespace {

/// For rows along an axis of `whole`, an array that has `size` positions there.
kernels::RowSizes row_sizes(const Shape& whole, int axis, const Tensor& index, std::int64_t skip) {
  kernels::RowSizes sizes{.outer = 1,
                          .size = whole[axis],
                          .count = index.numel(),
                          .inner = 1,
                          .index = index.values().row_major<std::int64_t>(),
                          .skip = skip};
  for (int i = 0; i < axis; ++i) sizes.outer *= whole[i];
  for (int i = axis + 1; i < whole.rank(); ++i) sizes.inner *= whole[i];
  return sizes;
}

/// y, which is written to, with x's positions along axis added where index says.
void add_to_rows(Values& y, const Tensor& x, int axis, const Tensor& index, std::int64_t skip) {
  visit_numbers(x.dtype(), [&]<class T>() {
    kernels::add_rows(row_sizes(y.shape(), axis, index, skip), x.values().row_major<T>(), y.writable<T>());
  });
}

}  // namespace

Values rows_of(const Tensor& x, int axis, const Tensor& index, std::int64_t skip) {
  Values y(x.dtype(), x.shape().with(axis, index.numel()));
  kernels::take_rows(size_of(x.dtype()), row_sizes(x.shape(), axis, index, skip), bytes_of(x.values()),
                     writable_bytes(y));
  return y;
}

Tensor take_rows(const char* op, const Tensor& x, int axis, const Tensor& index, std::int64_t skip) {
  return record(op, rows_of(x, axis, index, skip), {x},
                [=, size = x.size(axis), index = Saved(index)](const Tensor& dy, Needs) -> Grads {
                  return {add_rows(op, dy, axis, index, size, skip)};
                });
}

Tensor add_rows(const char* op, const Tensor& x, int axis, const Tensor& index, std::int64_t size,
                std::int64_t skip) {
  Values y(x.dtype(), x.shape().with(axis, size));
  kernels::clear(y.numel() * static_cast<std::int64_t>(size_of(y.dtype())), writable_bytes(y));
  add_to_rows(y, x, axis, index, skip);
  return record(op, std::move(y), {x}, [=, index = Saved(index)](const Tensor& dy, Needs) -> Grads {
    return {take_rows(op, dy, axis, index, skip)};
  });
}

void check_index_dtype(const char* op, const char* argument, const Tensor& index) {
  check<DTypeError>(index.dtype() == DType::int64, "{}: {} must be int64, it is {}", op, argument,
                    index.dtype());
}

void check_indices(const char* op, const Tensor& index, std::int64_t size) {
  const auto* indices = index.values().row_major<std::int64_t>();
  std::uint64_t largest = 0;  // Negative indices become larger than all others.
  for (std::int64_t i = 0; i < index.numel(); ++i)
    largest = std::max(largest, static_cast<std::uint64_t>(indices[i]));
  if (index.numel() == 0 || largest < static_cast<std::uint64_t>(size)) [[likely]]
    return;
  std::int64_t flat = 0;
  while (indices[flat] >= 0 && indices[flat] < size) ++flat;
  const std::int64_t found = indices[flat];
  std::int64_t place[Shape::kMaxRank];
  for (int axis = index.rank() - 1; axis >= 0; --axis) {
    place[axis] = flat % index.size(axis);
    flat /= index.size(axis);
  }
  check_shape(false, "{}: the index at {} is {}, it must be in [0,{})", op,
              Listed(std::span<const std::int64_t>(place, static_cast<std::size_t>(index.rank()))), found,
              size);
}

}  // namespace ops

namespace {

/// Checks that index has one axis and the dtype of indices, and returns axis counted from 0.
int checked_list(const char* op, const Tensor& x, int axis, const Tensor& index) {
  axis = ops::checked_axis(op, x, axis);
  ops::check_index_dtype(op, "index", index);
  ops::check_rank(op, "index", index, 1);
  ops::check_indices(op, index, x.size(axis));
  return axis;
}

}  // namespace

Tensor index_select(const Tensor& x, int axis, const Tensor& index) {
  return ops::take_rows("index_select", x, checked_list("index_select", x, axis, index), index);
}

Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source) {
  ops::check_number("index_add", "x", x);
  ops::check_same_dtype("index_add", "x", x, "source", source);
  axis = checked_list("index_add", x, axis, index);
  check_shape(source.rank() == x.rank() && source.shape() == x.shape().with(axis, index.numel()),
              "index_add: source must have x's shape with {} positions along axis {}; source is {}, x is {}",
              index.numel(), axis, source.shape(), x.shape());
  Values y = x.values().copy();
  ops::add_to_rows(y, source, axis, index, ops::kSkipNone);
  return record("index_add", std::move(y), {x, source},
                [axis, index = Saved(index, source.requires_grad())](const Tensor& dy, Needs needs) -> Grads {
                  return {dy, needs[1] ? ops::take_rows("index_add", dy, axis, index) : Tensor{}};
                });
}

}  // namespace adjoint
