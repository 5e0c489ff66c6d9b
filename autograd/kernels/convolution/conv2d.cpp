#include "autograd/kernels/convolution/conv2d.h"

#include "autograd/kernels/convolution/layouts.h"

namespace adjoint::kernels {

template <class T>
void conv2d(Layout layout, const Conv2dSizes& sizes, const T* x, const T* w, const T* bias, T* y) {
  layout == Layout::interleaved ? conv2d_interleaved(sizes, x, w, bias, y)
                                : conv2d_row_major(sizes, x, w, bias, y);
}

template <class T>
void conv2d_input_grad(Layout layout, const Conv2dSizes& sizes, const T* dy, const T* w, T* dx) {
  layout == Layout::interleaved ? conv2d_input_grad_interleaved(sizes, dy, w, dx)
                                : conv2d_input_grad_row_major(sizes, dy, w, dx);
}

template <class T>
void conv2d_weight_grad(Layout layout, const Conv2dSizes& sizes, const T* dy, const T* x, T* dw) {
  layout == Layout::interleaved ? conv2d_weight_grad_interleaved(sizes, dy, x, dw)
                                : conv2d_weight_grad_row_major(sizes, dy, x, dw);
}

#define ADJOINT_INSTANTIATE(T)                                                         \
  template void conv2d(Layout, const Conv2dSizes&, const T*, const T*, const T*, T*);  \
  template void conv2d_input_grad(Layout, const Conv2dSizes&, const T*, const T*, T*); \
  template void conv2d_weight_grad(Layout, const Conv2dSizes&, const T*, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
