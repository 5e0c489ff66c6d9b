#pragma once
// Cutting arrays and loops into pieces, and sharing the pieces among threads.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "autograd/kernels/threads/parallel.h"

namespace adjoint::kernels {

/// a / b, rounded up; a >= 0, b > 0.
constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
/// The smallest multiple of b that is not less than a.
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

/// The numbers from begin to end - 1.
struct Piece {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};

/// Piece number `index` of [0, total), cut into `pieces` whose sizes differ by at most 1.
constexpr Piece piece(std::int64_t total, std::int64_t pieces, std::int64_t index) {
  return {total * index / pieces, total * (index + 1) / pieces};
}

/// Elements per chunk.
inline constexpr std::int64_t kChunkElements = 16384;

/// Parts of `size` elements per chunk: at least one.
constexpr std::int64_t parts_in_chunk(std::int64_t size, std::int64_t elements = kChunkElements) {
  return std::max<std::int64_t>(1, elements / std::max<std::int64_t>(1, size));
}

/// The size of equal chunks that make up [0, n): at least 1 and at most `most`, which must be positive. The
/// number of chunks is a power of two. A thread's share then ends where its share of whole images ends, so
/// the thread works on the data that it wrote in the kernel before.
constexpr std::int64_t equal_chunk(std::int64_t n, std::int64_t most) {
  const auto chunks =
      static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(divide_up(n, most))));
  return std::max<std::int64_t>(1, divide_up(n, chunks));
}

/// Calls body(first, count) for chunks of `size` that make up [0, n); the last one may be smaller. Uses
/// several threads if work, counted as for parallel_for, is large enough.
template <class Body>
void for_chunks_of(std::int64_t size, std::int64_t n, std::int64_t work, const Body& body) {
  parallel_for(divide_up(n, size), work,
               [&](std::int64_t chunk) { body(chunk * size, std::min(size, n - chunk * size)); });
}

/// The same for the elements of an array. The size of the chunks depends only on n, and they begin at cache
/// lines.
template <class Body>
void for_chunks(std::int64_t n, std::int64_t work, const Body& body) {
  constexpr std::int64_t kCacheLine = 16;
  const std::int64_t lines = equal_chunk(divide_up(n, kCacheLine), kChunkElements / kCacheLine);
  for_chunks_of(lines * kCacheLine, n, work, body);
}

}  // namespace adjoint::kernels
