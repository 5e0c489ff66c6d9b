#include "autograd/kernels/reduce/arg.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <type_traits>

#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

/// Whether a comes before b. NaN comes before all numbers.
template <class Before, class T>
bool precedes(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return Before()(a, b) || (a != a && b == b);
  } else {
    return Before()(a, b);
  }
}

/// The first position of the best of n elements, step apart.
template <class Before, class T>
std::int64_t best_of(std::int64_t n, std::int64_t step, const T* x) {
  std::int64_t at = 0;
  T best = x[0];
  for (std::int64_t k = 1; k < n; ++k) {
    if (precedes<Before>(x[k * step], best)) best = x[(at = k) * step];
  }
  return at;
}

/// As best_of for columns side by side, so that memory is read in order.
template <class Before, class T>
void best_of_columns(std::int64_t n, std::int64_t columns, std::int64_t step, const T* x, std::int64_t* y) {
  std::fill_n(y, columns, 0);
  for (std::int64_t k = 1; k < n; ++k) {
    for (std::int64_t c = 0; c < columns; ++c) {
      if (precedes<Before>(x[k * step + c], x[y[c] * step + c])) y[c] = k;
    }
  }
}

template <class Before, class T>
void arg(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, std::int64_t* y) {
  const std::int64_t work = outer * axis * inner * kElementWork;
  if (inner > 1) {
    constexpr std::int64_t kColumns = 1024;
    const std::int64_t across = divide_up(inner, kColumns);
    return parallel_for(outer * across, work, [&](std::int64_t chunk) {
      const std::int64_t o = chunk / across, column = chunk % across * kColumns;
      best_of_columns<Before>(axis, std::min(kColumns, inner - column), inner, x + o * axis * inner + column,
                              y + o * inner + column);
    });
  }
  // Long lines are cut into pieces, and the best of their best elements is taken.
  const std::int64_t pieces = divide_up(axis, kChunkElements);
  const Scratch<std::int64_t> best(outer * pieces);
  for_chunks_of(parts_in_chunk(axis), outer * pieces, work, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t p = first; p < first + count; ++p) {
      const std::int64_t begin = p % pieces * kChunkElements, n = std::min(kChunkElements, axis - begin);
      best.get()[p] = begin + best_of<Before>(n, 1, x + p / pieces * axis + begin);
    }
  });
  for (std::int64_t o = 0; o < outer; ++o) {
    const std::int64_t* at = best.get() + o * pieces;
    const T* line = x + o * axis;
    y[o] = *std::min_element(
        at, at + pieces, [&](std::int64_t a, std::int64_t b) { return precedes<Before>(line[a], line[b]); });
  }
}

}  // namespace

template <class T>
void argmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, std::int64_t* y) {
  arg<std::greater<T>>(outer, axis, inner, x, y);
}

template <class T>
void argmin(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, std::int64_t* y) {
  arg<std::less<T>>(outer, axis, inner, x, y);
}

#define ADJOINT_INSTANTIATE(T)                                                             \
  template void argmax(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t*); \
  template void argmin(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
ADJOINT_INSTANTIATE(std::int64_t);
ADJOINT_INSTANTIATE(bool);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
