#include "autograd/kernels/reduce/cumsum.h"

#include "adjoint/graph/node.h"
#include "adjoint/ops/reduce.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

Tensor cumsum_along(int axis, const Tensor& x, bool reverse) {
  const Shape& shape = x.shape();
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  Values y(x.dtype(), shape);
  visit_numbers(x.dtype(), [&]<class T>() {
    kernels::cumsum(outer, shape[axis], inner, x.values().row_major<T>(), reverse, y.writable<T>());
  });
  return record("cumsum", std::move(y), {x}, [axis, reverse](const Tensor& dy, Needs) -> Grads {
    return {cumsum_along(axis, dy, !reverse)};
  });
}

}  // namespace

Tensor cumsum(const Tensor& x, int axis) {
  ops::check_number("cumsum", "x", x);
  return cumsum_along(ops::checked_axis("cumsum", x, axis), x, /*reverse=*/false);
}

}  // namespace adjoint
