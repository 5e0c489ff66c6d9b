#pragma once
// Softmax, its logarithm, their gradients, and softmax fused with the cross-entropy loss. The maximum is
// subtracted before exponentials are taken, so that no finite logits overflow; a logit of -inf is a class of
// probability 0.

#include <cstdint>

#include "adjoint/tensor/layout.h"

namespace adjoint::kernels {

// T is float or double. Arrays are row-major [outer, axis, inner]; k runs over axis. An interleaved
// array is one too, with outer = interleaved_blocks<T>(N) times the axes before and inner = kInterleaved<T>
// times the axes after. An argument and the result may be the same array.

/// y_k = e^x_k / sum_j e^x_j.
template <class T>
void softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y);
/// y_k = x_k - ln sum_j e^x_j.
template <class T>
void log_softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y);
/// dx_k = y_k (dy_k - sum_j dy_j y_j), where y is the result of softmax.
template <class T>
void softmax_grad(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* dy, const T* y, T* dx);
/// dx_k = dy_k - e^y_k sum_j dy_j, where y is the result of log_softmax.
template <class T>
void log_softmax_grad(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* dy, const T* y,
                      T* dx);

// Cross entropy of images [N,K]. logits, probabilities and dlogits are in the given layout, and so are
// targets given as probabilities; labels, loss and dloss are always arrays [N].
// Results must not overlap the arguments, but dlogits may be the same array as probabilities.

/// loss[n] = -ln S[n, labels[n]] and probabilities S = softmax(logits). Labels are below K; a negative label
/// leaves its image out: its loss is 0.
template <class T>
void cross_entropy(Layout layout, std::int64_t batch, std::int64_t classes, const T* logits,
                   const std::int64_t* labels, T* loss, T* probabilities);

/// loss[n] = -sum_k targets[n,k] ln S[n,k], where terms with a target of 0 are 0, and probabilities S =
/// softmax(logits).
template <class T>
void cross_entropy(Layout layout, std::int64_t batch, std::int64_t classes, const T* logits, const T* targets,
                   T* loss, T* probabilities);

/// dlogits[n,k] = scale dloss[n] (S[n,k] - [k == labels[n]]), 0 for an image left out; dloss null stands for
/// ones.
template <class T>
void cross_entropy_grad(Layout layout, std::int64_t batch, std::int64_t classes, T scale, const T* dloss,
                        const T* probabilities, const std::int64_t* labels, T* dlogits);

/// dlogits[n,k] = scale dloss[n] (S[n,k] sum_j targets[n,j] - targets[n,k]); dloss null stands for ones.
template <class T>
void cross_entropy_grad(Layout layout, std::int64_t batch, std::int64_t classes, T scale, const T* dloss,
                        const T* probabilities, const T* targets, T* dlogits);

}  // namespace adjoint::kernels
