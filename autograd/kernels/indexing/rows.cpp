#include "autograd/kernels/indexing/rows.h"

#include <algorithm>
#include <cstring>

#include "autograd/kernels/shape/add.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {
namespace {

/// Calls body(o, k) for all indices of all outer positions, in chunks of rows.
template <class Body>
void for_rows(const RowSizes& s, const Body& body) {
  const std::int64_t rows = s.outer * s.count;
  for_chunks_of(parts_in_chunk(s.inner), rows, rows * s.inner * kElementWork,
                [&](std::int64_t first, std::int64_t n) {
                  std::int64_t o = first / s.count, k = first % s.count;
                  for (std::int64_t row = first; row < first + n; ++row) {
                    body(row, o, s.index[k]);
                    if (++k == s.count) k = 0, ++o;
                  }
                });
}

}  // namespace

void take_rows(std::size_t bytes, const RowSizes& s, const void* x, void* y) {
  const auto* from = static_cast<const std::byte*>(x);
  auto* to = static_cast<std::byte*>(y);
  if (s.inner == 1) {
    with_element_size(bytes, [&](auto size) {
      constexpr auto kStep = static_cast<std::int64_t>(size());
      for_rows(s, [&](std::int64_t row, std::int64_t o, std::int64_t index) {
        if (index == s.skip) {
          std::memset(to + row * kStep, 0, size());
        } else {
          std::memcpy(to + row * kStep, from + (o * s.size + index) * kStep, size());
        }
      });
    });
    return;
  }
  const std::int64_t row_bytes = s.inner * static_cast<std::int64_t>(bytes);
  for_rows(s, [&](std::int64_t row, std::int64_t o, std::int64_t index) {
    if (index == s.skip) {
      std::memset(to + row * row_bytes, 0, static_cast<std::size_t>(row_bytes));
    } else {
      std::memcpy(to + row * row_bytes, from + (o * s.size + index) * row_bytes,
                  static_cast<std::size_t>(row_bytes));
    }
  });
}

template <class T>
void add_rows(const RowSizes& s, const T* x, T* y) {
  // Each chunk has some columns of an outer position for itself and goes through all indices.
  constexpr std::int64_t kCacheLine = 16, kMostPieces = 8;
  const std::int64_t columns =
      round_up(std::max<std::int64_t>(1, divide_up(s.inner, kMostPieces)), kCacheLine);
  const std::int64_t pieces = divide_up(s.inner, columns);
  parallel_for(s.outer * pieces, s.outer * s.count * s.inner * kElementWork, [&](std::int64_t chunk) {
    const std::int64_t o = chunk / pieces, begin = chunk % pieces * columns;
    const std::int64_t n = std::min(columns, s.inner - begin);
    for (std::int64_t k = 0; k < s.count; ++k) {
      if (s.index[k] == s.skip) continue;
      const T* from = x + (o * s.count + k) * s.inner + begin;
      T* to = y + (o * s.size + s.index[k]) * s.inner + begin;
      for (std::int64_t i = 0; i < n; ++i) add_to(to[i], from[i]);
    }
  });
}

template void add_rows(const RowSizes&, const float*, float*);
template void add_rows(const RowSizes&, const double*, double*);
template void add_rows(const RowSizes&, const std::int64_t*, std::int64_t*);

}  // namespace adjoint::kernels
