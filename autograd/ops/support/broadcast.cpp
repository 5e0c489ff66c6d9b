#include "autograd/ops/support/broadcast.h"

#include <algorithm>

#include "autograd/kernels/layout/interleaved.h"

namespace adjoint {
namespace ops {
namespace {

bool has_batch_of(const Shape& y_shape, const Shape& x_shape) {
  return x_shape.rank() == y_shape.rank() && x_shape.rank() > 0 && x_shape[0] == y_shape[0];
}

}  // namespace

Shape with_last_axis(const Shape& shape, std::int64_t size) {
  std::int64_t sizes[Shape::kMaxRank + 1];
  std::copy(shape.begin(), shape.end(), sizes);
  sizes[shape.rank()] = size;
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(shape.rank()) + 1));
}

Shape interleaved_view(const Shape& shape, DType dtype) {
  return visit_floating(dtype, [&]<class T>() {
    return with_last_axis(shape.with(0, kernels::interleaved_blocks<T>(shape[0])), kernels::kInterleaved<T>);
  });
}

Operand operand(const Values& x, const Shape& y_shape, Layout y_layout) {
  if (y_layout == Layout::row_major) return {Layout::row_major, x.shape()};
  if (has_batch_of(y_shape, x.shape())) return {Layout::interleaved, interleaved_view(x.shape(), x.dtype())};
  return {Layout::row_major, with_last_axis(x.shape(), 1)};
}

}  // namespace ops

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  std::int64_t sizes[Shape::kMaxRank];
  const int rank = std::max(a.rank(), b.rank());
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t of_a = i <= a.rank() ? a[-i] : 1, of_b = i <= b.rank() ? b[-i] : 1;
    check_shape(of_a == of_b || of_a == 1 || of_b == 1,
                "{}: the shapes do not broadcast, axis {} from the end differs; a is {}, b is {}", op, i, a,
                b);
    sizes[rank - i] = of_a == 1 ? of_b : of_a;
  }
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(rank)));
}

}  // namespace adjoint
