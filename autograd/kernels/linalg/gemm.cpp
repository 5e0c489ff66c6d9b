// A product is computed in one of three ways:
// - A single column times a single row: multiples of the row.
// - Few rows times a transposed B: dot products of contiguous rows. Nothing is copied.
// - Everything else: tiles held in registers. B's columns are cut into panels of a few vectors. A panel is
//   copied to contiguous memory if B is transposed, or if it is read often. Blocks of A that several panels
//   read are copied too.
// A large depth is cut into pieces. Each piece is a product of its own; the products are added as a tree.
// Small products of a batch share a chunk of work. What is the same for all of them is set up once.
#include "autograd/kernels/linalg/gemm.h"

#include <algorithm>

#include "autograd/kernels/linalg/batch.h"
#include "autograd/kernels/linalg/tile.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/linalg/gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/linalg/pack-inl.h"
#include "autograd/kernels/linalg/tile-inl.h"
#include "autograd/kernels/simd/dispatch.h"

#ifndef ADJOINT_KERNELS_GEMM_CPP
#define ADJOINT_KERNELS_GEMM_CPP
namespace adjoint::kernels {

/// The products of a batch with everything that the chunks of work share.
template <class T>
struct GemmJob {
  GemmSizes sizes;
  const T *a, *b, *start;  // C starts as start[r * start_row + j], or as 0 if start is null
  std::int64_t start_row;
  T* c;
  Piece depth{};               // the part of the depth that this job covers
  PairBatch* batch = nullptr;  // one product if null; with more of them, start is null
};

/// Calls body(a, b, c) with the matrices of some products of the batch.
template <class T, class Body>
void for_products(const GemmJob<T>& job, Piece products, const Body& body) {
  if (job.batch == nullptr) return body(job.a, job.b, job.c);
  const std::int64_t c_step = job.sizes.rows * job.sizes.columns;
  PairOffsets at(*job.batch, products.begin);
  for (std::int64_t i = products.begin; i < products.end; ++i, at.next())
    body(job.a + at.a(), job.b + at.b(), job.c + i * c_step);
}

enum class GemmWay { outer_product, dot_products, tiles };

/// How a product, or a piece of its depth, is cut into chunks that different threads may take: blocks of rows
/// times groups of panels. A panel consists of a few vectors of columns.
struct GemmPlan {
  GemmWay way;
  std::int64_t row_blocks, panels, groups;
  std::int64_t chunks() const { return row_blocks * groups; }
};

}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kDepthBlock = 256;  // A packed panel of this depth stays in the first-level cache.
constexpr std::int64_t kRowBlock = 256;    // Rows of A of that depth that stay in the second-level cache.
constexpr std::int64_t kGroupPanels = 8;   // Panels that share one packed block of A.
constexpr std::int64_t kFewestChunks = 4;  // For several threads. Groups of smaller products have one panel.
constexpr std::int64_t kDotColumns = 64;   // Columns per chunk of dot products.
constexpr int kDotRows = 4;
constexpr std::int64_t kDotVectors = 256;  // Of the depth, added before the sum across lanes.

template <class T>
GemmPlan plan(const GemmSizes& sizes) {
  if (sizes.depth == 1)
    return {GemmWay::outer_product, std::clamp<std::int64_t>(sizes.rows / 4, 1, kFewestChunks), 1, 1};
  if (sizes.transpose_b && !sizes.transpose_a && sizes.rows <= kDotRows) {
    const std::int64_t panels = divide_up(sizes.columns, kDotColumns);
    return {GemmWay::dot_products, 1, panels, panels};
  }
  const std::int64_t row_blocks = divide_up(sizes.rows, kRowBlock);
  const std::int64_t panels = divide_up(divide_up(sizes.columns, kVectorSize<T>), kTileVectors);
  const std::int64_t group_panels =
      std::clamp<std::int64_t>(row_blocks * panels / kFewestChunks, 1, kGroupPanels);
  return {GemmWay::tiles, row_blocks, panels, divide_up(panels, group_panels)};
}

