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

  std::span<const std::int64_t> batch_sizes() const { return {sizes, static_cast<std::size_t>(rank)}; }
  /// The batch axes followed by more axes.
  Shape with(std::initializer_list<std::int64_t> more) const {
    std::int64_t all[Shape::kMaxRank + 2];
    std::copy(more.begin(), more.end(), std::copy_n(sizes, rank, all));
    return Shape(std::span<const std::int64_t>(all, static_cast<std::size_t>(rank) + more.size()));
  }
};

/// The pairs of a and b, which have at least two axes. Throws ShapeError unless the batch axes broadcast.
inline Pairs pairs_of(const char* op, const Tensor& a, const Tensor& b) {
  const int a_rank = a.rank() - 2, b_rank = b.rank() - 2;
  Pairs pairs;
  pairs.rank = std::max(a_rank, b_rank);
  std::int64_t a_step = a.size(-2) * a.size(-1), b_step = b.size(-2) * b.size(-1);
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
