#include <algorithm>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/indexing.h"
#include "adjoint/ops/shape.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/ops/indexing/rows.h"
#include "autograd/ops/shape/box.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// index's shape with one more axis at the end.
Shape with_entries(const char* op, const Tensor& index, std::int64_t size) {
  check_shape(index.rank() < Shape::kMaxRank, "{}: index must have less than {} axes, it is {}", op,
              Shape::kMaxRank, index.shape());
  std::int64_t sizes[Shape::kMaxRank];
  std::copy(index.shape().begin(), index.shape().end(), sizes);
  sizes[index.rank()] = size;
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(index.rank()) + 1));
}

std::int64_t classes_of(const Tensor& index, const std::optional<std::int64_t>& given) {
  if (given) {
    check(*given > 0, "one_hot: classes must be positive, it is {}", *given);
    return *given;
  }
  check(index.numel() > 0, "one_hot: without indices, the number of classes must be given; index is {}",
        index.shape());
  const auto* indices = index.values().row_major<std::int64_t>();
  const std::int64_t largest = *std::max_element(indices, indices + index.numel());
  return std::clamp<std::int64_t>(largest, 0, INT64_MAX - 1) + 1;
}

}  // namespace

Tensor one_hot(const Tensor& index, std::optional<std::int64_t> classes) {
  ops::check_index_dtype("one_hot", "index", index);
  const std::int64_t count = classes_of(index, classes);
  ops::check_indices("one_hot", index, count);
  Values y(DType::int64, with_entries("one_hot", index, count));
  kernels::clear(y.numel() * static_cast<std::int64_t>(sizeof(std::int64_t)), ops::writable_bytes(y));
  const auto* indices = index.values().row_major<std::int64_t>();
  auto* to = y.writable<std::int64_t>();
  for (std::int64_t i = 0; i < index.numel(); ++i) to[i * count + indices[i]] = 1;
  return Tensor(std::move(y));
}

Tensor embedding(const Tensor& index, const Tensor& weight, const EmbeddingOptions& options) {
  ops::check_index_dtype("embedding", "index", index);
  ops::check_rank("embedding", "weight", weight, 2);
  const std::int64_t rows = weight.size(0);
  const std::int64_t padding = options.padding_index.value_or(0);
  check_shape(!options.padding_index || (padding >= -rows && padding < rows),
              "embedding: padding_index {} is out of range; weight is {}", padding, weight.shape());
  ops::check_indices("embedding", index, rows);
  const Shape shape = with_entries("embedding", index, weight.size(1));
  const std::int64_t skip = !options.padding_index ? ops::kSkipNone : padding < 0 ? padding + rows : padding;
  const Tensor list = reshape(index, {index.numel()});
  return record(
      "embedding", ops::rows_of(weight, 0, list).reshaped(shape), {weight},
      [=, list = Saved(list), columns = weight.size(1)](const Tensor& dy, Needs) -> Grads {
        const Tensor& indices = list;
        return {ops::add_rows("embedding", reshape(dy, {indices.numel(), columns}), 0, indices, rows, skip)};
      });
}

}  // namespace adjoint
