#include "adjoint/ops/join.h"

#include <algorithm>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/slice.h"
#include "autograd/ops/shape/box.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

std::span<const Tensor> as_span(std::initializer_list<Tensor> tensors) {
  return {tensors.begin(), tensors.size()};
}

/// Throws unless there is a tensor and all have the same dtype.
void check_tensors(const char* op, std::span<const Tensor> tensors) {
  check_shape(!tensors.empty(), "{}: there must be at least one tensor", op);
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    check<DTypeError>(tensors[i].dtype() == tensors[0].dtype(),
                      "{}: all tensors must have the same dtype; tensor 0 is {}, tensor {} is {}", op,
                      tensors[0].dtype(), i, tensors[i].dtype());
  }
}

/// y with tensor i in the box box_of(i).
template <class BoxOf>
Values joined(std::span<const Tensor> tensors, const Shape& shape, const BoxOf& box_of) {
  Values y(tensors[0].dtype(), shape);
  for (std::size_t i = 0; i < tensors.size(); ++i)
    ops::copy_box(tensors[i].values(), ops::Box(tensors[i].shape()), y, box_of(i));
  return y;
}

/// A node with these inputs, whose gradients are gradient_of(dy, i).
template <class GradientOf>
Tensor record_joined(const char* op, Values y, std::span<const Tensor> tensors, GradientOf gradient_of) {
  const std::vector<Input, BlockAllocator<Input>> inputs(tensors.begin(), tensors.end());
  return record(
      op, std::move(y), std::span<const Input>(inputs),
      [count = tensors.size(), gradient_of = std::move(gradient_of)](const Tensor& dy, Needs needs) {
        Grads gradients = Grads::with_size(count);
        for (std::size_t i = 0; i < count; ++i)
          if (needs[i]) gradients[i] = gradient_of(dy, i);
        return gradients;
      });
}

}  // namespace

Tensor concat(std::span<const Tensor> tensors, int axis) {
  check_tensors("concat", tensors);
  axis = ops::checked_axis("concat", tensors[0], axis);
  const Shape& first = tensors[0].shape();
  std::vector<std::int64_t, BlockAllocator<std::int64_t>> begins;
  begins.reserve(tensors.size() + 1);
  begins.push_back(0);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Shape& shape = tensors[i].shape();
    check_shape(shape.rank() == first.rank() && shape.with(axis, first[axis]) == first,
                "concat: the shapes may differ in axis {} only; tensor 0 is {}, tensor {} is {}", axis, first,
                i, shape);
    std::int64_t end = 0;
    check_shape(!__builtin_add_overflow(begins.back(), shape[axis], &end),
                "concat: the result has too many positions along axis {}", axis);
    begins.push_back(end);
  }
  if (tensors.size() == 1) return pass_through("concat", tensors[0]);
  const Shape y_shape = first.with(axis, begins.back());
  Values y = joined(tensors, y_shape, [&](std::size_t i) {
    ops::Box box(y_shape);
    box.keep(axis, begins[i], 1, begins[i + 1] - begins[i]);
    return box;
  });
  return record_joined("concat", std::move(y), tensors,
                       [axis, begins = std::move(begins)](const Tensor& dy, std::size_t i) {
                         return narrow(dy, axis, begins[i], begins[i + 1] - begins[i]);
                       });
}
Tensor concat(std::initializer_list<Tensor> tensors, int axis) { return concat(as_span(tensors), axis); }

Tensor stack(std::span<const Tensor> tensors, int axis) {
  check_tensors("stack", tensors);
  const Shape& first = tensors[0].shape();
  for (std::size_t i = 1; i < tensors.size(); ++i)
    check_shape(tensors[i].shape() == first,
                "stack: the shapes must be equal; tensor 0 is {}, tensor {} is {}", first, i,
                tensors[i].shape());
  const int rank = first.rank() + 1;
  check_shape(rank <= Shape::kMaxRank, "stack: at most {} axes are supported, got {}", Shape::kMaxRank, rank);
  check_shape(axis >= -rank && axis < rank, "stack: axis {} is out of range for {} axes; the tensors are {}",
              axis, rank, first);
  if (axis < 0) axis += rank;
  std::int64_t sizes[Shape::kMaxRank];
  std::copy_n(first.begin(), axis, sizes);
  sizes[axis] = static_cast<std::int64_t>(tensors.size());
  std::copy(first.begin() + axis, first.end(), sizes + axis + 1);
  const Shape y_shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(rank)));
  Values y = joined(tensors, y_shape, [&](std::size_t i) {
    ops::Box box(y_shape);
    box.take(axis, static_cast<std::int64_t>(i));
    return box;
  });
  return record_joined("stack", std::move(y), tensors, [axis](const Tensor& dy, std::size_t i) {
    return select(dy, axis, static_cast<std::int64_t>(i));
  });
}
Tensor stack(std::initializer_list<Tensor> tensors, int axis) { return stack(as_span(tensors), axis); }

