#pragma once
// Updates of parameters by their gradients, in flat row-major arrays.
//
// T is float or double. An element's result does not depend on its position or on the number of threads.

#include <cstdint>

namespace adjoint::kernels {

/// The options of a step of stochastic gradient descent.
struct SgdStep {
  double learning_rate;
  double momentum = 0;
  double weight_decay = 0;
};

/// g = grad + weight_decay param;  velocity = momentum velocity + g;  param -= learning_rate velocity.
/// Without momentum, param -= learning_rate g, and velocity is not used; it may be null.
template <class T>
void sgd_step(std::int64_t n, const SgdStep& step, const T* grad, T* velocity, T* param);

/// The same for param [rows, columns] and grad[i, j] = a[i] b[j], with a [rows] and b [columns]. The gradient
/// is computed while it is used and never stored.
template <class T>
void sgd_step_outer(std::int64_t rows, std::int64_t columns, const SgdStep& step, const T* a, const T* b,
                    T* velocity, T* param);

/// The options of step number t = 1, 2, ... of Adam; bias_correction_i = 1 - beta_i^t.
struct AdamStep {
  double learning_rate;
  double beta1, beta2;
  double epsilon;
  double weight_decay = 0;
  double bias_correction1, bias_correction2;
};

/// g = grad + weight_decay param;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
/// param -= learning_rate (m / bias_correction1) / (sqrt(v / bias_correction2) + epsilon).
template <class T>
void adam_step(std::int64_t n, const AdamStep& step, const T* grad, T* m, T* v, T* param);

}  // namespace adjoint::kernels
