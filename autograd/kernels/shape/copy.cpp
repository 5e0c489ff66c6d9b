#include "autograd/kernels/shape/copy.h"

#include <algorithm>

#include "adjoint/tensor/shape.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {
namespace {

/// The axes from the last to the first. Axes of size 1 are left out, and axes that are neighbors in both
/// arrays are merged.
struct Axes {
  int rank = 0;
  CopyAxis axes[Shape::kMaxRank];

  explicit Axes(std::span<const CopyAxis> given) {
    for (std::size_t k = given.size(); k-- > 0;) append(given[k]);
    if (rank == 0) axes[rank++] = {1, 1, 1};
  }

  void append(const CopyAxis& axis) {
    if (axis.size == 1) return;
    if (rank > 0) {
      CopyAxis& last = axes[rank - 1];
      if (axis.from == last.from * last.size && axis.to == last.to * last.size) {
        last.size *= axis.size;
        return;
      }
    }
    axes[rank++] = axis;
  }

  std::int64_t runs() const {
    std::int64_t product = 1;
    for (int k = 1; k < rank; ++k) product *= axes[k].size;
    return product;
  }

  /// Calls body(offset in x, offset in y) for `count` runs along axis 0, from run number `first` on.
  template <class Body>
  void for_runs(std::int64_t first, std::int64_t count, const Body& body) const {
    std::int64_t index[Shape::kMaxRank] = {}, from = 0, to = 0;
    for (int k = 1; k < rank; ++k) {
      index[k] = first % axes[k].size;
      first /= axes[k].size;
      from += index[k] * axes[k].from;
      to += index[k] * axes[k].to;
    }
    for (; count > 0; --count) {
      body(from, to);
      for (int k = 1; k < rank; ++k) {
        from += axes[k].from;
        to += axes[k].to;
        if (++index[k] < axes[k].size) break;
        from -= axes[k].size * axes[k].from;
        to -= axes[k].size * axes[k].to;
        index[k] = 0;
      }
    }
  }
};

template <std::size_t kBytes>
void copy_axes(const Axes& all, const std::byte* x, std::byte* y) {
  constexpr auto kStep = static_cast<std::int64_t>(kBytes);
  const CopyAxis& axis = all.axes[0];
  const std::int64_t n = axis.size, runs = all.runs();
  if (n == 0 || runs == 0) return;
  const std::int64_t pieces = divide_up(n, kChunkElements), in_chunk = parts_in_chunk(n);
  // Short runs: several in a chunk. Long runs: several chunks in a run.
  parallel_for(divide_up(runs, in_chunk) * pieces, n * runs * kElementWork, [&](std::int64_t chunk) {
    const std::int64_t first = chunk / pieces * in_chunk;
    const Piece part = piece(n, pieces, chunk % pieces);
    all.for_runs(first, std::min(in_chunk, runs - first), [&](std::int64_t from, std::int64_t to) {
      copy_run<kBytes>(part.size(), x + (from + part.begin * axis.from) * kStep, axis.from,
                       y + (to + part.begin * axis.to) * kStep, axis.to);
    });
  });
}

/// The axes of copy_framed from the last to the first; x fills the whole of those that are merged with the
/// one before them.
struct Frame {
  int rank = 0;
  FramedAxis axes[Shape::kMaxRank];

  explicit Frame(std::span<const FramedAxis> given) {
    for (std::size_t k = given.size(); k-- > 0;) append(given[k]);
  }

  void append(const FramedAxis& axis) {
    if (rank > 0) {
      FramedAxis& last = axes[rank - 1];
      if (last.count == last.size) {
        last = {axis.size * last.size, axis.begin * last.size, axis.count * last.size};
        return;
      }
    }
    axes[rank++] = axis;
  }

