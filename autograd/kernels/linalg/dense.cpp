// Row-major: matrix products. Interleaved: the tile kernel with the images of a block as columns and
// broadcast weights. Only the weight gradient, which sums over images, first makes x row-major. The images
// then become the depth of a product, and the spare lanes are never read.
#include "autograd/kernels/linalg/dense.h"

#include <algorithm>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/linalg/gemm.h"
#include "autograd/kernels/linalg/tile.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/linalg/dense.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/linalg/tile-inl.h"
#include "autograd/kernels/simd/dispatch.h"

#ifndef ADJOINT_KERNELS_DENSE_CPP
#define ADJOINT_KERNELS_DENSE_CPP
namespace adjoint::kernels {

/// to[b][r] = start[r] + sum_k w(r, k) from[b][k] for blocks b of images: the layer and its input gradient.
template <class T>
struct BlockProduct {
  std::int64_t rows, depth;
  const T* w;
  std::int64_t w_row, w_step;  // w(r, k) = w[r * w_row + k * w_step]
  const T *from, *start;       // start may be null
  T* to;
};

/// Columns from first_column on of dw (+)= sum over some images of dy x. These columns of x are row-major,
/// with x_step values from one image to the next.
template <class T>
struct ImageProduct {
  std::int64_t inputs, outputs, images, first_column;
  const T *dy, *x_rows;
  std::int64_t x_step;
  bool accumulate;
  T* dw;
};

}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

/// One piece of rows of a few blocks that lie side by side.
template <class T>
void run_blocks(const BlockProduct<T>& product, Piece blocks, Piece rows) {
  constexpr std::int64_t kBlockVectors = kInterleaved<T> / kVectorSize<T>;
  Tile<T> tile{};
  tile.a_row = product.w_row;
  tile.a_step = product.w_step;
  tile.b_step = tile.c_row = kInterleaved<T>;
  // If a register holds a block, the vectors of a tile are blocks; else they are parts of one block.
  tile.b_vector = kBlockVectors == 1 ? product.depth * kInterleaved<T> : kVectorSize<T>;
  tile.c_vector = kBlockVectors == 1 ? product.rows * kInterleaved<T> : kVectorSize<T>;
  tile.segments = &kOneSegment;
  tile.segment_count = 1;
  tile.depth = product.depth;
  tile.last_count = kVectorSize<T>;
  tile.start = product.start == nullptr ? Start::zero : Start::row_values;
  tile.start_row = 1;
  const std::int64_t tiles = divide_up(rows.size(), kTileRows<T>);
  const auto run_rows = [&](std::int64_t block, std::int64_t offset, std::int64_t vectors) {
    tile.b = product.from + block * product.depth * kInterleaved<T> + offset;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const Piece tile_rows = piece(rows.size(), tiles, t);
      const std::int64_t row = rows.begin + tile_rows.begin;
      tile.a = product.w + row * product.w_row;
      tile.c = product.to + (block * product.rows + row) * kInterleaved<T> + offset;
      tile.start_values = product.start == nullptr ? nullptr : product.start + row;
      run_tile(static_cast<int>(tile_rows.size()), static_cast<int>(vectors), tile);
    }
  };
  if (kBlockVectors == 1) return run_rows(blocks.begin, 0, blocks.size());
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block)
    for (std::int64_t v = 0; v < kBlockVectors; v += kTileVectors)
      run_rows(block, v * kVectorSize<T>, std::min<std::int64_t>(kBlockVectors - v, kTileVectors));
}

/// rows[n * rows_step + i] = block[i][n] for the first `images` images n of a block.
template <class T>
void block_to_rows(const T* block, std::int64_t inputs, std::int64_t images, T* rows,
                   std::int64_t rows_step) {
  transpose_padded(block, kInterleaved<T>, inputs, images, rows, rows_step);
}

/// A panel of dw's columns, at most a tile wide.
template <class T>
void run_panel(const ImageProduct<T>& product, Piece columns) {
  constexpr std::int64_t kMaxSegments = 16;
  Tile<T> tile{};
  tile.a_row = kInterleaved<T>;
  tile.a_step = 1;
  tile.b = product.x_rows + columns.begin - product.first_column;
  tile.b_step = product.x_step;
  tile.b_vector = tile.c_vector = kVectorSize<T>;
  tile.c_row = product.inputs;
  const std::int64_t vectors = divide_up(columns.size(), kVectorSize<T>);
  tile.last_count = columns.size() - (vectors - 1) * kVectorSize<T>;

  Segment segments[kMaxSegments];
  const std::int64_t full_blocks = product.images / kInterleaved<T>;
  for (std::int64_t block = 0; block < full_blocks; ++block)
    segments[block] = {block * product.outputs * kInterleaved<T>, block * kInterleaved<T> * product.x_step};
  const Segment partial{full_blocks * product.outputs * kInterleaved<T>,
                        full_blocks * kInterleaved<T> * product.x_step};

  const std::int64_t tiles = divide_up(product.outputs, kTileRows<T>);
  for (std::int64_t t = 0; t < tiles; ++t) {
    const Piece rows = piece(product.outputs, tiles, t);
    tile.a = product.dy + rows.begin * kInterleaved<T>;
    tile.c = product.dw + rows.begin * product.inputs + columns.begin;
    tile.add = product.accumulate;
    const auto run_segments = [&](const Segment* first, std::int64_t count, std::int64_t depth) {
      if (count == 0 || depth == 0) return;
      tile.segments = first;
      tile.segment_count = count;
      tile.depth = depth;
      run_tile(static_cast<int>(rows.size()), static_cast<int>(vectors), tile);
      tile.add = true;
    };
    run_segments(segments, full_blocks, kInterleaved<T>);
    run_segments(&partial, 1, product.images % kInterleaved<T>);
  }
}

