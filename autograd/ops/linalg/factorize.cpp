#include "adjoint/ops/factorize.h"

#include <string>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/slice.h"
#include "autograd/kernels/linalg/factorize.h"
#include "autograd/ops/linalg/batch.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

void check_square(const char* op, const Tensor& a) {
  ops::check_floating(op, "a", a);
  check_shape(a.rank() >= 2 && a.size(-1) == a.size(-2),
              "{}: a must have square matrices [..., n, n], it is {}", op, a.shape());
}

/// Calls kernel(). If it finds a pivot that it cannot use, throws an Error that says what the matrix is and
/// what follows from the pivot. The batch axes have these sizes.
template <class Kernel>
void run(const char* op, const char* what, const char* pivot_of, const Shape& a,
         std::span<const std::int64_t> batch, const Kernel& kernel) {
  try {
    kernel();
  } catch (const kernels::BadPivot& bad) {
    std::int64_t index[Shape::kMaxRank], rest = bad.entry;
    for (std::size_t axis = batch.size(); axis-- > 0; rest /= batch[axis]) index[axis] = rest % batch[axis];
    const std::string matrix = batch.empty()
                                   ? "a"
                                   : fmt::format("matrix {} of the batch",
                                                 Listed(std::span<const std::int64_t>(index, batch.size())));
    throw Error(fmt::format("{}: {} is {}: {} {} is {}; a is {}", op, matrix, what, pivot_of, bad.pivot,
                            bad.value, a));
  }
}

/// The sizes of the axes in front of the matrices.
std::span<const std::int64_t> batch_of(const Shape& a) {
  return a.sizes().first(static_cast<std::size_t>(a.rank() - 2));
}
std::int64_t entries(const Shape& a) {
  std::int64_t count = 1;
  for (const std::int64_t size : batch_of(a)) count *= size;
  return count;
}

/// x [...] as [..., 1, 1], to be multiplied with matrices.
Tensor with_two_ones(const Tensor& x) {
  std::int64_t sizes[Shape::kMaxRank];
  std::fill_n(std::copy(x.shape().begin(), x.shape().end(), sizes), 2, 1);
  return reshape(x, Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(x.rank()) + 2)));
}

Tensor transposed(const Tensor& x) { return transpose(x, -1, -2); }

/// Solves with matrices b by solve_matrices(a, b), after b's vectors have become matrices with one column.
template <class Solve>
Tensor solve_with(const char* op, const Tensor& a, const Tensor& b, const Solve& solve_matrices) {
  check_square(op, a);
  ops::check_same_dtype(op, "a", a, "b", b);
  const std::int64_t n = a.size(-1);
  const bool vectors = b.rank() == 1 || (b.rank() == a.rank() - 1 &&
                                         std::equal(b.shape().begin(), b.shape().end(), a.shape().begin()));
  check_shape(b.rank() >= 1 && b.size(vectors ? -1 : -2) == n,
              "{}: b must have as many rows as a; a is {}, b is {}", op, a.shape(), b.shape());
  if (!vectors) return solve_matrices(a, b);
  std::int64_t sizes[Shape::kMaxRank];
  *std::copy(b.shape().begin(), b.shape().end(), sizes) = 1;
  const Tensor x = solve_matrices(
      a, reshape(b, Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(b.rank()) + 1))));
  return reshape(x, x.shape().sizes().first(static_cast<std::size_t>(x.rank() - 1)));
}

/// The gradients of x = op(a)^-1 b from db = op(a)^-T dx: -db x^T for op(a), transposed for a if op
/// transposes.
Tensor gradient_of_matrix(bool transpose, const Tensor& db, const Tensor& x) {
  return -(transpose ? matmul(x, db, {.transpose_b = true}) : matmul(db, x, {.transpose_b = true}));
}

Tensor solve_matrices(const Tensor& a, const Tensor& b, bool transpose) {
  const ops::Pairs pairs = ops::pairs_of("solve", a, b);
  const std::int64_t n = a.size(-1), columns = b.size(-1);
  Values x(a.dtype(), pairs.with({n, columns}));
  run("solve", "singular", "LU pivot", a.shape(), pairs.batch_sizes(), [&] {
    visit_floating(a.dtype(), [&]<class T>() {
      kernels::solve(pairs.batch, n, columns, transpose, a.values().row_major<T>(), b.values().row_major<T>(),
                     x.writable<T>());
    });
  });
  return record(
      "solve", std::move(x), {a, b},
      [a = Saved(a), bs = b.shape(), transpose](const Tensor& dx, const Tensor& x, Needs needs) -> Grads {
        const Tensor& matrix = a;
        const Tensor db = solve_matrices(matrix, dx, !transpose);
        return {needs[0] ? sum_to(gradient_of_matrix(transpose, db, x), matrix.shape()) : Tensor{},
                needs[1] ? sum_to(db, bs) : Tensor{}};
      });
}