  /// The row of x that lies in this row of y; -1 if there is none.
  std::int64_t row_of_x(std::int64_t row) const {
    std::int64_t result = 0, step = 1;
    for (int k = 1; k < rank; ++k) {
      const std::int64_t index = row % axes[k].size - axes[k].begin;
      row /= axes[k].size;
      if (index < 0 || index >= axes[k].count) return -1;
      result += index * step;
      step *= axes[k].count;
    }
    return result;
  }
};

template <std::size_t kBytes>
void fill_run(std::int64_t n, const std::byte (&element)[kBytes], std::byte* y) {
  for (std::int64_t i = 0; i < n; ++i)
    std::memcpy(y + i * static_cast<std::int64_t>(kBytes), element, kBytes);
}

template <std::size_t kBytes>
void copy_rows_framed(const Frame& frame, const std::byte (&background)[kBytes], const std::byte* x,
                      std::byte* y) {
  constexpr auto kStep = static_cast<std::int64_t>(kBytes);
  const FramedAxis& axis = frame.axes[0];
  std::int64_t rows = 1;
  for (int k = 1; k < frame.rank; ++k) rows *= frame.axes[k].size;
  for_chunks_of(parts_in_chunk(axis.size), rows, rows * axis.size * kElementWork,
                [&](std::int64_t first, std::int64_t n) {
                  for (std::int64_t row = first; row < first + n; ++row) {
                    std::byte* to = y + row * axis.size * kStep;
                    const std::int64_t source = frame.row_of_x(row);
                    if (source < 0) {
                      fill_run(axis.size, background, to);
                      continue;
                    }
                    const std::int64_t end = axis.begin + axis.count;
                    fill_run(axis.begin, background, to);
                    copy_run<kBytes>(axis.count, x + source * axis.count * kStep, 1, to + axis.begin * kStep,
                                     1);
                    fill_run(axis.size - end, background, to + end * kStep);
                  }
                });
}

}  // namespace

void copy_framed(std::size_t bytes, std::span<const FramedAxis> axes, const void* background, const void* x,
                 void* y) {
  const Frame frame(axes);
  with_element_size(bytes, [&](auto size) {
    std::byte element[size()];
    std::memcpy(element, background, size());
    copy_rows_framed(frame, element, static_cast<const std::byte*>(x), static_cast<std::byte*>(y));
  });
}

void copy_strided(std::size_t bytes, std::span<const CopyAxis> axes, const void* x, void* y) {
  const Axes all(axes);
  with_element_size(bytes, [&](auto size) {
    copy_axes<size()>(all, static_cast<const std::byte*>(x), static_cast<std::byte*>(y));
  });
}

void copy_triangles(std::size_t bytes, bool lower, std::int64_t diagonal, std::int64_t count,
                    std::int64_t rows, std::int64_t columns, const void* x, void* y) {
  if (columns == 0) return;
  const auto step = static_cast<std::int64_t>(bytes);
  // Row r keeps the columns before r + diagonal + 1, or those from r + diagonal on.
  const std::int64_t offset = std::clamp(diagonal, -rows, columns) + (lower ? 1 : 0);
  for_chunks_of(parts_in_chunk(columns), count * rows, count * rows * columns * kElementWork,
                [&](std::int64_t first, std::int64_t n) {
                  for (std::int64_t row = first; row < first + n; ++row) {
                    const std::int64_t cut = std::clamp<std::int64_t>(row % rows + offset, 0, columns) * step,
                                       end = columns * step;
                    const Piece kept = lower ? Piece{0, cut} : Piece{cut, end},
                                zero = lower ? Piece{cut, end} : Piece{0, cut};
                    const auto* from = static_cast<const std::byte*>(x) + row * end;
                    auto* to = static_cast<std::byte*>(y) + row * end;
                    std::memcpy(to + kept.begin, from + kept.begin, static_cast<std::size_t>(kept.size()));
                    std::memset(to + zero.begin, 0, static_cast<std::size_t>(zero.size()));
                  }
                });
}

void clear(std::int64_t n, void* y) {
  constexpr std::int64_t kChunk = 8 * kChunkElements;
  for_chunks_of(kChunk, n, n, [&](std::int64_t first, std::int64_t count) {
    std::memset(static_cast<std::byte*>(y) + first, 0, static_cast<std::size_t>(count));
  });
}

}  // namespace adjoint::kernels
