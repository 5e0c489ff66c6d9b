#pragma once
// Sharing the planes of a pooling among threads.

#include <algorithm>
#include <cstdint>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/pooling/pool2d.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {

/// Calls body(planes, x offset, y offset) for runs of planes, images' or in the lanes layout blocks'
/// channels.
template <class T, class Body>
void for_planes(const Pool2dSizes& sizes, Layout layout, const Body& body) {
  constexpr std::int64_t kChunk = 16384;
  const bool blocks = layout == Layout::interleaved;
  const std::int64_t planes = sizes.channels * (blocks ? interleaved_blocks<T>(sizes.batch) : sizes.batch);
  const std::int64_t element = blocks ? kInterleaved<T> : 1;
  const std::int64_t x_plane = sizes.height * sizes.width * element;
  const std::int64_t y_plane = sizes.out_height * sizes.out_width * element;
  const std::int64_t most = std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, x_plane));
  const std::int64_t step = equal_chunk(planes, most);
  parallel_for((planes + step - 1) / step, planes * x_plane * kElementWork, [&](std::int64_t chunk) {
    const std::int64_t first = chunk * step;
    body(std::min(step, planes - first), first * x_plane, first * y_plane);
  });
}

}  // namespace adjoint::kernels