Tensor solve_triangles(const Tensor& a, const Tensor& b, const kernels::Triangle& triangle) {
  const ops::Pairs pairs = ops::pairs_of("triangular_solve", a, b);
  const std::int64_t n = a.size(-1), columns = b.size(-1);
  Values x(a.dtype(), pairs.with({n, columns}));
  run("triangular_solve", "singular", "diagonal element", a.shape(), pairs.batch_sizes(), [&] {
    visit_floating(a.dtype(), [&]<class T>() {
      kernels::triangular_solve(pairs.batch, n, columns, triangle, a.values().row_major<T>(),
                                b.values().row_major<T>(), x.writable<T>());
    });
  });
  return record(
      "triangular_solve", std::move(x), {a, b},
      [a = Saved(a), bs = b.shape(), triangle](const Tensor& dx, const Tensor& x, Needs needs) -> Grads {
        const auto [upper, transpose, unit_diagonal] = triangle;
        const Tensor& matrix = a;
        const Tensor db = solve_triangles(matrix, dx, {upper, !transpose, unit_diagonal});
        const auto da = [&, upper = upper, transpose = transpose, unit = unit_diagonal] {
          const Tensor full = gradient_of_matrix(transpose, db, x);
          return upper ? triu(full, unit ? 1 : 0) : tril(full, unit ? -1 : 0);
        };
        return {needs[0] ? sum_to(da(), matrix.shape()) : Tensor{}, needs[1] ? sum_to(db, bs) : Tensor{}};
      });
}

/// The matrix of cofactors, the derivative of det.
Tensor cofactors(const Tensor& a) {
  Values c(a.dtype(), a.shape());
  visit_floating(a.dtype(), [&]<class T>() {
    kernels::cofactors(entries(a.shape()), a.size(-1), a.values().row_major<T>(), c.writable<T>());
  });
  // With y = a^-T, c = det(a) y: dc = sum(da c) y - c da^T y.
  return record("cofactors", std::move(c), {a},
                [a = Saved(a)](const Tensor& dc, const Tensor& c, Needs) -> Grads {
                  const Tensor y = transposed(inverse(a));
                  return {sum(dc * y, {-2, -1}, {.keepdim = true}) * c -
                          matmul(matmul(c, dc, {.transpose_b = true}), y)};
                });
}

}  // namespace

Tensor solve(const Tensor& a, const Tensor& b, const SolveOptions& options) {
  return solve_with("solve", a, b, [&](const Tensor& matrices, const Tensor& columns) {
    return solve_matrices(matrices, columns, options.transpose_a);
  });
}

Tensor triangular_solve(const Tensor& a, const Tensor& b, const TriangularSolveOptions& options) {
  return solve_with("triangular_solve", a, b, [&](const Tensor& matrices, const Tensor& columns) {
    return solve_triangles(matrices, columns, {options.upper, options.transpose_a, options.unit_diagonal});
  });
}

Tensor inverse(const Tensor& a) {
  check_square("inverse", a);
  const std::int64_t n = a.size(-1);
  kernels::PairBatch batch;
  batch.prepend({entries(a.shape()), n * n, 0});
  Values y(a.dtype(), a.shape());
  run("inverse", "singular", "LU pivot", a.shape(), batch_of(a.shape()), [&] {
    visit_floating(a.dtype(), [&]<class T>() {
      kernels::solve<T>(batch, n, n, false, a.values().row_major<T>(), nullptr, y.writable<T>());
    });
  });
  return record("inverse", std::move(y), {a}, [](const Tensor& dy, const Tensor& y, Needs) -> Grads {
    return {-matmul(matmul(y, dy, {.transpose_a = true}), y, {.transpose_b = true})};
  });
}

Tensor cholesky(const Tensor& a) {
  check_square("cholesky", a);
  Values l(a.dtype(), a.shape());
  run("cholesky", "not positive definite", "pivot", a.shape(), batch_of(a.shape()), [&] {
    visit_floating(a.dtype(), [&]<class T>() {
      kernels::cholesky(entries(a.shape()), a.size(-1), a.values().row_major<T>(), l.writable<T>());
    });
  });
  return record("cholesky", std::move(l), {a}, [](const Tensor& dl, const Tensor& l, Needs) -> Grads {
    const Tensor p = matmul(l, dl, {.transpose_a = true});
    const Tensor both = tril(p) + transposed(tril(p, -1));
    // l^-T (both / 2) l^-1, which is symmetric.
    const kernels::Triangle lower_transposed{.transpose = true};
    const Tensor half = solve_triangles(l, both / 2, lower_transposed);
    return {solve_triangles(l, transposed(half), lower_transposed)};
  });
}

Tensor det(const Tensor& a) {
  check_square("det", a);
  Values y(a.dtype(), Shape(batch_of(a.shape())));
  visit_floating(a.dtype(), [&]<class T>() {
    kernels::det(y.numel(), a.size(-1), a.values().row_major<T>(), y.writable<T>());
  });
  return record("det", std::move(y), {a}, [a = Saved(a)](const Tensor& dy, Needs) -> Grads {
    return {with_two_ones(dy) * cofactors(a)};
  });
}

Slogdet slogdet(const Tensor& a) {
  check_square("slogdet", a);
  const Shape shape(batch_of(a.shape()));
  Values sign(a.dtype(), shape), log(a.dtype(), shape);
  visit_floating(a.dtype(), [&]<class T>() {
    kernels::slogdet(shape.numel(), a.size(-1), a.values().row_major<T>(), sign.writable<T>(),
                     log.writable<T>());
  });
  return {Tensor(std::move(sign)),
          record("slogdet", std::move(log), {a}, [a = Saved(a)](const Tensor& dy, Needs) -> Grads {
            return {with_two_ones(dy) * transposed(inverse(a))};
          })};
}

}  // namespace adjoint
