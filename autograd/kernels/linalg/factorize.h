#pragma once
// Factorizations of small matrices, and what is computed from them: solutions, inverses, determinants. All
// matrices are row-major; any size may be 0. A matrix is factorized by one thread; the threads share a batch.
// The results do not depend on the number of threads.

#include <cstdint>

#include "autograd/kernels/linalg/batch.h"

namespace adjoint::kernels {

/// Thrown when a matrix has no factorization: pivot number `pivot` of matrix number `entry` of the batch is
/// 0 or, for cholesky, not positive. If there are several such matrices, it is the first one. The results are
/// then unspecified.
struct BadPivot {
  std::int64_t entry, pivot;
  double value;
};

// T is float or double. Each result is [entries, ...] and must not overlap an argument.

/// op(a[i]) x[i] = b[i] for each pair i: a[i] [n,n], b[i] and x[i] [n,columns]. op transposes if the flag is
/// set. If b is null, each b[i] is the identity. Throws BadPivot.
template <class T>
void solve(const PairBatch& batch, std::int64_t n, std::int64_t columns, bool transpose, const T* a,
           const T* b, T* x);

/// Which part of a matrix is read: one triangle, perhaps without its diagonal, which is then 1.
struct Triangle {
  bool upper = false, transpose = false, unit_diagonal = false;
};
/// The same for triangular matrices. The other triangle is not read.
template <class T>
void triangular_solve(const PairBatch& batch, std::int64_t n, std::int64_t columns, const Triangle& triangle,
                      const T* a, const T* b, T* x);

/// a[i] = l[i] l[i]^T with l[i] lower triangular. Only a[i]'s lower triangle is read. Throws BadPivot.
template <class T>
void cholesky(std::int64_t entries, std::int64_t n, const T* a, T* l);

/// det[i], the determinant of a[i] [n,n].
template <class T>
void det(std::int64_t entries, std::int64_t n, const T* a, T* det);

/// sign[i] = -1, 0 or 1, and log[i] = log |det a[i]|.
template <class T>
void slogdet(std::int64_t entries, std::int64_t n, const T* a, T* sign, T* log);

/// c[i][r,k] = (-1)^(r+k) times the determinant of a[i] without row r and column k: the derivative of
/// det a[i]. Singular matrices need no special treatment.
template <class T>
void cofactors(std::int64_t entries, std::int64_t n, const T* a, T* c);

}  // namespace adjoint::kernels
