#pragma once
// How the work of a row-major convolution is cut for threads. Work is counted in multiply-adds.

#include "autograd/kernels/convolution/row_major/image_convolution.h"
#include "autograd/kernels/threads/parallel.h"

namespace adjoint::kernels {

inline constexpr std::int64_t kChunkWork = 4 * kWorkWorthAThread;

/// The number of chunks of at least kChunkWork: at least 1 and at most `most`.
inline std::int64_t chunks_of(std::int64_t work, std::int64_t most) {
  return std::clamp<std::int64_t>(work / kChunkWork, 1, std::max<std::int64_t>(most, 1));
}

/// The number of bands of output rows. Neighboring bands read some input rows twice, which must be few.
inline std::int64_t bands_of(const ImageConvolution& c, std::int64_t work) {
  const std::int64_t shared_rows = (c.rows.taps - 1) * c.rows.dilation;
  return chunks_of(work, c.rows.out * c.rows.stride / std::max(4 * shared_rows, c.rows.stride));
}

/// Calls body(i) for each image's group of channels, in parallel if there are many. If there are few, body
/// itself may run in parallel.
template <class Body>
void for_each_group(std::int64_t images_times_groups, std::int64_t work_of_each, const Body& body) {
  constexpr std::int64_t kMany = 8;
  if (images_times_groups >= kMany || work_of_each < 2 * kChunkWork)
    return parallel_for(images_times_groups, images_times_groups * work_of_each, body);
  for (std::int64_t i = 0; i < images_times_groups; ++i) body(i);
}

}  // namespace adjoint::kernels
