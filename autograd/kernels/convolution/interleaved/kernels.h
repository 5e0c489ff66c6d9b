#pragma once
// The parts of interleaved convolutions that are compiled for each instruction set, and how work is cut into
// their register blocks. Strides count values.

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

/// The most output channels that one register block computes, on this processor.
std::int64_t block_out_channels();

/// One product of an output position: the value that it reads, from the position's `in` on, and the weight of
/// the kernel.
struct Product {
  std::int64_t in, weight;
};

/// One row of the result, for one block of images and one group:
///   out[o,j] = bias[o] + sum_{c,k} in[c in_channel_stride + j column_stride + products[k].in]
///                                  weights[o,c,products[k].weight]
template <class T>
struct CorrelationRow {
  const T* in;
  std::int64_t in_channel_stride, column_stride;
  std::int64_t first_in_channel, in_channels;  // the c that are added up, of all_in_channels in weights
  std::int64_t all_in_channels;
  const Product* products;                      // for each input channel
  std::int64_t product_count, row_taps, reach;  // a product reads row_taps rows of `reach` values each
  const T* weights;  // [block of o][all c][kernel_area][o in block]; blocks: Pieces(o, block_out_channels())
  std::int64_t kernel_area;
  const T* bias;  // or null
  T* out;
  std::int64_t out_channel_stride, out_column_stride;
  std::int64_t out_channels, columns;
};

template <class T>
void correlate_row(const CorrelationRow<T>& row);

/// One tap of a kernel row, for one input channel: the column that it reads at output column 0, and its
/// weight's index.
struct RowTap {
  std::int64_t in_channel, column, weight;
};

/// Products of some output rows and columns, for one block of images, up to block_out_channels() output
/// channels and one kernel row:
///   sums[o, taps[k].weight] += sum_{i,j} dy[o,i,j] x[taps[k].in_channel, i, j column_step + taps[k].column]
/// for each lane. Reads outside x's columns are 0.
template <class T>
struct WeightGradBand {
  const T* dy;  // first row, column 0
  std::int64_t dy_channel_stride, dy_row_stride, rows, out_channels;
  Piece columns;
  const T* x;  // channel 0, the row that the first row reads, column 0
  std::int64_t x_channel_stride, x_row_stride, width, column_step;
  Piece interior;  // the columns for which every tap reads inside x; may be empty
  const RowTap* taps;
  std::int64_t tap_count;
  T* sums;
  std::int64_t sums_stride;  // between output channels
};

template <class T>
void accumulate_band(const WeightGradBand<T>& band);

}  // namespace adjoint::kernels
