#include "autograd/kernels/reduce/cumsum.h"

#include <algorithm>
#include <type_traits>

#include "autograd/kernels/threads/parallel.h"

namespace adjoint::kernels {
namespace {

/// What T is added up in. Unsigned overflow is defined.
template <class T>
using Total = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

constexpr std::int64_t kColumns = 64;

/// Running sums of up to kColumns columns side by side; step is from row to row.
template <class T>
void sum_columns(std::int64_t rows, std::int64_t columns, std::int64_t step, const T* x, T* y) {
  Total<T> totals[kColumns] = {};
  for (std::int64_t row = 0; row < rows; ++row, x += step, y += step) {
    for (std::int64_t c = 0; c < columns; ++c) {
      totals[c] += static_cast<Total<T>>(x[c]);
      y[c] = static_cast<T>(totals[c]);
    }
  }
}

}  // namespace

template <class T>
void cumsum(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, bool reverse, T* y) {
  if (axis == 0) return;  // and there may be no array
  const std::int64_t across = (inner + kColumns - 1) / kColumns;
  parallel_for(outer * across, outer * axis * inner * kElementWork, [&](std::int64_t chunk) {
    const std::int64_t column = chunk % across * kColumns;
    const std::int64_t first = (chunk / across * axis + (reverse ? axis - 1 : 0)) * inner + column;
    sum_columns(axis, std::min(kColumns, inner - column), reverse ? -inner : inner, x + first, y + first);
  });
}

template void cumsum(std::int64_t, std::int64_t, std::int64_t, const float*, bool, float*);
template void cumsum(std::int64_t, std::int64_t, std::int64_t, const double*, bool, double*);
template void cumsum(std::int64_t, std::int64_t, std::int64_t, const std::int64_t*, bool, std::int64_t*);

}  // namespace adjoint::kernels
