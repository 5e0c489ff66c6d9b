#pragma once
// The vectorized parts of the cross-entropy loss.

#include <cstdint>

namespace adjoint::kernels {

// T is float or double. Arrays are row-major [outer,axis,inner], but largest, log_sum and loss [outer,inner];
// k runs over axis.

/// y = softmax(x), and the values that it is computed with: largest = max_k x_k and log_sum = ln sum_k e^(x_k
/// - largest).
template <class T>
void softmax_and_sums(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y, T* largest,
                      T* log_sum);

/// loss = sum_k targets_k (largest + log_sum - x_k), where terms with a target of 0 are 0.
template <class T>
void target_loss(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, const T* targets,
                 const T* largest, const T* log_sum, T* loss);

}  // namespace adjoint::kernels
