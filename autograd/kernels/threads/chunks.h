#pragma once
// Cutting arrays into chunks for the threads.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "autograd/kernels/threads/parallel.h"

namespace adjoint::kernels {

/// Size, at least 1, of the equal chunks that make up [0, n), none above `most`, which is positive. Their
/// number is a power of two: each thread's share then ends where a share of whole images does, and it meets
/// the data that it wrote in the kernel before.
constexpr std::int64_t equal_chunk(std::int64_t n, std::int64_t most) {
  const auto chunks =
      static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>((n + most - 1) / most)));
  return std::max<std::int64_t>(1, (n + chunks - 1) / chunks);
}

/// Calls body(first, count) for chunks that make up [0, n), on several threads when work, counted as for
/// parallel_for, is worth it.
template <class Body>
void for_chunks(std::int64_t n, std::int64_t work, const Body& body) {
  constexpr std::int64_t kCacheLine = 16;
  const std::int64_t lines = (n + kCacheLine - 1) / kCacheLine;
  const std::int64_t size = equal_chunk(lines, 16384 / kCacheLine) * kCacheLine;
  parallel_for((n + size - 1) / size, work,
               [&](std::int64_t chunk) { body(chunk * size, std::min(size, n - chunk * size)); });
}

}  // namespace adjoint::kernels
