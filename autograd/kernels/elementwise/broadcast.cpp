#include "autograd/kernels/elementwise/broadcast.h"

#include <algorithm>

#include "autograd/kernels/elementwise/broadcast_axes.h"
#include "autograd/kernels/elementwise/rows.h"
#include "autograd/kernels/threads/parallel.h"

namespace adjoint::kernels {
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
  template void broadcast(const Loops&, const std::array<const Shape*, kMaxOperands>&, const Operands<T>&, \
                          const Shape&, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
ADJOINT_INSTANTIATE(std::int64_t);
#undef ADJOINT_INSTANTIATE

template void broadcast_to(const Shape&, const float*, const Shape&, float*);
template void broadcast_to(const Shape&, const double*, const Shape&, double*);
template void broadcast_to(const Shape&, const std::int64_t*, const Shape&, std::int64_t*);
template void broadcast_to(const Shape&, const bool*, const Shape&, bool*);

}  // namespace adjoint::kernels
