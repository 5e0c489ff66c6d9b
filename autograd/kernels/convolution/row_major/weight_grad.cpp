// The weight gradient: for every weight a sum of products over positions, as a tree of short sums.
#include <algorithm>

#include "autograd/kernels/convolution/layouts.h"
#include "autograd/kernels/convolution/row_major/along_out_channels.h"
#include "autograd/kernels/convolution/row_major/chunks.h"
#include "autograd/kernels/convolution/row_major/kernels.h"
#include "autograd/kernels/convolution/strategy.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint::kernels {
namespace {

/// Where the positions of each tap of the first channels begin in their copies, in the order of the weights.
void list_taps(const ImageConvolution& c, bool flip, std::int64_t channels, std::int64_t* begins) {
  const std::int64_t copy_size = c.copy_size();
  for (std::int64_t channel = 0; channel < channels; ++channel)
    for (std::int64_t u = 0; u < c.rows.taps; ++u) {
      const std::int64_t row = c.tap_offset(u);
      for (std::int64_t v = 0; v < c.columns.taps; ++v)
        begins[weight_index(c, flip, channel, u, v)] = (channel * c.columns.taps + v) * copy_size + row;
    }
}

constexpr std::int64_t kFewestTaps = 64;  // at a time: registers hold 4, the last often fewer

/// How many images are added up in registers before the lanes of these are. The rows of dy that a tile reads
/// of all these images fit the first-level cache together.
template <class T>
std::int64_t images_at_once(const GroupWeightGrad<T>& job) {
  constexpr std::int64_t kTileValues = 24 * 1024 / sizeof(T), kTileRows = 6;
  return std::clamp<std::int64_t>(kTileValues / (kTileRows * job.c.positions()), 1, job.batch);
}

/// dw at the taps of some input channels, with registers along positions.
template <class T>
void weight_grad_along_positions(const GroupWeightGrad<T>& job, Piece channels) {
  const auto& kernels = row_major_kernels<T>();
  const ImageConvolution& c = job.c;
  const std::int64_t images = images_at_once(job);
  const std::int64_t blocks = std::clamp<std::int64_t>(channels.size() * c.area() / kFewestTaps, 1,
                                                       std::min(images, channels.size()));
  const std::int64_t most_channels = divide_up(channels.size(), blocks), size = c.copies_size(most_channels);
  const Scratch<std::int64_t> begins(most_channels * c.area());
  list_taps(c, job.flip, most_channels, begins.get());
  const Scratch<T> copies(images * size);
  for (std::int64_t b = 0; b < blocks; ++b) {
    const Piece within = piece(channels.size(), blocks, b);
    const Piece some{channels.begin + within.begin, channels.begin + within.end};
    for (std::int64_t first = 0; first < job.batch; first += images) {
      const std::int64_t count = std::min(images, job.batch - first);
      for (std::int64_t n = 0; n < count; ++n)
        kernels.im2col(c, some, job.x + (first + n) * job.x_image, copies.get() + n * size);
      kernels.correlate(c, {count, job.dy + first * job.dy_image, job.dy_image, copies.get(), size},
                        begins.get(), some.size() * c.area(), first > 0, job.dw + some.begin * c.area());
    }
  }
}

/// Half of the job's images, of the rows of a single image, or of the columns of a single row.
template <class T>
GroupWeightGrad<T> half(const GroupWeightGrad<T>& job, std::int64_t index) {
  GroupWeightGrad<T> part = job;
  ImageConvolution& c = part.c;
  if (job.batch > 1) {
    const Piece images = piece(job.batch, 2, index);
    part.batch = images.size();
    part.dy += images.begin * job.dy_image;
    part.x += images.begin * job.x_image;
  } else if (c.rows.out > 1) {
    const Piece rows = piece(c.rows.out, 2, index);
    part.dy += rows.begin * c.columns.out;
    c = c.band(rows);
  } else {
    const Piece columns = piece(c.columns.out, 2, index);
    part.dy += columns.begin;
    c.columns = c.columns.part(columns);
  }
  return part;
}

/// dw as the sum of what weight_grad computes of both halves.
template <class T>
void add_halves(const GroupWeightGrad<T>& job, void (*weight_grad)(const GroupWeightGrad<T>&)) {
  const GroupWeightGrad<T> first = half(job, 0);
  GroupWeightGrad<T> second = half(job, 1);
  const Scratch<T> more(job.c.weights());
  second.dw = more.get();
  weight_grad(first);
  weight_grad(second);
  add_to(job.c.weights(), more.get(), job.dw);
}

/// Adds one image after the other to dw, and the positions of each in short sums.
template <class T>
void weight_grad_by_vectors(const GroupWeightGrad<T>& job) {
  const ImageConvolution& c = job.c;
  if (job.batch > kShortSum || job.batch * c.positions() > kSumOfShortSums)
    return add_halves(job, weight_grad_by_vectors<T>);
  const std::int64_t work = job.batch * c.products();
  const std::int64_t chunks = chunks_of(work, std::min(c.in_channels, c.taps() / kFewestTaps));
  if (weight_grad_strategy(c, images_at_once(job), row_major_kernels<T>().vector_size) ==
      Strategy::along_out_channels)
    return weight_grad_along_out_channels(job, chunks, work);
  parallel_for(chunks, work, [&](std::int64_t chunk) {
    weight_grad_along_positions(job, piece(c.in_channels, chunks, chunk));
  });
}

template <class T>
void weight_grad_product_by_product(const GroupWeightGrad<T>& job) {
  const ImageConvolution& c = job.c;
  if (job.batch > kShortSum / c.positions() && job.batch > 1)
    return add_halves(job, weight_grad_product_by_product<T>);
  std::fill_n(job.dw, c.weights(), T(0));
  for (std::int64_t n = 0; n < job.batch; ++n) {
    const T *dy = job.dy + n * job.dy_image, *x = job.x + n * job.x_image;
    for_each_product(c, job.flip, [&](auto iy, auto ix, auto iw) { job.dw[iw] += dy[iy] * x[ix]; });
  }
}

}  // namespace

template <class T>
void conv2d_weight_grad_row_major(const Conv2dSizes& s, const T* dy, const T* x, T* dw) {
  const ImageConvolution c = forward_convolution(s);
  if (s.batch == 0) return static_cast<void>(std::fill_n(dw, s.groups * c.weights(), T(0)));
  const auto of_group =
      weight_grad_goes_product_by_product(c) ? weight_grad_product_by_product<T> : weight_grad_by_vectors<T>;
  parallel_for(s.groups, s.batch * s.groups * c.products(), [&](std::int64_t g) {
    of_group({c, s.flip, s.batch, s.groups * c.out_size(), s.groups * c.in_size(), dy + g * c.out_size(),
              x + g * c.in_size(), dw + g * c.weights()});
  });
}

template void conv2d_weight_grad_row_major(const Conv2dSizes&, const float*, const float*, float*);
template void conv2d_weight_grad_row_major(const Conv2dSizes&, const double*, const double*, double*);

}  // namespace adjoint::kernels