template <class T>
void run_panels(const ImageProduct<T>& product, Piece columns) {
  constexpr std::int64_t kPanel = kTileVectors * kVectorSize<T>;
  for (std::int64_t column = columns.begin; column < columns.end; column += kPanel)
    run_panel(product, {column, std::min(column + kPanel, columns.end)});
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Dense;

template <class T>
struct Dense<HWY_TARGET, T> {
  static constexpr auto run_blocks = HWY_NAMESPACE::run_blocks<T>;
  static constexpr auto block_to_rows = HWY_NAMESPACE::block_to_rows<T>;
  static constexpr auto run_panels = HWY_NAMESPACE::run_panels<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

constexpr std::int64_t kChunkBlocks = 3, kChunkRows = 64;

template <class T>
void run(std::int64_t batch, const BlockProduct<T>& product) {
  const std::int64_t blocks = interleaved_blocks<T>(batch);
  const std::int64_t block_pieces = divide_up(blocks, equal_chunk(blocks, kChunkBlocks)),
                     row_pieces = divide_up(product.rows, kChunkRows);
  const auto run_blocks = best<Dense, T>([](auto k) { return k.run_blocks; });
  parallel_for(block_pieces * row_pieces, blocks * kInterleaved<T> * product.rows * product.depth,
               [&](std::int64_t chunk) {
                 run_blocks(product, piece(blocks, block_pieces, chunk / row_pieces),
                            piece(product.rows, row_pieces, chunk % row_pieces));
               });
}

template <class T>
void weight_grad_interleaved(const DenseSizes& s, const T* dy, const T* x, T* dw) {
  constexpr std::int64_t kChunkImages = 16 * kInterleaved<T>, kPanelColumns = 3 * kInterleaved<T>;
  if (s.batch > kSumOfShortSums) {
    const std::int64_t half = interleaved_blocks<T>(s.batch / 2) * kInterleaved<T>,
                       size = s.inputs * s.outputs;
    const Scratch<T> more(size);
    weight_grad_interleaved({half, s.inputs, s.outputs}, dy, x, dw);
    weight_grad_interleaved({s.batch - half, s.inputs, s.outputs}, dy + half * s.outputs, x + half * s.inputs,
                            more.get());
    return add_to(size, more.get(), dw);
  }
  if (s.batch == 0) std::fill_n(dw, s.outputs * s.inputs, T(0));
  const auto block_to_rows = best<Dense, T>([](auto k) { return k.block_to_rows; });
  const auto run_panels = best<Dense, T>([](auto k) { return k.run_panels; });
  const std::int64_t work = s.batch * s.inputs * s.outputs;
  for_chunks_of(kPanelColumns, s.inputs, work, [&](std::int64_t column, std::int64_t count) {
    const Piece columns{column, column + count};
    const Scratch<T> x_rows(std::min(s.batch, kChunkImages) * kPanelColumns);
    for (std::int64_t first = 0; first < s.batch; first += kChunkImages) {
      const std::int64_t images = std::min(s.batch - first, kChunkImages);
      const T* chunk_x = x + first * s.inputs + columns.begin * kInterleaved<T>;
      for (std::int64_t n = 0; n < images; n += kInterleaved<T>)
        block_to_rows(chunk_x + n * s.inputs, columns.size(), std::min(images - n, kInterleaved<T>),
                      x_rows.get() + n * kPanelColumns, kPanelColumns);
      run_panels({s.inputs, s.outputs, images, columns.begin, dy + first * s.outputs, x_rows.get(),
                  kPanelColumns, first > 0, dw},
                 columns);
    }
  });
}

}  // namespace

template <class T>
void dense(Layout layout, const DenseSizes& s, const T* x, const T* w, const T* bias, T* y) {
  if (layout == Layout::interleaved)
    return run(s.batch, BlockProduct<T>{s.outputs, s.inputs, w, s.inputs, 1, x, bias, y});
  const GemmSizes product{s.batch, s.outputs, s.inputs, false, true};
  bias == nullptr ? gemm(product, x, w, y) : gemm_plus_row(product, x, w, bias, y);
}

template <class T>
void dense_input_grad(Layout layout, const DenseSizes& s, const T* dy, const T* w, T* dx) {
  if (layout == Layout::interleaved)
    return run(s.batch, BlockProduct<T>{s.inputs, s.outputs, w, 1, s.inputs, dy, nullptr, dx});
  gemm({s.batch, s.inputs, s.outputs}, dy, w, dx);
}

template <class T>
void dense_weight_grad(Layout layout, const DenseSizes& s, const T* dy, const T* x, T* dw) {
  if (layout == Layout::interleaved) return weight_grad_interleaved(s, dy, x, dw);
  gemm({s.outputs, s.inputs, s.batch, true, false}, dy, x, dw);
}

#define ADJOINT_INSTANTIATE(T)                                                       \
  template void dense(Layout, const DenseSizes&, const T*, const T*, const T*, T*);  \
  template void dense_input_grad(Layout, const DenseSizes&, const T*, const T*, T*); \
  template void dense_weight_grad(Layout, const DenseSizes&, const T*, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
