#pragma once
// Cutting long arrays into chunks for the threads.

#include <algorithm>
#include <cstdint>

#include "autograd/kernels/parallel.h"

namespace adjoint::kernels {

/// Calls body(first, count) for chunks that make up [0, n), on several threads when n elements of `cost`,
/// about one multiply-add each, are worth it.
template <class Body>
void for_chunks(std::int64_t n, std::int64_t cost, const Body& body) {
  constexpr std::int64_t kChunk = 16384;
  if (n <= kChunk) {
    if (n > 0) body(std::int64_t{0}, n);
    return;
  }
  parallel_for((n + kChunk - 1) / kChunk, n * cost,
               [&](std::int64_t chunk) { body(chunk * kChunk, std::min(kChunk, n - chunk * kChunk)); });
}

}  // namespace adjoint::kernels