/// Some rows of C where A is one column: each a multiple of B's only row.
template <class T>
void run_outer_product(const GemmJob<T>& job, const GemmPlan& plan, std::int64_t chunk) {
  const Tag<T> d;
  const std::int64_t columns = job.sizes.columns;
  const Piece rows = piece(job.sizes.rows, plan.row_blocks, chunk);
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    const auto a = hn::Set(d, job.a[r]);
    const T* start = job.start == nullptr ? nullptr : job.start + r * job.start_row;
    T* c = job.c + r * columns;
    for_vectors<T>(columns, [&](std::int64_t j, auto lanes) HWY_ATTR {
      const auto b = lanes.load(job.b + j);
      lanes.store(start == nullptr ? hn::Mul(a, b) : hn::MulAdd(a, b, lanes.load(start + j)), c + j);
    });
  }
}

/// sums[r * kColumns + j] = the product of row `row` + r and column `column` + j over a piece of the depth.
/// The last column is repeated if there are fewer than kColumns.
template <int kRows, int kColumns, class T>
void dot_products(const GemmJob<T>& job, std::int64_t row, std::int64_t column, Piece depth, T* sums) {
  const Tag<T> d;
  const T *a = job.a + row * job.sizes.depth + depth.begin, *b[kColumns];
  for (int j = 0; j < kColumns; ++j)
    b[j] = job.b + std::min(column + j, job.sizes.columns - 1) * job.sizes.depth + depth.begin;
  Vector<T> sum[kRows][kColumns];
  for_block<kRows, kColumns>([&](int r, int j) HWY_ATTR { sum[r][j] = hn::Zero(d); });
  for_vectors<T>(depth.size(), [&](std::int64_t k, auto lanes) HWY_ATTR {
    Vector<T> a_values[kRows];
    HWY_UNROLL(4)
    for (int r = 0; r < kRows; ++r) a_values[r] = lanes.load(a + r * job.sizes.depth + k);
    HWY_UNROLL(8)
    for (int j = 0; j < kColumns; ++j) {
      const auto b_values = lanes.load(b[j] + k);
      HWY_UNROLL(4)
      for (int r = 0; r < kRows; ++r) sum[r][j] = hn::MulAdd(a_values[r], b_values, sum[r][j]);
    }
  });
  for_block<kRows, kColumns / 4>([&](int r, int quarter) HWY_ATTR {
    const int j = 4 * quarter;
    store_sums(d, sum[r][j], sum[r][j + 1], sum[r][j + 2], sum[r][j + 3], sums + r * kColumns + j);
  });
}

/// kRows rows from `row` on of one piece of columns.
template <int kRows, class T>
void run_dot_products(const GemmJob<T>& job, std::int64_t row, Piece columns) {
  constexpr int kColumns = fits_registers(kRows * 8, kRows + 1) ? 8 : 4;
  const std::int64_t blocks =
      std::max<std::int64_t>(1, divide_up(job.depth.size(), kDotVectors * kVectorSize<T>));
  for (std::int64_t column = columns.begin; column < columns.end; column += kColumns) {
    HWY_ALIGN T sums[kRows * kColumns], more[kRows * kColumns];
    for (std::int64_t block = 0; block < blocks; ++block) {
      const Piece depth = piece(job.depth.size(), blocks, block);
      dot_products<kRows, kColumns>(job, row, column,
                                    {job.depth.begin + depth.begin, job.depth.begin + depth.end},
                                    block == 0 ? sums : more);
      if (block > 0) add_to(kRows * kColumns, more, sums);
    }
    const std::int64_t count = std::min<std::int64_t>(columns.end - column, kColumns);
    for (std::int64_t r = 0; r < kRows; ++r) {
      const T* start = job.start + (row + r) * job.start_row + column;
      T* c = job.c + (row + r) * job.sizes.columns + column;
      for (std::int64_t j = 0; j < count; ++j)
        c[j] = job.start == nullptr ? sums[r * kColumns + j] : sums[r * kColumns + j] + start[j];
    }
  }
}