TensorList split(const Tensor& x, std::span<const std::int64_t> sizes, int axis) {
  axis = ops::checked_axis("split", x, axis);
  std::int64_t total = 0;
  bool fits = true;
  for (const std::int64_t size : sizes)
    fits = fits && size >= 0 && !__builtin_add_overflow(total, size, &total);
  check_shape(fits && total == x.size(axis), "split: the sizes must make up axis {}; x is {}, sizes are {}",
              axis, x.shape(), Listed(sizes));
  TensorList parts;
  parts.reserve(sizes.size());
  std::int64_t begin = 0;
  for (const std::int64_t size : sizes) {
    parts.push_back(narrow(x, axis, begin, size));
    begin += size;
  }
  return parts;
}
TensorList split(const Tensor& x, std::initializer_list<std::int64_t> sizes, int axis) {
  return split(x, std::span(sizes.begin(), sizes.size()), axis);
}

TensorList split(const Tensor& x, std::int64_t size, int axis) {
  axis = ops::checked_axis("split", x, axis);
  const std::int64_t all = x.size(axis);
  check_shape(size > 0 || (size == 0 && all == 0), "split: size must be positive, it is {}; x is {}", size,
              x.shape());
  TensorList parts;
  std::int64_t begin = 0;
  do {  // An empty axis is one part.
    const std::int64_t part = std::min(size, all - begin);
    parts.push_back(narrow(x, axis, begin, part));
    begin += part;
  } while (begin < all);
  return parts;
}

TensorList chunk(const Tensor& x, std::int64_t chunks, int axis) {
  check_shape(chunks > 0, "chunk: chunks must be positive, it is {}", chunks);
  axis = ops::checked_axis("chunk", x, axis);
  const std::int64_t size = x.size(axis);
  if (size == 0) {
    TensorList empty;
    empty.reserve(static_cast<std::size_t>(chunks));
    for (std::int64_t i = 0; i < chunks; ++i) empty.push_back(pass_through("chunk", x));
    return empty;
  }
  return split(x, size / chunks + (size % chunks != 0 ? 1 : 0), axis);
}

TensorList meshgrid(std::span<const Tensor> vectors, const MeshgridOptions& options) {
  check_tensors("meshgrid", vectors);
  const std::size_t rank = vectors.size();
  check_shape(rank <= Shape::kMaxRank, "meshgrid: at most {} vectors are supported, got {}", Shape::kMaxRank,
              rank);
  // The axis along which vector k runs.
  const auto axis_of = [&](std::size_t k) {
    return options.indexing == GridIndexing::xy && rank > 1 && k < 2 ? 1 - k : k;
  };
  std::int64_t sizes[Shape::kMaxRank], ones[Shape::kMaxRank];
  std::fill_n(ones, Shape::kMaxRank, 1);
  for (std::size_t k = 0; k < rank; ++k) {
    check_shape(vectors[k].rank() <= 1, "meshgrid: each vector must have at most one axis, vector {} is {}",
                k, vectors[k].shape());
    sizes[axis_of(k)] = vectors[k].numel();
  }
  const Shape all(std::span<const std::int64_t>(sizes, rank)),
      line(std::span<const std::int64_t>(ones, rank));
  TensorList grids;
  grids.reserve(rank);
  for (std::size_t k = 0; k < rank; ++k) {
    const auto axis = static_cast<int>(axis_of(k));
    grids.push_back(broadcast_to(reshape(vectors[k], line.with(axis, vectors[k].numel())), all));
  }
  return grids;
}
TensorList meshgrid(std::initializer_list<Tensor> vectors, const MeshgridOptions& options) {
  return meshgrid(as_span(vectors), options);
}

}  // namespace adjoint
