#pragma once
// Sharing the planes of a pooling among threads.

#include <cstdint>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/pooling/pool2d.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {

/// Calls body(planes, x offset, y offset) for groups of neighboring planes, on several threads. A plane is a
/// channel of an image, or of a block of interleaved images.
template <class T, class Body>
void for_planes(const Pool2dSizes& sizes, Layout layout, const Body& body) {
  const bool blocks = layout == Layout::interleaved;
  const std::int64_t planes = sizes.channels * (blocks ? interleaved_blocks<T>(sizes.batch) : sizes.batch);
  const std::int64_t element = blocks ? kInterleaved<T> : 1;
  const std::int64_t x_plane = sizes.height * sizes.width * element;
  const std::int64_t y_plane = sizes.out_height * sizes.out_width * element;
  for_chunks_of(
      equal_chunk(planes, parts_in_chunk(x_plane)), planes, planes * x_plane * kElementWork,
      [&](std::int64_t first, std::int64_t count) { body(count, first * x_plane, first * y_plane); });
}

}  // namespace adjoint::kernels
