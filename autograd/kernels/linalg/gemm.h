#pragma once
// Matrix products of row-major arrays.

#include <cstdint>

#include "autograd/kernels/linalg/batch.h"

namespace adjoint::kernels {

/// C [rows, columns] = op(A) op(B): op(A) is [rows, depth], op(B) is [depth, columns], where op transposes
/// its argument when the flag is set, so that A is stored as [rows, depth] or [depth, rows], B as [depth,
/// columns] or [columns, depth]. Sizes may be 0.
struct GemmSizes {
  std::int64_t rows, columns, depth;
  bool transpose_a = false, transpose_b = false;
};

// T is float or double. The results do not depend on the number of threads. C must not overlap A or B.

/// C = op(A) op(B), or C += op(A) op(B) when accumulate is set.
template <class T>
void gemm(const GemmSizes& sizes, const T* a, const T* b, T* c, bool accumulate = false);

/// C[i] = op(A[i]) op(B[i]) for each pair i of a batch. C is row-major: [pairs, rows, columns].
template <class T>
void gemm_batch(const GemmSizes& sizes, PairBatch batch, const T* a, const T* b, T* c);

/// C[r, j] = sum_k op(A)[r, k] op(B)[k, j] + addend[j].
template <class T>
void gemm_plus_row(const GemmSizes& sizes, const T* a, const T* b, const T* addend, T* c);

}  // namespace adjoint::kernels
