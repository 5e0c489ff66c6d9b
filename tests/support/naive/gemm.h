#pragma once
// The product of two matrices by three loops.

#include <cstdint>
#include <vector>

#include "autograd/kernels/linalg/gemm.h"

namespace adjoint::support {

/// C = op(A) op(B), added up in the type E.
template <class E = double, class T>
std::vector<E> naive_gemm(const kernels::GemmSizes& s, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<E> c;
  for (std::int64_t r = 0; r < s.rows; ++r)
    for (std::int64_t j = 0; j < s.columns; ++j) {
      E sum = 0;
      for (std::int64_t k = 0; k < s.depth; ++k)
        sum += static_cast<E>(a[s.transpose_a ? k * s.rows + r : r * s.depth + k]) *
               b[s.transpose_b ? j * s.depth + k : k * s.columns + j];
      c.push_back(sum);
    }
  return c;
}

}  // namespace adjoint::support
