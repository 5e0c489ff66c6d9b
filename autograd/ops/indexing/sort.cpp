#include "adjoint/ops/sort.h"

#include <utility>

#include "adjoint/graph/node.h"
#include "autograd/kernels/indexing/sort.h"
#include "autograd/ops/indexing/elements.h"
#include "autograd/ops/indexing/rows.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// The first k elements in order along axis, which is counted from 0.
ValuesAndIndices first_in_order(const char* op, const Tensor& x, int axis, bool descending, std::int64_t k) {
  kernels::SortSizes sizes{.outer = 1, .size = x.size(axis), .inner = 1};
  for (int i = 0; i < axis; ++i) sizes.outer *= x.size(i);
  for (int i = axis + 1; i < x.rank(); ++i) sizes.inner *= x.size(i);
  const Shape shape = x.shape().with(axis, k);
  Values values(x.dtype(), shape), positions(DType::int64, shape);
  visit(x.dtype(), [&]<class T>() {
    kernels::sort(sizes, descending, k, x.values().row_major<T>(), values.writable<T>(),
                  positions.writable<std::int64_t>());
  });
  const Tensor indices(std::move(positions));
  Tensor sorted =
      record(op, std::move(values), {x},
             [op, axis, xs = x.shape(), indices = Saved(indices)](const Tensor& dy, Needs) -> Grads {
               return {ops::add_elements(op, dy, axis, indices, xs, ops::kSkipNone)};
             });
  return {std::move(sorted), indices};
}

}  // namespace

ValuesAndIndices sort(const Tensor& x, const SortOptions& options) {
  const int axis = ops::checked_axis("sort", x, options.axis);
  return first_in_order("sort", x, axis, options.descending, x.size(axis));
}

Tensor argsort(const Tensor& x, const SortOptions& options) {
  const int axis = ops::checked_axis("argsort", x, options.axis);
  return first_in_order("argsort", x, axis, options.descending, x.size(axis)).indices;
}

ValuesAndIndices topk(const Tensor& x, std::int64_t k, const TopkOptions& options) {
  const int axis = ops::checked_axis("topk", x, options.axis);
  check_shape(k >= 0 && k <= x.size(axis),
              "topk: k must be in [0,{}], the size of axis {}, it is {}; x is {}", x.size(axis), axis, k,
              x.shape());
  return first_in_order("topk", x, axis, options.largest, k);
}

Tensor searchsorted(const Tensor& sorted, const Tensor& values, const SearchsortedOptions& options) {
  ops::check_same_dtype("searchsorted", "sorted", sorted, "values", values);
  const bool one_for_all = sorted.rank() == 1;
  check_shape(
      one_for_all || (sorted.rank() > 1 && values.rank() == sorted.rank() &&
                      values.shape().with(-1, sorted.size(-1)) == sorted.shape()),
      "searchsorted: sorted must have one axis, or the sizes of values except for the last; sorted is {}, "
      "values {}",
      sorted.shape(), values.shape());
  const std::int64_t count = one_for_all || values.numel() == 0 ? values.numel() : values.size(-1);
  const std::int64_t rows = count == 0 ? 0 : values.numel() / count;
  Values y(DType::int64, values.shape());
  visit(values.dtype(), [&]<class T>() {
    kernels::searchsorted(rows, sorted.size(-1), count, one_for_all, options.right,
                          sorted.values().row_major<T>(), values.values().row_major<T>(),
                          y.writable<std::int64_t>());
  });
  return Tensor(std::move(y));
}

}  // namespace adjoint
