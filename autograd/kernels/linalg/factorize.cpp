// Unblocked algorithms: for up to about a hundred rows, which stay in the caches, blocks gain little. Their
// inner loops subtract a multiple of one row from another.
#include "autograd/kernels/linalg/factorize.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/linalg/factorize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/vectors-inl.h"

#ifndef ADJOINT_KERNELS_FACTORIZE_CPP
#define ADJOINT_KERNELS_FACTORIZE_CPP
namespace adjoint::kernels {

/// a[row(i), column(j)] = (l u)[i,j], where lu holds u and, below its diagonal, l, whose diagonal is 1.
template <class T>
struct LuFactors {
  std::int64_t n;
  T* lu;
  std::int64_t* rows;
  std::int64_t* columns;         // null if columns are not exchanged
  bool odd = false;              // whether the number of exchanges is odd
  std::int64_t zero_pivot = -1;  // the first pivot that is 0, if there is one
};

/// An n x n matrix op(a), of which one triangle is read.
template <class T>
struct TriangularMatrix {
  std::int64_t n;
  const T* a;
  Triangle triangle;
};

}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

/// to -= the sum of factors[r * factor_step] * (row r of from), for kRows rows that lie from_step apart.
template <int kRows, class T>
HWY_INLINE void subtract_multiples(std::int64_t count, const T* factors, std::int64_t factor_step,
                                   const T* from, std::int64_t from_step, T* to) {
  const Tag<T> d;
  Vector<T> factor[kRows];
  HWY_UNROLL(4)
  for (int r = 0; r < kRows; ++r) factor[r] = hn::Set(d, factors[r * factor_step]);
  std::int64_t j = 0;
  for (; j + kVectorSize<T> <= count; j += kVectorSize<T>) {
    auto sum = hn::LoadU(d, to + j);
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r)
      sum = hn::NegMulAdd(factor[r], hn::LoadU(d, from + r * from_step + j), sum);
    hn::StoreU(sum, d, to + j);
  }
  for (; j < count; ++j)
    for (int r = 0; r < kRows; ++r) to[j] -= factors[r * factor_step] * from[r * from_step + j];
}

/// to -= factor * from
template <class T>
HWY_INLINE void subtract_multiple(std::int64_t count, T factor, const T* from, T* to) {
  subtract_multiples<1>(count, &factor, 0, from, 0, to);
}

/// Subtracts multiples of the pivot row from kRows rows, so that 0 would stand below the pivot, element k.
/// There, the factors are stored.
template <int kRows, class T>
void eliminate(std::int64_t n, std::int64_t k, const T* pivot_row, T* rows) {
  const Tag<T> d;
  Vector<T> factors[kRows];
  HWY_UNROLL(4)
  for (int r = 0; r < kRows; ++r) factors[r] = hn::Set(d, rows[r * n + k] /= pivot_row[k]);
  std::int64_t j = k + 1;
  for (; j + kVectorSize<T> <= n; j += kVectorSize<T>) {
    const auto pivots = hn::LoadU(d, pivot_row + j);
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r) {
      T* const at = rows + r * n + j;
      hn::StoreU(hn::NegMulAdd(factors[r], pivots, hn::LoadU(d, at)), d, at);
    }
  }
  for (; j < n; ++j)
    for (int r = 0; r < kRows; ++r) rows[r * n + j] -= rows[r * n + k] * pivot_row[j];
}

/// The row and the column of the largest element among rows k to n - 1 and columns k to last_column - 1. NaN
/// counts as largest, so that it gets into the result.
template <class T>
std::pair<std::int64_t, std::int64_t> find_pivot(std::int64_t n, std::int64_t k, std::int64_t last_column,
                                                 const T* lu) {
  std::pair<std::int64_t, std::int64_t> place(k, k);
  T largest = -1;
  for (std::int64_t i = k; i < n; ++i) {
    for (std::int64_t j = k; j < last_column; ++j) {
      const T size = std::abs(lu[i * n + j]);
      if (size <= largest) continue;
      place = {i, j};
      largest = size;
      if (std::isnan(size)) return place;
    }
  }
  return place;
}

