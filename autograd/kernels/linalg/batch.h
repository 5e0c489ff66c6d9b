#pragma once
// Batches of operations on pairs of matrices, such as products a[i] b[i], where the batch axes of a and b
// broadcast.

#include <cstdint>
#include <utility>

#include "adjoint/tensor/shape.h"

namespace adjoint::kernels {

/// Where the matrices of each pair begin. Axes are listed from the last to the first.
struct PairBatch {
  struct Axis {
    std::int64_t size, a_step, b_step;  // in elements, from one pair to the next; 0 if a matrix is repeated
  };
  std::int64_t count = 1;
  int rank = 0;
  Axis axes[Shape::kMaxRank];

  /// Adds an axis in front of the others. It becomes one with its neighbor if that gives the same pairs.
  void prepend(const Axis& axis) {
    count *= axis.size;
    if (axis.size == 1) return;
    Axis* const next = rank > 0 ? &axes[rank - 1] : nullptr;
    if (next != nullptr && axis.a_step == next->a_step * next->size &&
        axis.b_step == next->b_step * next->size) {
      next->size *= axis.size;
    } else {
      axes[rank++] = axis;
    }
  }
  /// Exchanges a and b.
  void swap() {
    for (int k = 0; k < rank; ++k) std::swap(axes[k].a_step, axes[k].b_step);
  }
};

/// The offsets of one pair after the other.
class PairOffsets {
 public:
  PairOffsets(const PairBatch& batch, std::int64_t first) : batch_(batch) {
    for (int k = 0; k < batch.rank; ++k) {
      const auto& axis = batch.axes[k];
      index_[k] = first % axis.size;
      first /= axis.size;
      a_ += index_[k] * axis.a_step;
      b_ += index_[k] * axis.b_step;
    }
  }
  std::int64_t a() const { return a_; }
  std::int64_t b() const { return b_; }
  void next() {
    for (int k = 0; k < batch_.rank; ++k) {
      const auto& axis = batch_.axes[k];
      a_ += axis.a_step;
      b_ += axis.b_step;
      if (++index_[k] < axis.size) return;
      index_[k] = 0;
      a_ -= axis.size * axis.a_step;
      b_ -= axis.size * axis.b_step;
    }
  }

 private:
  const PairBatch& batch_;
  std::int64_t a_ = 0, b_ = 0, index_[Shape::kMaxRank];
};

}  // namespace adjoint::kernels
