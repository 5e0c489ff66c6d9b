#pragma once
// Groups of numbers moved and scaled to mean 0 and variance 1.

#include <cstdint>

namespace adjoint::kernels {

/// An array [outer, groups, inner]; its elements belong to `groups` groups of outer * inner elements each.
struct Groups {
  std::int64_t outer, groups, inner;
  std::int64_t size() const { return outer * inner; }
};

// T is float or double. mean and variance have an element for each group.

/// y = (x - mean) / sqrt(variance + eps), where variance is divided by the number of elements. y may be x.
template <class T>
void standardize(const Groups& groups, double eps, const T* x, T* y, double* mean, double* variance);

/// dx = (dy - mean(dy) - y mean(dy y)) / sqrt(variance + eps), each mean over a group.
template <class T>
void standardize_grad(const Groups& groups, double eps, const double* variance, const T* dy, const T* y,
                      T* dx);

}  // namespace adjoint::kernels