/// Factorizes a copy of the matrix in factors.lu. Exchanges rows, and columns if factors.columns is set. A
/// column without a pivot is passed over.
template <class T>
void factorize(LuFactors<T>& factors) {
  const std::int64_t n = factors.n;
  T* const lu = factors.lu;
  for (std::int64_t i = 0; i < n; ++i) {
    factors.rows[i] = i;
    if (factors.columns != nullptr) factors.columns[i] = i;
  }
  for (std::int64_t k = 0; k < n; ++k) {
    const auto [row, column] = find_pivot(n, k, factors.columns != nullptr ? n : k + 1, lu);
    if (row != k) {
      std::swap_ranges(lu + k * n, lu + (k + 1) * n, lu + row * n);
      std::swap(factors.rows[k], factors.rows[row]);
      factors.odd = !factors.odd;
    }
    if (column != k) {
      for (std::int64_t i = 0; i < n; ++i) std::swap(lu[i * n + k], lu[i * n + column]);
      std::swap(factors.columns[k], factors.columns[column]);
      factors.odd = !factors.odd;
    }
    const T* const pivot_row = lu + k * n;
    if (pivot_row[k] == 0) {
      if (factors.zero_pivot < 0) factors.zero_pivot = k;
      continue;
    }
    std::int64_t i = k + 1;
    for (; i + 4 <= n; i += 4) eliminate<4>(n, k, pivot_row, lu + i * n);
    for (; i < n; ++i) eliminate<1>(n, k, pivot_row, lu + i * n);
  }
}

/// x = op(a)^-1 x for x [n, columns].
template <class T>
void solve_triangle(const TriangularMatrix<T>& matrix, std::int64_t columns, T* x) {
  const auto [upper, transpose, unit_diagonal] = matrix.triangle;
  const std::int64_t n = matrix.n;
  const bool forward = upper == transpose;  // op(a) is lower triangular: start with the first row
  const std::int64_t row_step = transpose ? 1 : n, column_step = transpose ? n : 1;
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t i = forward ? k : n - 1 - k;
    T* const row = x + i * columns;
    const T* const factors = matrix.a + i * row_step;
    const std::int64_t end = forward ? i : n;
    std::int64_t j = forward ? 0 : i + 1;
    for (; j + 4 <= end; j += 4)
      subtract_multiples<4>(columns, factors + j * column_step, column_step, x + j * columns, columns, row);
    for (; j < end; ++j) subtract_multiple(columns, factors[j * column_step], x + j * columns, row);
    if (unit_diagonal) continue;
    const T diagonal = matrix.a[i * (n + 1)];
    for (std::int64_t c = 0; c < columns; ++c) row[c] /= diagonal;
  }
}

/// The lower triangle of l, which holds that of a, is factorized in place; column has room for n values.
/// Returns the number of the first pivot that is not positive, or n.
template <class T>
std::int64_t factorize_cholesky(std::int64_t n, T* l, T* column) {
  for (std::int64_t k = 0; k < n; ++k) {
    const T pivot = l[k * (n + 1)];
    if (!(pivot > 0)) return k;
    const T root = std::sqrt(pivot);
    l[k * (n + 1)] = root;
    for (std::int64_t i = k + 1; i < n; ++i) {
      T* const at = l + i * n + k;
      column[i] = *at /= root;
      subtract_multiple(i - k, *at, column + k + 1, at + 1);
    }
  }
  return n;
}