template <class T>
void run_dot_products(const GemmJob<T>& job, const GemmPlan& plan, std::int64_t chunk) {
  constexpr int kMostRows = most_rows(kDotRows, 4, kDotRows);
  const Piece columns = piece(job.sizes.columns, plan.panels, chunk);
  const std::int64_t blocks = divide_up(job.sizes.rows, kMostRows);
  for (std::int64_t block = 0; block < blocks; ++block) {
    const Piece rows = piece(job.sizes.rows, blocks, block);
    switch (rows.size()) {
      case 1:
        run_dot_products<1>(job, rows.begin, columns);
        break;
      case 2:
        run_dot_products<2>(job, rows.begin, columns);
        break;
      case 3:
        if constexpr (kMostRows >= 3) run_dot_products<3>(job, rows.begin, columns);
        break;
      default:
        if constexpr (kMostRows >= 4) run_dot_products<4>(job, rows.begin, columns);
    }
  }
}

/// Tiles in one panel of columns, for one piece of the depth: what is the same for all products of a batch.
template <class T>
class Panel {
 public:
  Panel(const GemmJob<T>& job, Piece rows, Piece columns, Piece depth)
      : job_(job), rows_(rows), columns_(columns), depth_(depth) {
    const auto& sizes = job.sizes;
    vectors_ = divide_up(columns.size(), kVectorSize<T>);
    tiles_ = divide_up(rows.size(), kTileRows<T>);
    const std::int64_t packed_width = vectors_ * kVectorSize<T>;
    const bool ragged = columns.size() % kVectorSize<T> != 0;
    pack_ = sizes.transpose_b || (ragged && !kTileMasksB) || (tiles_ >= 8 && sizes.depth >= 64);
    tile_.a_row = sizes.transpose_a ? 1 : sizes.depth;
    tile_.a_step = sizes.transpose_a ? sizes.rows : 1;
    tile_.b_step = pack_ ? packed_width : sizes.columns;
    tile_.b_vector = tile_.c_vector = kVectorSize<T>;
    tile_.segments = &kOneSegment;
    tile_.segment_count = 1;
    tile_.depth = depth.size();
    tile_.c_row = sizes.columns;
    tile_.last_count = columns.size() - (vectors_ - 1) * kVectorSize<T>;
    tile_.add = depth.begin > job.depth.begin;
    tile_.start = !tile_.add && job.start != nullptr ? Start::array : Start::zero;
    tile_.start_row = job.start_row;
  }

  /// The tiles of one product. packed_rows may be null.
  void run(const T* a, const T* b, T* c, const T* packed_rows) {
    const auto& sizes = job_.sizes;
    if (pack_) pack_panel(sizes, b, depth_, columns_, packed_, tile_.b_step);
    tile_.b = pack_ ? packed_ : b + depth_.begin * sizes.columns + columns_.begin;
    for (std::int64_t t = 0; t < tiles_; ++t) {
      const Piece tile_rows = tiles_ == 1 ? Piece{0, rows_.size()} : piece(rows_.size(), tiles_, t);
      const std::int64_t row = rows_.begin + tile_rows.begin;
      if (packed_rows != nullptr) {
        tile_.a = packed_rows + tile_rows.begin * depth_.size();
        tile_.a_row = 1;
        tile_.a_step = tile_rows.size();
      } else {
        tile_.a = a + row * tile_.a_row + depth_.begin * tile_.a_step;
      }
      tile_.c = c + row * sizes.columns + columns_.begin;
      if (tile_.start == Start::array)
        tile_.start_values = job_.start + row * tile_.start_row + columns_.begin;
      run_tile(static_cast<int>(tile_rows.size()), static_cast<int>(vectors_), tile_);
    }
  }

