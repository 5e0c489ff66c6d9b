#pragma once
// Several tensors joined into one, one cut into several, and one repeated. All dtypes are allowed; the
// floating ones are differentiable. Negative axes are counted from the end.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "adjoint/memory/block_cache.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// Several tensors, in recycled memory: `const auto parts = chunk(x, 4);`.
using TensorList = std::vector<Tensor, BlockAllocator<Tensor>>;

/// y = the tensors one after the other along axis. Throws ShapeError when there are none, when they have no
/// such axis, and when their other sizes differ; throws DTypeError when their dtypes differ. Unlike in
/// PyTorch, a tensor of shape [0] is no exception.
Tensor concat(std::span<const Tensor> tensors, int axis = 0);
Tensor concat(std::initializer_list<Tensor> tensors, int axis = 0);
/// y = the tensors one after the other along a new axis, which is axis number `axis` of y. Throws ShapeError
/// when there are none, when y has no such axis, and when the shapes differ; throws DTypeError when the
/// dtypes differ.
Tensor stack(std::span<const Tensor> tensors, int axis = 0);
Tensor stack(std::initializer_list<Tensor> tensors, int axis = 0);

/// Parts of x along axis, each with `size` positions; the last may have fewer. Throws ShapeError when x has
/// no such axis, and when size is not positive (it may be 0 if the axis is empty).
TensorList split(const Tensor& x, std::int64_t size, int axis = 0);
/// Parts of x along axis with these sizes. Throws ShapeError unless they are not negative and make up the
/// whole axis.
TensorList split(const Tensor& x, std::span<const std::int64_t> sizes, int axis = 0);
TensorList split(const Tensor& x, std::initializer_list<std::int64_t> sizes, int axis = 0);
/// x cut into `chunks` parts of the same size, ceil(n / chunks), along axis. The last part may be smaller,
/// and there may be fewer parts, as in PyTorch: 5 positions in 4 chunks are 2, 2 and 1. Throws ShapeError
/// when x has no such axis, or when chunks is not positive.
TensorList chunk(const Tensor& x, std::int64_t chunks, int axis = 0);

/// y = x repeated counts[k] times along axis k: [1,2] three times is [1,2,1,2,1,2]. If there are more counts
/// than axes, x gets new axes in front. Throws ShapeError when there are fewer counts than axes, when a count
/// is negative, and when y has too many axes or elements.
Tensor repeat(const Tensor& x, std::span<const std::int64_t> counts);
Tensor repeat(const Tensor& x, std::initializer_list<std::int64_t> counts);
/// repeat(), but counts that are missing in front are 1.
Tensor tile(const Tensor& x, std::span<const std::int64_t> counts);
Tensor tile(const Tensor& x, std::initializer_list<std::int64_t> counts);
/// y = x with each position along axis repeated `count` times: [1,2] three times is [1,1,1,2,2,2]. Without
/// axis, x is flattened first. Throws ShapeError when x has no such axis, when count is negative, and when y
/// has too many elements.
Tensor repeat_interleave(const Tensor& x, std::int64_t count, std::optional<int> axis = {});
/// The same with a number for each position: counts [n], int64. Throws ShapeError unless counts has as many
/// elements as the axis, DTypeError unless it is int64, and Error when a count is negative.
Tensor repeat_interleave(const Tensor& x, const Tensor& counts, std::optional<int> axis = {});

/// How the grids of meshgrid() are laid out.
enum class GridIndexing : std::uint8_t {
  ij,  ///< Vector k runs along axis k.
  xy,  ///< The first two axes are exchanged: grids [rows, columns] of x (columns) and y (rows).
};
struct MeshgridOptions {
  GridIndexing indexing = GridIndexing::ij;
};
/// The coordinates of a grid: tensor k of the result is vector k repeated along all other axes. The vectors
/// have one axis, or none for a single number. Throws ShapeError when there are no vectors, more than 8, or
/// one with more axes, and DTypeError when the dtypes differ.
TensorList meshgrid(std::span<const Tensor> vectors, const MeshgridOptions& options = {});
TensorList meshgrid(std::initializer_list<Tensor> vectors, const MeshgridOptions& options = {});

}  // namespace adjoint
