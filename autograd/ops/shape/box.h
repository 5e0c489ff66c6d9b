#pragma once
// Boxes: parts of an array that strides describe. Slices, diagonals, constant padding, crops and the parts of
// a joined tensor are boxes. Reading a box and writing one into zeros are each other's gradient.

#include "adjoint/ops/slice.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint::ops {

/// Element (i_0, i_1, ...) of the box is element offset + i_0 strides[0] + i_1 strides[1] + ... of a
/// row-major array of shape `whole`. No two elements of the box are the same element of the array.
class Box {
 public:
  /// The whole array. Axes are then changed one by one, so that one box stands for several slices.
  explicit Box(const Shape& whole);

  int rank() const { return rank_; }
  std::int64_t size(int axis) const { return sizes_[axis]; }
  /// Keeps `count` positions along axis: begin, begin + step, ... They must exist.
  void keep(int axis, std::int64_t begin, std::int64_t step, std::int64_t count);
  /// Keeps one position and removes the axis.
  void take(int axis, std::int64_t position);
  /// Keeps a diagonal of two axes, removes them, and adds the diagonal as the last axis.
  void take_diagonal(int axis0, int axis1, std::int64_t offset);

  Shape shape() const;
  const Shape& whole() const& { return whole_; }
  /// True when the elements are all elements of the array, in order. The shape may be another one.
  bool is_everything() const;
  /// y = x in this box and `background` elsewhere, if all steps are 1 and no axis was removed; otherwise,
  /// returns false.
  bool write_framed(const Values& x, double background, Values& y) const;

 private:
  friend void copy_box(const Values& x, const Box& from, Values& y, const Box& to);

  Shape whole_;
  int rank_;
  std::int64_t offset_ = 0;
  std::int64_t sizes_[Shape::kMaxRank], strides_[Shape::kMaxRank];
};

/// The values of y in the box `to` = the values of x in the box `from`. The boxes have the same sizes, and
/// those of the arrays as their wholes. Other values of y do not change.
void copy_box(const Values& x, const Box& from, Values& y, const Box& to);

/// y = x in the box. x has the shape box.whole().
Tensor read_box(const char* op, const Tensor& x, const Box& box);
/// y = x in the box, and `background` elsewhere. y has the shape box.whole(), and x that of the box.
Tensor write_box(const char* op, const Tensor& x, const Box& box, double background = 0);

/// A slice along an axis of this size: begin is a position if count is not 0.
struct Positions {
  std::int64_t begin, step, count;
};
Positions positions(const char* op, const Slice& slice, std::int64_t size);

/// The row-major values as bytes, for kernels that move elements of any type.
inline const void* bytes_of(const Values& x) { return x.row_major_buffer()->data(); }
inline void* writable_bytes(Values& y) { return y.row_major_buffer()->data(); }

}  // namespace adjoint::ops
