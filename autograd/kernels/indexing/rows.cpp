#include "autograd/kernels/indexing/rows.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "autograd/kernels/shape/add.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {
namespace {

/// y[o,k,:] for k in [first, end): rows of `bytes` bytes, which may be a constant.
template <class Bytes>
void take(const RowSizes& s, Bytes bytes, std::int64_t o, std::int64_t first, std::int64_t end,
          const std::byte* x, std::byte* y) {
  const auto size = static_cast<std::size_t>(bytes);
  const std::byte* from = x + o * s.size * bytes;
  std::byte* to = y + o * s.count * bytes;
  const std::int64_t *const index = s.index,
                            skip = s.skip;  // In registers: y may be anywhere for the compiler.
  for (std::int64_t k = first; k < end; ++k) {
    if (index[k] == skip) {
      std::memset(to + k * bytes, 0, size);
    } else {
      std::memcpy(to + k * bytes, from + index[k] * bytes, size);
    }
  }
}

}  // namespace

void take_rows(std::size_t bytes, const RowSizes& s, const void* x, void* y) {
  const auto take_all = [&](auto row_bytes) {
    const std::int64_t rows = s.outer * s.count;
    for_chunks_of(
        parts_in_chunk(s.inner), rows, rows * s.inner * kElementWork, [&](std::int64_t row, std::int64_t n) {
          for (std::int64_t end = row + n; row < end;) {
            const std::int64_t o = row / s.count, first = row % s.count,
                               last = std::min(s.count, first + end - row);
            take(s, row_bytes, o, first, last, static_cast<const std::byte*>(x), static_cast<std::byte*>(y));
            row += last - first;
          }
        });
  };
  if (s.inner == 1) {
    with_element_size(bytes, [&](auto size) {
      take_all(std::integral_constant<std::int64_t, static_cast<std::int64_t>(size())>());
    });
  } else {
    take_all(s.inner * static_cast<std::int64_t>(bytes));
  }
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
    const std::int64_t n = std::min(columns, s.inner - begin), inner = s.inner, skip = s.skip;
    const std::int64_t* const index = s.index;
    const T* from = x + o * s.count * inner + begin;
    T* to = y + o * s.size * inner + begin;
    for (std::int64_t k = 0; k < s.count; ++k, from += inner) {
      if (index[k] == skip) continue;
      T* row = to + index[k] * inner;
      if (n == 1) {
        add_to(*row, *from);
      } else {
        for (std::int64_t i = 0; i < n; ++i) add_to(row[i], from[i]);
      }
    }
  });
}

template void add_rows(const RowSizes&, const float*, float*);
template void add_rows(const RowSizes&, const double*, double*);
template void add_rows(const RowSizes&, const std::int64_t*, std::int64_t*);

}  // namespace adjoint::kernels
