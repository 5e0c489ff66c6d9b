#pragma once
// The convolutions of conv2d.h in each layout.

#include "autograd/kernels/convolution/conv2d.h"

namespace adjoint::kernels {

template <class T>
void conv2d_row_major(const Conv2dSizes& sizes, const T* x, const T* w, const T* bias, T* y);
template <class T>
void conv2d_interleaved(const Conv2dSizes& sizes, const T* x, const T* w, const T* bias, T* y);
template <class T>
void conv2d_input_grad_row_major(const Conv2dSizes& sizes, const T* dy, const T* w, T* dx);
template <class T>
void conv2d_input_grad_interleaved(const Conv2dSizes& sizes, const T* dy, const T* w, T* dx);
template <class T>
void conv2d_weight_grad_row_major(const Conv2dSizes& sizes, const T* dy, const T* x, T* dw);
template <class T>
void conv2d_weight_grad_interleaved(const Conv2dSizes& sizes, const T* dy, const T* x, T* dw);

}  // namespace adjoint::kernels
