#pragma once
// The fully connected layer and its gradients, in both layouts.
//
//   y[n,o] = bias[o] + sum_i x[n,i] w[o,i]

#include <cstdint>

#include "adjoint/tensor/layout.h"

namespace adjoint::kernels {

/// Sizes of one layer; any of them may be 0.
struct DenseSizes {
  std::int64_t batch, inputs, outputs;
};

// T is float or double. Results are overwritten, never read first. x, y, dx, dy are in the given
// layout; w, bias and dw are always row-major. The results do not depend on the number of
// threads.

/// y [N,O] from x [N,I] and w [O,I]; bias [O] or null.
template <class T>
void dense(Layout layout, const DenseSizes& sizes, const T* x, const T* w, const T* bias, T* y);

/// dx[n,i] = sum_o dy[n,o] w[o,i]: dx [N,I] from dy [N,O] and w [O,I].
template <class T>
void dense_input_grad(Layout layout, const DenseSizes& sizes, const T* dy, const T* w, T* dx);

/// dw[o,i] = sum_n dy[n,o] x[n,i]: dw [O,I] from dy [N,O] and x [N,I]; zeros when the batch is empty.
template <class T>
void dense_weight_grad(Layout layout, const DenseSizes& sizes, const T* dy, const T* x, T* dw);

}  // namespace adjoint::kernels
