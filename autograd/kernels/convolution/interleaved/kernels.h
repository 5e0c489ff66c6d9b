#pragma once
// Inside the lanes convolution: how an axis's products are numbered, how work is cut into register blocks,
// and the inner kernel that the forward pass and the input gradient share.

#include <algorithm>
#include <cstdint>

#include "autograd/kernels/convolution/taps.h"
#include "autograd/kernels/layout/interleaved.h"

namespace adjoint::kernels {

/// [0, total) cut into pieces that differ by at most 1 in size, the larger ones first, none above `largest`.
class Pieces {
 public:
  Pieces(std::int64_t total, std::int64_t largest)
      : count_(divide_up(total, largest)),
        size_(count_ == 0 ? 0 : total / count_),
        larger_(total - count_ * size_) {}
  std::int64_t count() const { return count_; }
  std::int64_t largest() const { return size_ + (larger_ > 0); }
  Piece operator[](std::int64_t index) const {
    const std::int64_t begin = index * size_ + std::min(index, larger_);
    return {begin, begin + size_ + (index < larger_)};
  }

 private:
  std::int64_t count_, size_, larger_;  // the first larger_ pieces have one more than size_
};

/// Channels that one register block writes at once, at most, on this processor.
std::int64_t block_channels();

/// One product of an output position: where it reads, in values behind the position's `in`, and which weight
/// of the kernel.
struct Product {
  std::int64_t in, weight;
};

/// One row of the result, for one block of images and some channels of a group, and of that every phases-th
/// column:
///   out[m,j] = bias[m] + sum_{c,k} in[c channel_stride + j column_stride + products[k].in]
///                                  weights[m,c,products[k].weight]
/// Strides count values.
template <class T>
struct CorrelationRow {
  const T* in;
  std::int64_t channel_stride, column_stride;
  std::int64_t first_channel, channels;  // of all_channels, which weights has
  std::int64_t all_channels;
  const Product* products;                      // for each channel
  std::int64_t product_count, row_taps, reach;  // a product reads row_taps rows of `reach` values each
  const T* weights;  // [m block][all c][kernel_area][m in block], cut by Pieces(maps, block_channels())
  std::int64_t kernel_area;
  const T* bias;  // or null
  T* out;
  std::int64_t map_stride, out_stride;
  std::int64_t maps, columns;
};

template <class T>
void correlate_row(const CorrelationRow<T>& row);

/// One kernel position of one input channel: where x is read, relative to the output column, and which sum it
/// is for.
struct KernelTap {
  std::int64_t channel, column, weight;
};

/// Products of some output rows and columns, for one block of images, up to block_channels() maps and one
/// kernel row:
///   sums[m, taps[k].weight] += sum_{i,j} dy[m,i,j] x[taps[k].channel, i, j column_step + taps[k].column]
/// lane by lane, reads outside x's columns being 0. Strides count values.
template <class T>
struct WeightGradBand {
  const T* dy;  // first row, column 0
  std::int64_t map_stride, dy_row_stride, rows, maps;
  Piece columns;
  const T* x;  // channel 0, the row that the first row reads, column 0
  std::int64_t channel_stride, x_row_stride, width, column_step;
  Piece interior;  // the columns for which every tap reads inside x; may be empty
  const KernelTap* taps;
  std::int64_t tap_count;
  T* sums;
  std::int64_t sums_stride;  // between maps
};

template <class T>
void accumulate_band(const WeightGradBand<T>& band);

}  // namespace adjoint::kernels
