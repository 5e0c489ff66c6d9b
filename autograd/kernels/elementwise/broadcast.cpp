#include "autograd/kernels/elementwise/broadcast.h"

#include <algorithm>

#include "autograd/kernels/elementwise/broadcast_axes.h"
#include "autograd/kernels/elementwise/rows.h"
#include "autograd/kernels/threads/parallel.h"

namespace adjoint::kernels {
namespace {

/// Calls body(offsets, y offset, rows, n) for blocks of rows that make up the array of axes. The last axis
/// runs along a row, and the one before it over the rows of a block. Long rows are cut.
template <int Count, class Body>
void for_rows(const BroadcastAxes<Count>& axes, std::int64_t work, const Body& body) {
  constexpr std::int64_t kChunk = 16384;
  const std::int64_t n = axes.rank > 0 ? axes.sizes[0] : 1;
  const std::int64_t rows = axes.rank > 1 ? axes.sizes[1] : 1;
  const std::int64_t blocks = axes.count_from(2);
  if (n * rows * blocks == 0) return;
  if (blocks == 1 && n * rows <= kChunk) return body({}, 0, rows, n);
  const std::int64_t chunk_columns = std::min(n, kChunk),
                     chunk_rows = std::clamp<std::int64_t>(kChunk / n, 1, rows);
  const std::int64_t across = (n + chunk_columns - 1) / chunk_columns,
                     down = (rows + chunk_rows - 1) / chunk_rows;
  parallel_for(blocks * down * across, n * rows * blocks * work, [&](std::int64_t chunk) {
    const std::int64_t column = chunk % across * chunk_columns;
    const std::int64_t row = chunk / across % down * chunk_rows;
    const std::int64_t block = chunk / across / down;
    auto offsets = axes.offsets(2, block);
    for (int k = 0; k < Count; ++k) offsets[k] += column * axes.strides[0][k] + row * axes.strides[1][k];
    body(offsets, (block * rows + row) * n + column, std::min(chunk_rows, rows - row),
         std::min(chunk_columns, n - column));
  });
}

}  // namespace

template <class T>
void broadcast_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y) {
  const BroadcastAxes<1> axes(y_shape, {&x_shape});
  for_rows(axes, kElementWork,
           [&](const std::array<std::int64_t, 1>& at, std::int64_t out, std::int64_t rows, std::int64_t n) {
             for (std::int64_t row = 0; row < rows; ++row) {
               const T* from = x + at[0] + row * axes.strides[1][0];
               T* to = y + out + row * n;
               if (axes.strides[0][0] == 0) {
                 std::fill_n(to, n, *from);
               } else {
                 std::copy_n(from, n, to);
               }
             }
           });
}

template <class T>
void broadcast(const Loops& f, const std::array<const Shape*, kMaxOperands>& shapes,
               const Operands<T>& operands, const Shape& y_shape, T* y) {
  bool alike = true;
  for (int k = 0; k < f.operands; ++k) alike = alike && *shapes[k] == y_shape;
  if (alike) return map<T>(f, y_shape.numel(), operands, y);

  std::array<const Shape*, kMaxOperands> parts = shapes;
  for (int k = f.operands; k < kMaxOperands; ++k) parts[k] = &y_shape;  // Merges axes with any other.
  const BroadcastAxes<kMaxOperands> axes(y_shape, parts);
  for_rows(axes, f.work,
           [&](const std::array<std::int64_t, kMaxOperands>& at, std::int64_t out, std::int64_t rows,
               std::int64_t n) {
             RowOperands<T> row = {};
             for (int k = 0; k < f.operands; ++k) {
               row.values[k] = operands[k] + at[k];
               row.steps[k] = axes.strides[0][k];
               row.row_steps[k] = axes.strides[1][k];
             }
             map_rows<T>(f, rows, n, row, y + out);
           });
}

#define ADJOINT_INSTANTIATE(T)                                                                             \
  template void broadcast_to(const Shape&, const T*, const Shape&, T*);                                    \
  template void broadcast(const Loops&, const std::array<const Shape*, kMaxOperands>&, const Operands<T>&, \
                          const Shape&, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
ADJOINT_INSTANTIATE(std::int64_t);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
