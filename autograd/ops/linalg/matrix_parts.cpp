#include "autograd/ops/linalg/matrix_parts.h"

#include <algorithm>

#include "adjoint/graph/node.h"

namespace adjoint::ops {
namespace {

/// The elements [..., i, j] of x with first <= j - i <= last; the others are 0.
Tensor band(const Tensor& x, std::int64_t first, std::int64_t last) {
  const std::int64_t n = x.size(-1), rows = x.shape().with(-1, 1).numel();
  Values y(x.dtype(), x.shape());
  visit(x.dtype(), [&]<class T>() {
    const T* from = x.values().row_major<T>();
    T* to = y.writable<T>();
    for (std::int64_t row = 0; row < rows; ++row, from += n, to += n) {
      const std::int64_t i = row % x.size(-2), begin = std::clamp<std::int64_t>(i + first, 0, n),
                         end = std::clamp<std::int64_t>(i + last + 1, begin, n);
      std::fill_n(to, begin, T(0));
      std::copy(from + begin, from + end, to + begin);
      std::fill(to + end, to + n, T(0));
    }
  });
  return record("triangle", std::move(y), {x},
                [first, last](const Tensor& dy, Needs) -> Grads { return {band(dy, first, last)}; });
}

}  // namespace

Tensor lower_triangle(const Tensor& x, std::int64_t diagonal) { return band(x, -x.size(-2), diagonal); }
Tensor upper_triangle(const Tensor& x, std::int64_t diagonal) { return band(x, diagonal, x.size(-1)); }

Tensor diagonal(const Tensor& x) {
  const std::int64_t n = x.size(-1);
  const auto sizes = x.shape().sizes();
  Values y(x.dtype(), Shape(sizes.first(sizes.size() - 1)));
  visit(x.dtype(), [&]<class T>() {
    const T* from = x.values().row_major<T>();
    T* to = y.writable<T>();
    for (std::int64_t k = 0; k < y.numel(); ++k) to[k] = from[k * n + k % n];
  });
  return record("diagonal", std::move(y), {x},
                [](const Tensor& dy, Needs) -> Grads { return {diagonal_matrix(dy)}; });
}

Tensor diagonal_matrix(const Tensor& x) {
  const std::int64_t n = x.size(-1);
  std::int64_t sizes[Shape::kMaxRank];
  *std::copy(x.shape().begin(), x.shape().end(), sizes) = n;
  Values y(x.dtype(), Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(x.rank()) + 1)));
  visit(x.dtype(), [&]<class T>() {
    const T* from = x.values().row_major<T>();
    T* to = y.writable<T>();
    std::fill_n(to, y.numel(), T(0));
    for (std::int64_t k = 0; k < x.numel(); ++k) to[k * n + k % n] = from[k];
  });
  return record("diagonal_matrix", std::move(y), {x},
                [](const Tensor& dy, Needs) -> Grads { return {diagonal(dy)}; });
}

}  // namespace adjoint::ops