/// The cofactors from factors with exchanged columns. With the last pivot p and the other pivots' product d,
///   u = [v w; 0 p]   has the adjugate   d z,   z = [p v^-1, -v^-1 w; 0 1],
/// and l u has d z l^-1. Nothing is divided by p, which is 0 in a matrix of rank n - 1. If another pivot is
/// 0, the rank is lower, and all cofactors are 0. z has room for [n,n].
template <class T>
void cofactors_from(const LuFactors<T>& factors, T* z, T* c) {
  const std::int64_t n = factors.n, last = n - 1;
  const T* const lu = factors.lu;
  if (n == 0) return;
  if (factors.zero_pivot >= 0 && factors.zero_pivot < last)
    return static_cast<void>(std::fill_n(c, n * n, T(0)));
  std::fill_n(z, n * n, T(0));
  z[last * n + last] = 1;
  double product = factors.odd ? -1 : 1;
  for (std::int64_t i = last - 1; i >= 0; --i) {
    T* const row = z + i * n;
    row[i] = lu[last * n + last];
    row[last] = -lu[i * n + last];
    for (std::int64_t j = i + 1; j < last; ++j)
      subtract_multiple(n - j, lu[i * n + j], z + j * n + j, row + j);
    for (std::int64_t j = i; j < n; ++j) row[j] /= lu[i * n + i];
    product *= lu[i * n + i];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    T* const row = z + i * n;
    for (std::int64_t k = last; k > 0; --k) subtract_multiple(k, row[k], lu + k * n, row);
    for (std::int64_t j = 0; j < n; ++j)
      c[factors.rows[j] * n + factors.columns[i]] = static_cast<T>(product * static_cast<double>(row[j]));
  }
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Factorize;

template <class T>
struct Factorize<HWY_TARGET, T> {
  static constexpr auto factorize = HWY_NAMESPACE::factorize<T>;
  static constexpr auto solve_triangle = HWY_NAMESPACE::solve_triangle<T>;
  static constexpr auto factorize_cholesky = HWY_NAMESPACE::factorize_cholesky<T>;
  static constexpr auto cofactors_from = HWY_NAMESPACE::cofactors_from<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

/// Calls body(first, count) for chunks of a batch of n x n matrices, each with `columns` right-hand sides.
template <class Body>
void for_matrices(std::int64_t entries, std::int64_t n, std::int64_t columns, const Body& body) {
  const std::int64_t work = n * n * (n + columns) + kElementWork * n * (n + columns);
  for_chunks_of(parts_in_chunk(work, 65536), entries, entries * work, body);
}

/// The memory for the factors of one matrix.
template <class T>
class LuMemory {
 public:
  LuMemory(std::int64_t n, bool exchange_columns)
      : n_(n), lu_(n * n), indices_(exchange_columns ? 2 * n : n), columns_(exchange_columns) {}
  LuFactors<T> factorize(const T* a) const {
    LuFactors<T> factors{n_, lu_.get(), indices_.get(), columns_ ? indices_.get() + n_ : nullptr};
    std::copy_n(a, n_ * n_, factors.lu);
    best<Factorize, T>([&](auto k) { k.factorize(factors); });
    return factors;
  }

 private:
  std::int64_t n_;
  Scratch<T> lu_;
  Scratch<std::int64_t> indices_;
  bool columns_;
};

/// x = op(a)^-1 b. With p a = l u for the permutation p of the rows: x = u^-1 l^-1 p b, and for the transpose
/// x = p^T l^-T u^-T b. `work` has room for x.
template <class T>
void solve_with(const LuFactors<T>& factors, std::int64_t columns, bool transpose, const T* b, T* work,
                T* x) {
  const auto n = factors.n;
  const TriangularMatrix<T> l{n, factors.lu, {false, transpose, true}},
      u{n, factors.lu, {true, transpose, false}};
  const auto row_of_b = [&](std::int64_t i, T* to) {
    if (b != nullptr) return static_cast<void>(std::copy_n(b + i * columns, columns, to));
    std::fill_n(to, columns, T(0));
    to[i] = 1;
  };
  T* const y = transpose ? work : x;
  for (std::int64_t i = 0; i < n; ++i) row_of_b(transpose ? i : factors.rows[i], y + i * columns);
  best<Factorize, T>([&](auto k) {
    k.solve_triangle(transpose ? u : l, columns, y);
    k.solve_triangle(transpose ? l : u, columns, y);
  });
  if (!transpose) return;
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(y + i * columns, columns, x + factors.rows[i] * columns);
}

}  // namespace

template <class T>
void solve(const PairBatch& batch, std::int64_t n, std::int64_t columns, bool transpose, const T* a,
           const T* b, T* x) {
  for_matrices(batch.count, n, columns, [&](std::int64_t first, std::int64_t count) {
    const LuMemory<T> memory(n, false);
    const Scratch<T> work(transpose ? n * columns : 0);
    LuFactors<T> factors;
    const T* factorized = nullptr;
    PairOffsets at(batch, first);
    for (std::int64_t i = first; i < first + count; ++i, at.next()) {
      const T* const matrix = a + at.a();
      if (matrix != factorized) factors = memory.factorize(matrix);  // a may be repeated
      factorized = matrix;
      if (factors.zero_pivot >= 0) throw BadPivot{i, factors.zero_pivot, 0};
      solve_with(factors, columns, transpose, b == nullptr ? nullptr : b + at.b(), work.get(),
                 x + i * n * columns);
    }
  });
}

template <class T>
void triangular_solve(const PairBatch& batch, std::int64_t n, std::int64_t columns, const Triangle& triangle,
                      const T* a, const T* b, T* x) {
  for_matrices(batch.count, n, columns, [&](std::int64_t first, std::int64_t count) {
    PairOffsets at(batch, first);
    for (std::int64_t i = first; i < first + count; ++i, at.next()) {
      const T* const matrix = a + at.a();
      for (std::int64_t k = 0; k < n && !triangle.unit_diagonal; ++k)
        if (matrix[k * (n + 1)] == 0) throw BadPivot{i, k, 0};
      T* const to = x + i * n * columns;
      std::copy_n(b + at.b(), n * columns, to);
      best<Factorize, T>([&](auto k) {
        k.solve_triangle(TriangularMatrix<T>{n, matrix, triangle}, columns, to);
      });
    }
  });
}

template <class T>
void cholesky(std::int64_t entries, std::int64_t n, const T* a, T* l) {
  for_matrices(entries, n, 0, [&](std::int64_t first, std::int64_t count) {
    const Scratch<T> column(n);
    for (std::int64_t entry = first; entry < first + count; ++entry) {
      const T* const from = a + entry * n * n;
      T* const to = l + entry * n * n;
      for (std::int64_t i = 0; i < n; ++i) {
        std::copy_n(from + i * n, i + 1, to + i * n);
        std::fill_n(to + i * (n + 1) + 1, n - i - 1, T(0));
      }
      const std::int64_t bad =
          best<Factorize, T>([&](auto k) { return k.factorize_cholesky(n, to, column.get()); });
      if (bad < n) throw BadPivot{entry, bad, static_cast<double>(to[bad * (n + 1)])};
    }
  });
}

template <class T>
void det(std::int64_t entries, std::int64_t n, const T* a, T* det) {
  for_matrices(entries, n, 0, [&](std::int64_t first, std::int64_t count) {
    const LuMemory<T> memory(n, false);
    for (std::int64_t i = first; i < first + count; ++i) {
      const LuFactors<T> factors = memory.factorize(a + i * n * n);
      double product = factors.odd ? -1 : 1;
      for (std::int64_t k = 0; k < n; ++k) product *= static_cast<double>(factors.lu[k * (n + 1)]);
      det[i] = static_cast<T>(product);
    }
  });
}

template <class T>
void slogdet(std::int64_t entries, std::int64_t n, const T* a, T* sign, T* log) {
  for_matrices(entries, n, 0, [&](std::int64_t first, std::int64_t count) {
    const LuMemory<T> memory(n, false);
    for (std::int64_t i = first; i < first + count; ++i) {
      const LuFactors<T> factors = memory.factorize(a + i * n * n);
      double sign_of_product = factors.odd ? -1 : 1, sum = 0;
      for (std::int64_t k = 0; k < n; ++k) {
        const auto pivot = static_cast<double>(factors.lu[k * (n + 1)]);
        sign_of_product *= pivot > 0 ? 1 : pivot < 0 ? -1 : pivot;  // 0 and NaN stay what they are
        sum += std::log(std::abs(pivot));
      }
      sign[i] = static_cast<T>(sign_of_product);
      log[i] = static_cast<T>(sum);
    }
  });
}

template <class T>
void cofactors(std::int64_t entries, std::int64_t n, const T* a, T* c) {
  for_matrices(entries, n, n, [&](std::int64_t first, std::int64_t count) {
    const LuMemory<T> memory(n, true);
    const Scratch<T> z(n * n);
    for (std::int64_t i = first; i < first + count; ++i) {
      const LuFactors<T> factors = memory.factorize(a + i * n * n);
      best<Factorize, T>([&](auto k) { k.cofactors_from(factors, z.get(), c + i * n * n); });
    }
  });
}

#define ADJOINT_INSTANTIATE(T)                                                                            \
  template void solve(const PairBatch&, std::int64_t, std::int64_t, bool, const T*, const T*, T*);        \
  template void triangular_solve(const PairBatch&, std::int64_t, std::int64_t, const Triangle&, const T*, \
                                 const T*, T*);                                                           \
  template void cholesky(std::int64_t, std::int64_t, const T*, T*);                                       \
  template void det(std::int64_t, std::int64_t, const T*, T*);                                            \
  template void slogdet(std::int64_t, std::int64_t, const T*, T*, T*);                                    \
  template void cofactors(std::int64_t, std::int64_t, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