 private:
  const GemmJob<T>& job_;
  const Piece rows_, columns_, depth_;
  std::int64_t vectors_, tiles_;
  bool pack_;  // Whether run() packs this panel of B.
  Tile<T> tile_{};
  HWY_ALIGN T packed_[kDepthBlock * kTileVectors * kVectorSize<T>];
};

/// One block of rows times one group of panels, of some products.
template <class T>
void run_tiles(const GemmJob<T>& job, const GemmPlan& plan, std::int64_t chunk, Piece products) {
  const auto& sizes = job.sizes;
  const Piece rows = piece(sizes.rows, plan.row_blocks, chunk / plan.groups);
  const Piece panels = piece(plan.panels, plan.groups, chunk % plan.groups);
  const std::int64_t vectors = divide_up(sizes.columns, kVectorSize<T>);
  // Several products in a chunk are so small that A stays in the cache as it is.
  const bool pack = products.size() == 1 && panels.size() >= (sizes.transpose_a ? 2 : 4) &&
                    sizes.depth >= 64 && rows.size() >= kTileRows<T>;
  const Scratch<T> packed_rows(pack ? rows.size() * kDepthBlock + kVectorSize<T> : 0);
  const std::int64_t depth_blocks = std::max<std::int64_t>(1, divide_up(job.depth.size(), kDepthBlock));
  for (std::int64_t block = 0; block < depth_blocks; ++block) {
    const Piece within = piece(job.depth.size(), depth_blocks, block);
    const Piece depth{job.depth.begin + within.begin, job.depth.begin + within.end};
    if (pack) {
      for_products(job, products,
                   [&](const T* a, const T*, T*) { pack_rows(sizes, a, rows, depth, packed_rows.get()); });
    }
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      const Piece v = piece(vectors, plan.panels, p);
      const Piece columns{v.begin * kVectorSize<T>, std::min(v.end * kVectorSize<T>, sizes.columns)};
      Panel<T> panel(job, rows, columns, depth);
      for_products(job, products,
                   [&](const T* a, const T* b, T* c) { panel.run(a, b, c, packed_rows.get()); });
    }
  }
}

