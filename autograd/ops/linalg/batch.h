#pragma once
// Ops on the matrices in the last two axes of their arguments. The other axes are a batch. Those of two
// arguments broadcast.

#include <algorithm>

#include "adjoint/tensor/tensor.h"
#include "autograd/kernels/linalg/batch.h"

namespace adjoint::ops {

/// The pairs of matrices of a and b, and the batch axes of the result.
struct Pairs {
  kernels::PairBatch batch;
  int rank;
  std::int64_t sizes[Shape::kMaxRank];

  /// The batch axes followed by more axes.
  Shape with(std::initializer_list<std::int64_t> more) const {
    std::int64_t all[Shape::kMaxRank + 2];
    std::copy(more.begin(), more.end(), std::copy_n(sizes, rank, all));
    return Shape(std::span<const std::int64_t>(all, static_cast<std::size_t>(rank) + more.size()));
  }
};

/// The pairs of a, whose matrices are its last two axes, and b, which has one or two axes that are not of the
/// batch. Throws ShapeError unless the batch axes broadcast.
inline Pairs pairs_of(const char* op, const Tensor& a, const Tensor& b, int b_matrix_rank = 2) {
  const auto batch_rank_of = [](const Tensor& x, int matrix_rank) { return x.rank() - matrix_rank; };
  const auto matrix_size = [](const Tensor& x, int batch_rank) {
    std::int64_t size = 1;
    for (int axis = batch_rank; axis < x.rank(); ++axis) size *= x.size(axis);
    return size;
  };
  const int a_rank = batch_rank_of(a, 2), b_rank = batch_rank_of(b, b_matrix_rank);
  Pairs pairs;
  pairs.rank = std::max(a_rank, b_rank);
  std::int64_t a_step = matrix_size(a, a_rank), b_step = matrix_size(b, b_rank);
  for (int k = 1; k <= pairs.rank; ++k) {  // from the last batch axis to the first
    const std::int64_t a_size = k <= a_rank ? a.size(a_rank - k) : 1;
    const std::int64_t b_size = k <= b_rank ? b.size(b_rank - k) : 1;
    check_shape(a_size == b_size || a_size == 1 || b_size == 1,
                "{}: the batch axes do not broadcast; a is {}, b is {}", op, a.shape(), b.shape());
    const std::int64_t size = a_size == 1 ? b_size : a_size;
    pairs.sizes[pairs.rank - k] = size;
    pairs.batch.prepend({size, a_size == 1 ? 0 : a_step, b_size == 1 ? 0 : b_step});
    a_step *= a_size;
    b_step *= b_size;
  }
  return pairs;
}

}  // namespace adjoint::ops
