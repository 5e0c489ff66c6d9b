#include "adjoint/ops/slice.h"

#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/shape.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/ops/shape/box.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

Tensor triangle(const char* op, const Tensor& x, bool lower, std::int64_t diagonal) {
  check_shape(x.rank() >= 2, "{}: x must have at least 2 axes, it is {}", op, x.shape());
  const std::int64_t rows = x.size(-2), columns = x.size(-1);
  const std::int64_t count = rows * columns == 0 ? 0 : x.numel() / (rows * columns);
  Values y(x.dtype(), x.shape());
  kernels::copy_triangles(size_of(x.dtype()), lower, diagonal, count, rows, columns,
                          ops::bytes_of(x.values()), ops::writable_bytes(y));
  return record(op, std::move(y), {x},
                [=](const Tensor& dy, Needs) -> Grads { return {triangle(op, dy, lower, diagonal)}; });
}

/// Along one axis, which is counted from 0; shift is in [0, size of the axis).
Tensor rolled(const Tensor& x, std::int64_t shift, int axis) {
  if (shift == 0) return pass_through("roll", x);
  const std::int64_t size = x.size(axis);
  Values y(x.dtype(), x.shape());
  const auto move = [&](std::int64_t from, std::int64_t to, std::int64_t count) {
    ops::Box source(x.shape()), target(x.shape());
    source.keep(axis, from, 1, count);
    target.keep(axis, to, 1, count);
    ops::copy_box(x.values(), source, y, target);
  };
  move(0, shift, size - shift);
  move(size - shift, 0, shift);
  return record("roll", std::move(y), {x},
                [=](const Tensor& dy, Needs) -> Grads { return {rolled(dy, size - shift, axis)}; });
}

}  // namespace

Tensor slice(const Tensor& x, int axis, const Slice& positions) {
  axis = ops::checked_axis("slice", x, axis);
  const auto [begin, step, count] = ops::positions("slice", positions, x.size(axis));
  ops::Box box(x.shape());
  box.keep(axis, begin, step, count);
  return ops::read_box("slice", x, box);
}

Tensor select(const Tensor& x, int axis, std::int64_t index) {
  axis = ops::checked_axis("select", x, axis);
  const std::int64_t size = x.size(axis);
  check_shape(index >= -size && index < size, "select: index {} is out of range for axis {}; x is {}", index,
              axis, x.shape());
  ops::Box box(x.shape());
  box.take(axis, index < 0 ? index + size : index);
  return ops::read_box("select", x, box);
}

Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length) {
  axis = ops::checked_axis("narrow", x, axis);
  const std::int64_t size = x.size(axis);
  const std::int64_t begin = start < 0 ? start + size : start;
  check_shape(begin >= 0 && begin <= size && length >= 0 && length <= size - begin,
              "narrow: start {} and length {} do not lie in axis {}; x is {}", start, length, axis,
              x.shape());
  ops::Box box(x.shape());
  box.keep(axis, begin, 1, length);
  return ops::read_box("narrow", x, box);
}

Tensor diagonal(const Tensor& x, const DiagonalOptions& options) {
  const int axis0 = ops::checked_axis("diagonal", x, options.axis0),
            axis1 = ops::checked_axis("diagonal", x, options.axis1);
  check_shape(axis0 != axis1, "diagonal: axis0 and axis1 must be different, both are {}; x is {}", axis0,
              x.shape());
  ops::Box box(x.shape());
  box.take_diagonal(axis0, axis1, options.offset);
  return ops::read_box("diagonal", x, box);
}

Tensor diag(const Tensor& x, std::int64_t offset) {
  check_shape(x.rank() == 1 || x.rank() == 2, "diag: x must have 1 or 2 axes, it is {}", x.shape());
  if (x.rank() == 2) return diagonal(x, {.offset = offset});
  std::int64_t size = 0;
  check_shape(!(offset >= 0 ? __builtin_add_overflow(x.numel(), offset, &size)
                            : __builtin_sub_overflow(x.numel(), offset, &size)),
              "diag: offset {} is too large", offset);
  ops::Box box(Shape{size, size});
  box.take_diagonal(0, 1, offset);
  return ops::write_box("diag", x, box);
}

Tensor tril(const Tensor& x, std::int64_t diagonal) { return triangle("tril", x, /*lower=*/true, diagonal); }
Tensor triu(const Tensor& x, std::int64_t diagonal) { return triangle("triu", x, /*lower=*/false, diagonal); }

Tensor flip(const Tensor& x, std::span<const int> axes) {
  ops::Box box(x.shape());
  bool flipped[Shape::kMaxRank] = {};
  for (const int given : axes) {
    const int axis = ops::checked_axis("flip", x, given);
    check_shape(!std::exchange(flipped[axis], true), "flip: axis {} is given twice; x is {}", given,
                x.shape());
    box.keep(axis, x.size(axis) - 1, -1, x.size(axis));
  }
  return ops::read_box("flip", x, box);
}
Tensor flip(const Tensor& x, std::initializer_list<int> axes) {
  return flip(x, std::span(axes.begin(), axes.size()));
}
Tensor flip(const Tensor& x, int axis) { return flip(x, {axis}); }

Tensor roll(const Tensor& x, std::int64_t shift, int axis) {
  axis = ops::checked_axis("roll", x, axis);
  const std::int64_t size = x.size(axis);
  if (size == 0) return pass_through("roll", x);
  shift %= size;
  return rolled(x, shift < 0 ? shift + size : shift, axis);
}

Tensor roll(const Tensor& x, std::span<const std::int64_t> shifts, std::span<const int> axes) {
  check_shape(shifts.size() == axes.size(), "roll: each axis needs one shift; axes are {}, shifts are {}",
              Listed(axes), Listed(shifts));
  Tensor y = x;
  for (std::size_t i = 0; i < axes.size(); ++i) y = roll(y, shifts[i], axes[i]);
  return axes.empty() ? pass_through("roll", x) : y;
}
Tensor roll(const Tensor& x, std::initializer_list<std::int64_t> shifts, std::initializer_list<int> axes) {
  return roll(x, std::span(shifts.begin(), shifts.size()), std::span(axes.begin(), axes.size()));
}
Tensor roll(const Tensor& x, std::int64_t shift) {
  return reshape(roll(reshape(x, {x.numel()}), shift, 0), x.shape());
}

}  // namespace adjoint