/// One chunk of each of some products.
template <class T>
void run_chunk(const GemmJob<T>& job, const GemmPlan& plan, std::int64_t chunk, Piece products) {
  if (plan.way == GemmWay::tiles) return run_tiles(job, plan, chunk, products);
  for_products(job, products, [&](const T* a, const T* b, T* c) {
    GemmJob<T> one = job;
    one.a = a;
    one.b = b;
    one.c = c;
    if (plan.way == GemmWay::outer_product) {
      run_outer_product(one, plan, chunk);
    } else {
      run_dot_products(one, plan, chunk);
    }
  });
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Gemm;

template <class T>
struct Gemm<HWY_TARGET, T> {
  static constexpr auto plan = HWY_NAMESPACE::plan<T>;
  static constexpr auto run_chunk = HWY_NAMESPACE::run_chunk<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

// A piece of the depth. The partial results need little memory compared with A and B, and adding them costs
// about 1 % of the product.
constexpr std::int64_t kDepthPiece = 16384;

// Work of the products that share a chunk, counted as for parallel_for.
constexpr std::int64_t kChunkWork = 65536;

/// Chunks are small products that together are worth one, or the chunks of each large product.
template <class T, class RunChunk>
void run_batch(const GemmJob<T>& job, const GemmPlan& plan, const RunChunk& run_chunk) {
  const auto [rows, columns, depth, transpose_a, transpose_b] = job.sizes;
  const std::int64_t elements = rows * depth + depth * columns + rows * columns;
  const std::int64_t work = rows * columns * depth + elements * kElementWork, products = job.batch->count;
  const std::int64_t together = std::clamp<std::int64_t>(kChunkWork / work, 1, products);
  const std::int64_t parts = together > 1 ? 1 : plan.chunks();
  parallel_for(divide_up(products, together) * parts, products * work, [&](std::int64_t chunk) {
    const std::int64_t first = chunk / parts * together;
    const Piece some{first, std::min(first + together, products)};
    const Piece part = piece(plan.chunks(), parts, chunk % parts);
    for (std::int64_t k = part.begin; k < part.end; ++k) run_chunk(job, plan, k, some);
  });
}

template <class T>
void run(GemmJob<T> job) {
  auto& sizes = job.sizes;
  const std::int64_t products = job.batch == nullptr ? 1 : job.batch->count;
  if (sizes.rows == 0 || sizes.columns == 0 || products == 0) return;
  // A single row or column is stored in the same way as its transpose.
  if (sizes.rows == 1) sizes.transpose_a = false;
  if (sizes.columns == 1 && sizes.rows > 1 && job.start_row != 0) {
    std::swap(job.a, job.b);
    if (job.batch != nullptr) job.batch->swap();
    sizes = {1, sizes.rows, sizes.depth, false, !sizes.transpose_a};
  }
  const GemmPlan plan = best<Gemm, T>([&](auto k) { return k.plan(sizes); });
  const auto run_chunk = best<Gemm, T>([](auto k) { return k.run_chunk; });
  const std::int64_t size = sizes.rows * sizes.columns, work = size * sizes.depth;
  if (sizes.depth <= kDepthPiece) {
    job.depth = {0, sizes.depth};
    if (products == 1) {
      return parallel_for(plan.chunks(), work, [&](std::int64_t chunk) {
        run_chunk(job, plan, chunk, {0, 1});
      });
    }
    return run_batch(job, plan, run_chunk);
  }
  if (products > 1) {
    return for_products(job, {0, products}, [&](const T* a, const T* b, T* c) {
      run(GemmJob<T>{sizes, a, b, nullptr, sizes.columns, c});
    });
  }
  // The first piece of the depth is computed in C, each other one in an array of its own.
  const std::int64_t pieces = divide_up(sizes.depth, kDepthPiece);
  const Scratch<T> others((pieces - 1) * size);
  const auto c_of = [&](std::int64_t p) { return p == 0 ? job.c : others.get() + (p - 1) * size; };
  parallel_for(plan.chunks() * pieces, work, [&](std::int64_t chunk) {
    const std::int64_t p = chunk / plan.chunks();
    GemmJob<T> of_piece = job;
    of_piece.depth = piece(sizes.depth, pieces, p);
    of_piece.c = c_of(p);
    if (p > 0) of_piece.start = nullptr;
    run_chunk(of_piece, plan, chunk % plan.chunks(), {0, 1});
  });
  for_chunks(size, size * pieces * kElementWork, [&](std::int64_t i, std::int64_t count) {
    for (std::int64_t step = 1; step < pieces; step *= 2)
      for (std::int64_t p = 0; p + step < pieces; p += 2 * step)
        add_to(count, c_of(p + step) + i, c_of(p) + i);
  });
}

}  // namespace

template <class T>
void gemm(const GemmSizes& sizes, const T* a, const T* b, T* c, bool accumulate) {
  run(GemmJob<T>{sizes, a, b, accumulate ? c : nullptr, sizes.columns, c});
}

template <class T>
void gemm_batch(const GemmSizes& sizes, PairBatch batch, const T* a, const T* b, T* c) {
  GemmJob<T> job{sizes, a, b, nullptr, sizes.columns, c};
  job.batch = &batch;
  run(job);
}

template <class T>
void gemm_plus_row(const GemmSizes& sizes, const T* a, const T* b, const T* addend, T* c) {
  run(GemmJob<T>{sizes, a, b, addend, 0, c});
}

#define ADJOINT_INSTANTIATE(T)                                                   \
  template void gemm(const GemmSizes&, const T*, const T*, T*, bool);            \
  template void gemm_batch(const GemmSizes&, PairBatch, const T*, const T*, T*); \
  template void gemm_plus_row(const GemmSizes&, const T*, const T*, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
