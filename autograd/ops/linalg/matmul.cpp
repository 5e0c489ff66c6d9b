#include <algorithm>

#include "adjoint/graph/node.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "autograd/kernels/linalg/gemm.h"
#include "autograd/ops/linalg/batch.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// shape without one axis.
Shape without(const Shape& shape, int axis) {
  std::int64_t sizes[Shape::kMaxRank];
  std::int64_t* const end = std::copy_n(shape.begin(), shape.checked_axis(axis), sizes);
  std::copy(shape.begin() + shape.checked_axis(axis) + 1, shape.end(), end);
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(shape.rank() - 1)));
}

/// True if x is one matrix, perhaps with batch axes of size 1 in front of it.
bool is_one_matrix(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end() - 2, [](std::int64_t size) { return size == 1; });
}

void check_argument(const char* argument, const Tensor& x, bool transposed) {
  check_shape(x.rank() >= 1, "matmul: {} must have at least 1 axis, it is []", argument);
  check_shape(x.rank() >= 2 || !transposed, "matmul: {} must have at least 2 axes to be transposed, it is {}",
              argument, x.shape());
}

kernels::GemmSizes checked_sizes(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  ops::check_same_dtype("matmul", "a", a, "b", b);
  ops::check_floating("matmul", "a", a);
  const auto [ta, tb] = options;
  check_argument("a", a, ta);
  check_argument("b", b, tb);
  const std::int64_t depth = a.size(ta ? -2 : -1);
  check_shape(depth == b.size(tb || b.rank() == 1 ? -1 : -2),
              "matmul: the inner sizes must be equal; a is {}{}, b is {}{}", a.shape(),
              ta ? " transposed" : "", b.shape(), tb ? " transposed" : "");
  return {.rows = a.rank() == 1 ? 1 : a.size(ta ? -1 : -2),
          .columns = b.rank() == 1 ? 1 : b.size(tb ? -2 : -1),
          .depth = depth,
          .transpose_a = ta,
          .transpose_b = tb};
}

/// For products of a, which has this many axes, with a vector b.
void check_vectors(const char* op, const char* a_name, const Tensor& a, int rank, const char* b_name,
                   const Tensor& b) {
  ops::check_same_dtype(op, a_name, a, b_name, b);
  ops::check_floating(op, a_name, a);
  ops::check_rank(op, a_name, a, rank);
  ops::check_rank(op, b_name, b, 1);
}

/// The products of matrices: a and b have at least two axes.
Tensor products(const kernels::GemmSizes& sizes, const Tensor& a, const Tensor& b) {
  const ops::Pairs pairs = ops::pairs_of("matmul", a, b);
  Values y(a.dtype(), pairs.with({sizes.rows, sizes.columns}));
  visit_floating(a.dtype(), [&]<class T>() {
    const T *a_values = a.values().row_major<T>(), *b_values = b.values().row_major<T>();
    if (pairs.rank == 0) {
      kernels::gemm(sizes, a_values, b_values, y.writable<T>());
    } else {
      kernels::gemm_batch(sizes, pairs.batch, a_values, b_values, y.writable<T>());
    }
  });
  return record(
      "matmul", std::move(y), {a, b},
      [a = Saved(a, b.requires_grad()), b = Saved(b, a.requires_grad()), as = a.shape(), bs = b.shape(),
       ta = sizes.transpose_a, tb = sizes.transpose_b](const Tensor& dy, Needs needs) -> Grads {
        // If a is given as its transpose, so is its gradient: (dy op(b)^T)^T = op(b) dy^T.
        const auto da = [&] {
          return ta ? matmul(b, dy, {.transpose_a = tb, .transpose_b = true})
                    : matmul(dy, b, {.transpose_b = !tb});
        };
        const auto db = [&] {
          return tb ? matmul(dy, a, {.transpose_a = true, .transpose_b = ta})
                    : matmul(a, dy, {.transpose_a = !ta});
        };
        return {needs[0] ? sum_to(da(), as) : Tensor{}, needs[1] ? sum_to(db(), bs) : Tensor{}};
      });
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  const kernels::GemmSizes sizes = checked_sizes(a, b, options);
  // A vector is a matrix with one row or one column, which the result does not have.
  if (a.rank() == 1 && b.rank() == 1) return dot(a, b);
  if (b.rank() == 1) {
    const Tensor y = matmul(a, reshape(b, {sizes.depth, 1}), {.transpose_a = sizes.transpose_a});
    return reshape(y, without(y.shape(), -1));
  }
  if (a.rank() == 1) {
    const Tensor y = matmul(reshape(a, {1, sizes.depth}), b, {.transpose_b = sizes.transpose_b});
    return reshape(y, without(y.shape(), -2));
  }
  // The matrices of a below each other times the same b are one product, and so are its gradients.
  if (a.rank() > 2 && b.rank() <= a.rank() && !sizes.transpose_a && is_one_matrix(b.shape())) {
    const Tensor rows = reshape(a, {a.shape().with(-1, 1).numel(), sizes.depth});
    const Tensor matrix = reshape(b, {b.size(-2), b.size(-1)});
    return reshape(matmul(rows, matrix, {.transpose_b = sizes.transpose_b}),
                   a.shape().with(-1, sizes.columns));
  }
  return products(sizes, a, b);
}

Tensor dot(const Tensor& a, const Tensor& b) {
  check_vectors("dot", "a", a, 1, "b", b);
  check_shape(a.size(0) == b.size(0), "dot: a and b must have the same size; a is {}, b is {}", a.shape(),
              b.shape());
  // Both are rows, so that the kernel reads them as they are.
  const std::int64_t n = a.size(0);
  return reshape(matmul(reshape(a, {1, n}), reshape(b, {1, n}), {.transpose_b = true}), Shape{});
}

Tensor mv(const Tensor& a, const Tensor& x) {
  check_vectors("mv", "a", a, 2, "x", x);
  check_shape(a.size(1) == x.size(0), "mv: a has {} columns, x has {} elements (a {}, x {})", a.size(1),
              x.size(0), a.shape(), x.shape());
  return matmul(a, x);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check_vectors("outer", "a", a, 1, "b", b);
  return matmul(reshape(a, {a.size(0), 1}), reshape(b, {1, b.size(0)}));
}

}  // namespace adjoint
