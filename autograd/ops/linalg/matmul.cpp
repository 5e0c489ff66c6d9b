#include "adjoint/graph/node.h"
#include "adjoint/ops/linalg.h"
#include "autograd/kernels/linalg/gemm.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {

Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  ops::check_same_dtype("matmul", "a", a, "b", b);
  ops::check_floating("matmul", "a", a);
  ops::check_rank("matmul", "a", a, 2);
  ops::check_rank("matmul", "b", b, 2);
  const auto [ta, tb] = options;
  check_shape(a.size(ta ? 0 : 1) == b.size(tb ? 1 : 0),
              "matmul: the inner sizes must be equal; a is {}{}, b is {}{}", a.shape(),
              ta ? " transposed" : "", b.shape(), tb ? " transposed" : "");

  const kernels::GemmSizes sizes{.rows = a.size(ta ? 1 : 0),
                                 .columns = b.size(tb ? 0 : 1),
                                 .depth = a.size(ta ? 0 : 1),
                                 .transpose_a = ta,
                                 .transpose_b = tb};
  Values y(a.dtype(), Shape{sizes.rows, sizes.columns});
  visit_floating(a.dtype(), [&]<class T>() {
    kernels::gemm(sizes, a.values().row_major<T>(), b.values().row_major<T>(), y.writable<T>());
  });
  return record("matmul", std::move(y), {a, b},
                [a = Saved(a, b.requires_grad()), b = Saved(b, a.requires_grad()), ta = ta, tb = tb](
                    const Tensor& dy, Needs needs) -> Grads {
                  // If a is given as its transpose, so is its gradient: (dy op(b)^T)^T = op(b) dy^T.
                  const auto da = [&] {
                    return ta ? matmul(b, dy, {.transpose_a = tb, .transpose_b = true})
                              : matmul(dy, b, {.transpose_b = !tb});
                  };
                  const auto db = [&] {
                    return tb ? matmul(dy, a, {.transpose_a = true, .transpose_b = ta})
                              : matmul(a, dy, {.transpose_a = !ta});
                  };
                  return {needs[0] ? da() : Tensor{}, needs[1] ? db() : Tensor{}};
                });
}

}  // namespace adjoint
