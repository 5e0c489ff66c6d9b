#include "autograd/kernels/linalg/transpose.h"

#include <algorithm>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/linalg/transpose.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/transpose-inl.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Transpose;

template <class T>
struct Transpose<HWY_TARGET, T> {
  static constexpr auto transpose = HWY_NAMESPACE::transpose_exactly<T>;
};

template <>
struct Transpose<HWY_TARGET, bool> {
  static void transpose(const bool* x, std::int64_t x_row, std::int64_t rows, std::int64_t columns, bool* y,
                        std::int64_t y_row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      for (std::int64_t row = 0; row < rows; ++row) y[column * y_row + row] = x[row * x_row + column];
    }
  }
};

}  // namespace
}  // namespace adjoint::kernels

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

struct Axis {
  std::int64_t size, from, to;  // A step along it moves by `from` in x and by `to` in y.
};

/// The axes of y from the last to the first. Axes of size 1 are left out, and axes that are neighbors in both
/// arrays are merged.
struct Axes {
  int rank = 0;
  Axis axes[Shape::kMaxRank];

  Axes(const Shape& x_shape, std::span<const int> order) {
    std::int64_t from[Shape::kMaxRank];
    for (std::int64_t axis = x_shape.rank() - 1, step = 1; axis >= 0; --axis) {
      from[axis] = step;
      step *= x_shape.begin()[axis];
    }
    std::int64_t to = 1;
    for (int k = x_shape.rank() - 1; k >= 0; --k) {
      append({x_shape.begin()[order[k]], from[order[k]], to});
      to *= x_shape.begin()[order[k]];
    }
  }

  void append(const Axis& axis) {
    if (axis.size == 1) return;
    if (rank > 0 && axis.from == axes[rank - 1].from * axes[rank - 1].size) {
      axes[rank - 1].size *= axis.size;
    } else {
      axes[rank++] = axis;
    }
  }

  /// The offsets in x and in y of element number `flat` of the axes from `first` on.
  std::pair<std::int64_t, std::int64_t> offsets(int first, std::int64_t flat) const {
    std::int64_t from = 0, to = 0;
    for (int k = first; k < rank; ++k) {
      const std::int64_t index = flat % axes[k].size;
      flat /= axes[k].size;
      from += index * axes[k].from;
      to += index * axes[k].to;
    }
    return {from, to};
  }
};

/// The last axis is the same in both arrays: copies runs of n elements.
template <class T>
void copy_runs(const Axes& axes, std::int64_t count, const T* x, T* y) {
  const std::int64_t n = axes.axes[0].size;
  for_chunks_of(parts_in_chunk(n), count / n, count * kElementWork,
                [&](std::int64_t first, std::int64_t runs) {
                  for (std::int64_t run = first; run < first + runs; ++run) {
                    const auto [from, to] = axes.offsets(1, run);
                    std::copy_n(x + from, n, y + to);
                  }
                });
}

/// Axis 0, y's last, becomes the rows of matrices whose columns are axis 1, x's last.
template <class T>
void transpose_matrices(const Axes& axes, std::int64_t count, const T* x, T* y) {
  const auto [row, column] = std::pair(axes.axes[0], axes.axes[1]);
  const std::int64_t matrices = count / (row.size * column.size);
  const std::int64_t width =
      std::clamp<std::int64_t>(kChunkElements / row.size / 16 * 16, 16, kChunkElements);
  const std::int64_t strips = divide_up(column.size, width);
  parallel_for(matrices * strips, count * kElementWork, [&, row = row, column = column](std::int64_t chunk) {
    const auto [from, to] = axes.offsets(2, chunk / strips);
    const std::int64_t first = chunk % strips * width;
    best<Transpose, T>([&, from = from, to = to](auto k) {
      k.transpose(x + from + first, row.from, row.size, std::min(width, column.size - first),
                  y + to + first * column.to, column.to);
    });
  });
}

}  // namespace

template <class T>
void permute(const Shape& x_shape, std::span<const int> order, const T* x, T* y) {
  const std::int64_t count = x_shape.numel();
  if (count == 0) return;
  Axes axes(x_shape, order);
  if (axes.rank == 0 || axes.axes[0].from == 1) {
    if (axes.rank <= 1) return static_cast<void>(std::copy_n(x, count, y));
    return copy_runs(axes, count, x, y);
  }
  for (int k = 2; k < axes.rank; ++k) {
    if (axes.axes[k].from == 1) std::swap(axes.axes[1], axes.axes[k]);
  }
  transpose_matrices(axes, count, x, y);
}

template <class T>
void transpose(std::int64_t batch, std::int64_t rows, std::int64_t columns, const T* x, T* y) {
  const int order[] = {0, 2, 1};
  permute({batch, rows, columns}, order, x, y);
}

#define ADJOINT_INSTANTIATE(T)                                             \
  template void permute(const Shape&, std::span<const int>, const T*, T*); \
  template void transpose(std::int64_t, std::int64_t, std::int64_t, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
ADJOINT_INSTANTIATE(std::int64_t);
ADJOINT_INSTANTIATE(bool);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
