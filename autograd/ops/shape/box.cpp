#include "autograd/ops/shape/box.h"

#include <algorithm>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/shape.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::ops {
namespace {

constexpr std::int64_t kMaxRank = Shape::kMaxRank;

void fill(Values& y, double value) {
  if (value == 0)
    return kernels::clear(y.numel() * static_cast<std::int64_t>(size_of(y.dtype())), writable_bytes(y));
  visit(y.dtype(), [&]<class T>() {
    T* to = y.writable<T>();
    kernels::for_chunks(
        y.numel(), y.numel() * kernels::kElementWork,
        [&](std::int64_t first, std::int64_t n) { std::fill_n(to + first, n, static_cast<T>(value)); });
  });
}

}  // namespace

Box::Box(const Shape& whole) : whole_(whole), rank_(whole.rank()) {
  std::copy(whole.begin(), whole.end(), sizes_);
  std::int64_t step = 1;
  for (int axis = rank_ - 1; axis >= 0; --axis) {
    strides_[axis] = step;
    step *= sizes_[axis];
  }
}

void Box::keep(int axis, std::int64_t begin, std::int64_t step, std::int64_t count) {
  if (count > 0) offset_ += begin * strides_[axis];
  if (count > 1) strides_[axis] *= step;  // Otherwise, step may be too large to multiply with.
  sizes_[axis] = count;
}

void Box::take(int axis, std::int64_t position) {
  offset_ += position * strides_[axis];
  std::copy(sizes_ + axis + 1, sizes_ + rank_, sizes_ + axis);
  std::copy(strides_ + axis + 1, strides_ + rank_, strides_ + axis);
  --rank_;
}

void Box::take_diagonal(int axis0, int axis1, std::int64_t offset) {
  const std::int64_t rows = sizes_[axis0], columns = sizes_[axis1];
  const std::int64_t length = std::max<std::int64_t>(
      0, offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns));
  const std::int64_t stride = strides_[axis0] + strides_[axis1];
  if (length > 0) offset_ += offset >= 0 ? offset * strides_[axis1] : -offset * strides_[axis0];
  take(std::max(axis0, axis1), 0);
  take(std::min(axis0, axis1), 0);
  sizes_[rank_] = length;
  strides_[rank_++] = stride;
}

Shape Box::shape() const {
  return Shape(std::span<const std::int64_t>(sizes_, static_cast<std::size_t>(rank_)));
}

bool Box::is_everything() const {
  std::int64_t step = 1;
  for (int axis = rank_ - 1; axis >= 0; --axis) {
    if (sizes_[axis] != 1 && strides_[axis] != step) return false;
    step *= sizes_[axis];
  }
  return step == whole_.numel();
}

bool Box::write_framed(const Values& x, double background, Values& y) const {
  if (rank_ != whole_.rank() || rank_ == 0 || x.numel() == 0) return false;
  kernels::FramedAxis axes[kMaxRank];
  std::int64_t step = 1, left = offset_;
  for (int axis = rank_ - 1; axis >= 0; --axis) {
    if (strides_[axis] != step) return false;
    axes[axis] = {whole_[axis], left % whole_[axis], sizes_[axis]};
    left /= whole_[axis];
    step *= whole_[axis];
  }
  visit(x.dtype(), [&]<class T>() {
    const T element = static_cast<T>(background);
    kernels::copy_framed(sizeof(T), {axes, static_cast<std::size_t>(rank_)}, &element, bytes_of(x),
                         writable_bytes(y));
  });
  return true;
}

void copy_box(const Values& x, const Box& from, Values& y, const Box& to) {
  kernels::CopyAxis axes[kMaxRank];
  for (int axis = 0; axis < from.rank_; ++axis)
    axes[axis] = {from.sizes_[axis], from.strides_[axis], to.strides_[axis]};
  const auto bytes = static_cast<std::int64_t>(size_of(x.dtype()));
  kernels::copy_strided(size_of(x.dtype()), {axes, static_cast<std::size_t>(from.rank_)},
                        static_cast<const std::byte*>(bytes_of(x)) + from.offset_ * bytes,
                        static_cast<std::byte*>(writable_bytes(y)) + to.offset_ * bytes);
}

Tensor read_box(const char* op, const Tensor& x, const Box& box) {
  const Shape shape = box.shape();
  if (box.is_everything()) return shape == x.shape() ? pass_through(op, x) : reshape(x, shape);
  Values y(x.dtype(), shape);
  copy_box(x.values(), box, y, Box(shape));
  return record(op, std::move(y), {x},
                [op, box](const Tensor& dy, Needs) -> Grads { return {write_box(op, dy, box)}; });
}

Tensor write_box(const char* op, const Tensor& x, const Box& box, double background) {
  const Shape& shape = box.whole();
  if (box.is_everything()) return shape == x.shape() ? pass_through(op, x) : reshape(x, shape);
  Values y(x.dtype(), shape);
  if (!box.write_framed(x.values(), background, y)) {
    if (x.numel() != y.numel()) fill(y, background);
    copy_box(x.values(), Box(x.shape()), y, box);
  }
  return record(op, std::move(y), {x},
                [op, box](const Tensor& dy, Needs) -> Grads { return {read_box(op, dy, box)}; });
}

Positions positions(const char* op, const Slice& slice, std::int64_t size) {
  check(slice.step != 0, "{}: step must not be 0", op);
  const bool forward = slice.step > 0;
  const std::int64_t least = forward ? 0 : -1, most = forward ? size : size - 1;
  const auto position = [&](const std::optional<std::int64_t>& given, std::int64_t otherwise) {
    if (!given) return otherwise;
    return std::clamp(*given < 0 ? *given + size : *given, least, most);
  };
  const std::int64_t begin = position(slice.begin, forward ? least : most),
                     end = position(slice.end, forward ? most : least);
  if (forward ? begin >= end : begin <= end) return {0, 1, 0};
  return {begin, slice.step, (end - begin - (forward ? 1 : -1)) / slice.step + 1};
}

}  // namespace adjoint::ops
