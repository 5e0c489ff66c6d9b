#include "autograd/kernels/reduce/cumulative.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "autograd/kernels/threads/parallel.h"

namespace adjoint::kernels {
namespace {

/// What T is computed in. Unsigned overflow is defined.
template <class T>
using Total = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

constexpr std::int64_t kColumns = 64;

/// Walks along the axis with up to kColumns running totals side by side. In each row, body(total, at) updates
/// the total of the element at index `at`, and returns what it stores there.
template <class T, class Body>
void walk(std::int64_t outer, std::int64_t axis, std::int64_t inner, bool reverse, Total<T> start, T* y,
          const Body& body) {
  if (axis == 0) return;  // and there may be no array
  const std::int64_t across = (inner + kColumns - 1) / kColumns, step = reverse ? -inner : inner;
  parallel_for(outer * across, outer * axis * inner * kElementWork, [&](std::int64_t chunk) {
    const std::int64_t column = chunk % across * kColumns, columns = std::min(kColumns, inner - column);
    std::int64_t at = (chunk / across * axis + (reverse ? axis - 1 : 0)) * inner + column;
    Total<T> totals[kColumns];
    std::fill_n(totals, columns, start);
    for (std::int64_t row = 0; row < axis; ++row, at += step) {
      for (std::int64_t c = 0; c < columns; ++c) y[at + c] = static_cast<T>(body(totals[c], at + c));
    }
  });
}

/// ln(e^a + e^b)
double log_add_exp(double a, double b) {
  if (a == b && std::isinf(a)) return a;  // Their difference would be NaN.
  return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

}  // namespace

template <class T>
void cumsum(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, bool reverse, T* y) {
  walk<T>(outer, axis, inner, reverse, 0, y,
          [x](Total<T>& total, std::int64_t at) { return total += static_cast<Total<T>>(x[at]); });
}

template <class T>
void cumprod(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y) {
  walk<T>(outer, axis, inner, false, 1, y,
          [x](Total<T>& total, std::int64_t at) { return total *= static_cast<Total<T>>(x[at]); });
}

template <class T>
void logcumsumexp(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y) {
  walk<T>(outer, axis, inner, false, -std::numeric_limits<double>::infinity(), y,
          [x](double& total, std::int64_t at) { return total = log_add_exp(total, x[at]); });
}

template <class T>
void linear_recurrence(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* a, const T* b,
                       bool reverse, T* y) {
  if (reverse) {
    // The total is already multiplied by the factor of the row that it came from.
    walk<T>(outer, axis, inner, true, 0, y, [a, b](double& total, std::int64_t at) {
      const double value = total + b[at];
      total = value * a[at];
      return value;
    });
  } else {
    walk<T>(outer, axis, inner, false, 0, y,
            [a, b](double& total, std::int64_t at) { return total = total * a[at] + b[at]; });
  }
}

template void cumsum(std::int64_t, std::int64_t, std::int64_t, const float*, bool, float*);
template void cumsum(std::int64_t, std::int64_t, std::int64_t, const double*, bool, double*);
template void cumsum(std::int64_t, std::int64_t, std::int64_t, const std::int64_t*, bool, std::int64_t*);
template void cumprod(std::int64_t, std::int64_t, std::int64_t, const float*, float*);
template void cumprod(std::int64_t, std::int64_t, std::int64_t, const double*, double*);
template void cumprod(std::int64_t, std::int64_t, std::int64_t, const std::int64_t*, std::int64_t*);
template void logcumsumexp(std::int64_t, std::int64_t, std::int64_t, const float*, float*);
template void logcumsumexp(std::int64_t, std::int64_t, std::int64_t, const double*, double*);
template void linear_recurrence(std::int64_t, std::int64_t, std::int64_t, const float*, const float*, bool,
                                float*);
template void linear_recurrence(std::int64_t, std::int64_t, std::int64_t, const double*, const double*, bool,
                                double*);

}  // namespace adjoint::kernels
