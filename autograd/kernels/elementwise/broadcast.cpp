#include "autograd/kernels/elementwise/broadcast.h"

#include <algorithm>

#include "autograd/kernels/elementwise/broadcast_axes.h"
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

template <class T, class Y>
void broadcast_rows(RowFunction<T, Y> f, std::int64_t work, const Shape& a_shape, const T* a,
                    const Shape& b_shape, const T* b, const Shape& y_shape, Y* y) {
  const BroadcastAxes<2> axes(y_shape, {&a_shape, &b_shape});
  for_rows(axes, work,
           [&](const std::array<std::int64_t, 2>& at, std::int64_t out, std::int64_t rows, std::int64_t n) {
             f(rows, n, {a + at[0], axes.strides[0][0], axes.strides[1][0]},
               {b + at[1], axes.strides[0][1], axes.strides[1][1]}, y + out);
           });
}

#define ADJOINT_INSTANTIATE(T, Y)                                                                     \
  template void broadcast_rows(RowFunction<T, Y>, std::int64_t, const Shape&, const T*, const Shape&, \
                               const T*, const Shape&, Y*)
ADJOINT_INSTANTIATE(float, float);
ADJOINT_INSTANTIATE(float, bool);
ADJOINT_INSTANTIATE(double, double);
ADJOINT_INSTANTIATE(double, bool);
ADJOINT_INSTANTIATE(std::int64_t, std::int64_t);
ADJOINT_INSTANTIATE(std::int64_t, bool);
ADJOINT_INSTANTIATE(bool, bool);
#undef ADJOINT_INSTANTIATE

template void broadcast_to(const Shape&, const float*, const Shape&, float*);
template void broadcast_to(const Shape&, const double*, const Shape&, double*);
template void broadcast_to(const Shape&, const std::int64_t*, const Shape&, std::int64_t*);
template void broadcast_to(const Shape&, const bool*, const Shape&, bool*);

}  // namespace adjoint::kernels
