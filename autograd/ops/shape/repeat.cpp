#include <algorithm>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/join.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "autograd/ops/indexing/rows.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// The product of x's sizes of the axes in [begin, end).
std::int64_t product(const Tensor& x, int begin, int end) {
  std::int64_t result = 1;
  for (int axis = begin; axis < end; ++axis) result *= x.size(axis);
  return result;
}

/// x with its block of all elements from `axis` on repeated `count` times, in a shape that has count times
/// the size `grown` along axis number `grown`: the whole axis is repeated if axis is grown, each position of
/// it if axis is the next one.
Tensor repeated(const Tensor& x, int axis, int grown, std::int64_t count) {
  if (count == 1) return x;
  const std::int64_t outer = product(x, 0, axis), inner = product(x, axis, x.rank());
  const Tensor y = broadcast_to(reshape(x, {outer, 1, inner}), {outer, count, inner});
  return reshape(y, x.shape().with(grown, x.size(grown) * count));
}

}  // namespace

Tensor repeat(const Tensor& x, std::span<const std::int64_t> counts) {
  const std::size_t rank = counts.size(), added = rank - static_cast<std::size_t>(x.rank());
  check_shape(std::cmp_greater_equal(rank, x.rank()),
              "repeat: there must be at least one count for each axis; x is {}, counts are {}", x.shape(),
              Listed(counts));
  check_shape(rank <= Shape::kMaxRank, "repeat: at most {} axes are supported, got {}", Shape::kMaxRank,
              rank);
  std::int64_t sizes[Shape::kMaxRank], larger[Shape::kMaxRank];
  std::fill_n(sizes, added, 1);
  std::copy(x.shape().begin(), x.shape().end(), sizes + added);
  for (std::size_t i = 0; i < rank; ++i) {
    check_shape(counts[i] >= 0, "repeat: counts must not be negative, they are {}", Listed(counts));
    check_shape(!__builtin_mul_overflow(sizes[i], counts[i], &larger[i]),
                "repeat: counts are too large, they are {}", Listed(counts));
  }
  static_cast<void>(
      Shape(std::span<const std::int64_t>(larger, rank)));  // Throws if there are too many elements.
  Tensor y = reshape(x, Shape(std::span<const std::int64_t>(sizes, rank)));
  for (int axis = y.rank() - 1; axis >= 0; --axis)
    y = repeated(y, axis, axis, counts[static_cast<std::size_t>(axis)]);
  return pass_through("repeat", y);
}
Tensor repeat(const Tensor& x, std::initializer_list<std::int64_t> counts) {
  return repeat(x, std::span(counts.begin(), counts.size()));
}

Tensor tile(const Tensor& x, std::span<const std::int64_t> counts) {
  if (std::cmp_greater_equal(counts.size(), x.rank())) return repeat(x, counts);
  std::int64_t all[Shape::kMaxRank];
  const auto rank = static_cast<std::size_t>(x.rank());
  std::fill_n(all, rank, 1);
  std::copy(counts.begin(), counts.end(), all + rank - counts.size());
  return repeat(x, std::span<const std::int64_t>(all, rank));
}
Tensor tile(const Tensor& x, std::initializer_list<std::int64_t> counts) {
  return tile(x, std::span(counts.begin(), counts.size()));
}

Tensor repeat_interleave(const Tensor& x, std::int64_t count, std::optional<int> axis) {
  check_shape(count >= 0, "repeat_interleave: count must not be negative, it is {}", count);
  if (!axis) return repeat_interleave(reshape(x, {x.numel()}), count, 0);
  const int grown = ops::checked_axis("repeat_interleave", x, *axis);
  return pass_through("repeat_interleave", repeated(x, grown + 1, grown, count));
}

Tensor repeat_interleave(const Tensor& x, const Tensor& counts, std::optional<int> axis) {
  if (!axis) return repeat_interleave(reshape(x, {x.numel()}), counts, 0);
  const int grown = ops::checked_axis("repeat_interleave", x, *axis);
  ops::check_index_dtype("repeat_interleave", "counts", counts);
  check_shape(
      counts.rank() == 1 && counts.numel() == x.size(grown),
      "repeat_interleave: counts must have one element for each position of axis {}; x is {}, counts {}",
      grown, x.shape(), counts.shape());
  const auto* count = counts.values().row_major<std::int64_t>();
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < counts.numel(); ++i) {
    check(count[i] >= 0, "repeat_interleave: counts must not be negative, counts[{}] is {}", i, count[i]);
    check_shape(!__builtin_add_overflow(total, count[i], &total), "repeat_interleave: counts are too large");
  }
  Values index(DType::int64, Shape{total});
  auto* next = index.writable<std::int64_t>();
  for (std::int64_t i = 0; i < counts.numel(); ++i) next = std::fill_n(next, count[i], i);
  return ops::take_rows("repeat_interleave", x, grown, Tensor(std::move(index)));
}

}  // namespace adjoint
