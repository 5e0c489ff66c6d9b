#include <algorithm>
#include <numeric>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/shape.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

/// 0, 1, 2, ... of any dtype.
Tensor counting(const Shape& shape, DType dtype) {
  return reshape(arange(shape.numel(), {.dtype = dtype}), shape);
}

/// permute by plain loops.
std::vector<double> permuted(const Tensor& x, const std::vector<int>& axes) {
  const std::vector<double> xs = numbers(x);
  std::vector<double> y(xs.size());
  for (std::size_t position = 0; position < xs.size(); ++position) {
    std::vector<std::int64_t> index(axes.size());
    auto left = static_cast<std::int64_t>(position);
    for (int axis = x.rank() - 1; axis >= 0; --axis) {
      index[static_cast<std::size_t>(axis)] = left % x.size(axis);
      left /= x.size(axis);
    }
    std::int64_t target = 0;
    for (const int axis : axes) target = target * x.size(axis) + index[static_cast<std::size_t>(axis)];
    y[static_cast<std::size_t>(target)] = xs[position];
  }
  return y;
}

TEST(Reshape, KeepsElementsAndMemory) {
  for (const DType dtype : {float32, float64, int64}) {
    const Tensor x = counting({2, 3, 4}, dtype);
    for (const Shape& shape : {Shape{24}, Shape{4, 3, 2}, Shape{2, 12}, Shape{1, 24, 1}}) {
      const Tensor y = reshape(x, shape);
      EXPECT_EQ(y.shape(), shape);
      expect_close(y, numbers(x), 0);
      EXPECT_EQ(y.values().row_major_buffer(), x.values().row_major_buffer());
    }
  }
}

TEST(Reshape, InfersOneSize) {
  const Tensor x = zeros({2, 3, 4});
  EXPECT_EQ(reshape(x, {-1}).shape(), Shape({24}));
  EXPECT_EQ(reshape(x, {6, -1}).shape(), Shape({6, 4}));
  EXPECT_EQ(reshape(x, {-1, 1, 8}).shape(), Shape({3, 1, 8}));
  EXPECT_EQ(reshape(zeros({0, 3}), {-1, 3}).shape(), Shape({0, 3}));
  EXPECT_EQ(reshape(scalar(1), {-1}).shape(), Shape({1}));
  EXPECT_EQ(reshape(zeros({1, 1}), {}).shape(), Shape{});
}

TEST(Reshape, Gradients) {
  Rng rng(1);
  expect_gradients([](auto in) { return reshape(in[0], {3, -1}); }, {random_tensor({2, 3, 1}, rng)});
  expect_gradients([](auto in) { return reshape(in[0] * in[0], {}); }, {random_tensor({1}, rng)});
  expect_gradients(
      [](auto in) {
        return as_interleaved(reshape(as_interleaved(in[0]), {3, 5, 2}));
      },
      {random_tensor({15, 2}, rng)});
  expect_gradients([](auto in) { return flatten(in[0]); }, {random_tensor({2, 3, 2}, rng)});
  expect_gradients([](auto in) { return flatten(in[0]); }, {random_tensor({0, 3, 2}, rng)});
}

TEST(Reshape, Flatten) {
  const Tensor x = zeros({2, 3, 4, 5});
  EXPECT_EQ(flatten(x).shape(), Shape({2, 60}));
  EXPECT_EQ(flatten(x, {.start_axis = 0}).shape(), Shape({120}));
  EXPECT_EQ(flatten(x, {.start_axis = -2}).shape(), Shape({2, 3, 20}));
  EXPECT_EQ(flatten(x, {.start_axis = 3}).shape(), Shape({2, 3, 4, 5}));
  EXPECT_EQ(flatten(zeros({0, 3, 4})).shape(), Shape({0, 12}));
}

TEST(Reshape, InterleavedStaysWhileTheBatchDoes) {
  Rng rng(2);
  const Tensor x = random_tensor({17, 3, 2}, rng), interleaved = as_interleaved(x);
  const Tensor flat = flatten(interleaved), unflattened = reshape(flat, {17, 1, 6});
  EXPECT_FALSE(flat.values().has(Layout::row_major));
  EXPECT_FALSE(unflattened.values().has(Layout::row_major));
  expect_close(flat, numbers(x), 0);
  expect_close(reshape(as_interleaved(x), {3, 17, 2}), numbers(x), 0);
  expect_close(reshape(as_interleaved(x), {102}), numbers(x), 0);
}

TEST(Permute, EveryOrderOfAxes) {
  for (const DType dtype : {float32, float64, int64}) {
    for (const Shape& shape : {Shape{5}, Shape{3, 4}, Shape{17, 2, 3}, Shape{2, 3, 1, 5}, Shape{3, 0, 2}}) {
      const Tensor x = counting(shape, dtype);
      std::vector<int> axes(static_cast<std::size_t>(shape.rank()));
      std::iota(axes.begin(), axes.end(), 0);
      do {
        SCOPED_TRACE(to_string(shape));
        const Tensor y = permute(x, axes);
        for (std::size_t k = 0; k < axes.size(); ++k) EXPECT_EQ(y.size(static_cast<int>(k)), shape[axes[k]]);
        expect_close(y, permuted(x, axes), 0);
        if (dtype != int64) expect_close(permute(as_interleaved(x), axes), y, 0);
      } while (std::next_permutation(axes.begin(), axes.end()));
    }
  }
  EXPECT_EQ(permute(scalar(3), {}).item(), 3);
  expect_close(permute(counting({2, 3, 4}, float32), {-1, 0, -2}),
               permuted(counting({2, 3, 4}, float32), {2, 0, 1}), 0);
}

TEST(Permute, Transpose) {
  for (const DType dtype : {float32, float64, int64}) {
    for (const Shape& shape : {Shape{3, 4}, Shape{1, 5}, Shape{33, 17}, Shape{0, 2}}) {
      const Tensor x = counting(shape, dtype), y = transpose(x);
      EXPECT_EQ(y.shape(), Shape({shape[1], shape[0]}));
      expect_close(y, permuted(x, {1, 0}), 0);
    }
    const Tensor x = counting({2, 3, 4}, dtype);
    expect_close(transpose(x, 0, 2), permuted(x, {2, 1, 0}), 0);
    expect_close(transpose(x, -1, 1), permuted(x, {0, 2, 1}), 0);
    expect_close(transpose(x, 1, 1), numbers(x), 0);
  }
}

TEST(Permute, Gradients) {
  Rng rng(3);
  const Tensor x = random_tensor({2, 3, 4}, rng);
  expect_gradients([](auto in) { return permute(in[0], {2, 0, 1}); }, {x});
  expect_gradients([](auto in) { return as_interleaved(permute(as_interleaved(in[0]), {1, 2, 0})); }, {x});
  expect_gradients([](auto in) { return transpose(in[0], 0, -1); }, {x});
  expect_gradients([](auto in) { return transpose(in[0]); }, {random_tensor({3, 5}, rng)});
  expect_gradients([](auto in) { return transpose(as_interleaved(in[0])); }, {random_tensor({9, 2}, rng)});
}

TEST(Reshape, Errors) {
  const Tensor x = zeros({2, 3});
  expect_error<ShapeError>("reshape: the shape must have as many elements as x; x is [2,3], the shape [4,2]",
                           [&] {
                             reshape(x, {4, 2});
                           });
  expect_error<ShapeError>("reshape: only one size may be -1, the shape is [-1,-1]", [&] {
    reshape(x, {-1, -1});
  });
  expect_error<ShapeError>("reshape: the size that is -1 cannot be found; x is [2,3], the shape [4,-1]", [&] {
    reshape(x, {4, -1});
  });
  expect_error<ShapeError>("reshape: the size that is -1 cannot be found; x is [0], the shape [0,-1]", [&] {
    reshape(zeros({0}), {0, -1});
  });
  expect_error<ShapeError>("reshape: at most 8 axes are supported, got 9", [&] {
    reshape(x, {1, 1, 1, 1, 1, 1, 1, 1, -1});
  });
  EXPECT_THROW(reshape(x, {-2, -3}), ShapeError);
  EXPECT_THROW(reshape(x, {-1, -6}), ShapeError);
  EXPECT_THROW(reshape(x, {std::int64_t{1} << 62, 4, -1}), ShapeError);
  expect_error<ShapeError>("flatten: axis 2 is out of range; x is [2,3]",
                           [&] { flatten(x, {.start_axis = 2}); });
  EXPECT_THROW(flatten(scalar(1)), ShapeError);
}

TEST(Permute, Errors) {
  const Tensor x = zeros({2, 3});
  const char* const rule = "permute: axes must name every axis of x once; x is [2,3], axes are ";
  expect_error<ShapeError>(rule + std::string("[0]"), [&] { permute(x, {0}); });
  expect_error<ShapeError>(rule + std::string("[0,0]"), [&] { permute(x, {0, 0}); });
  expect_error<ShapeError>(rule + std::string("[0,-2]"), [&] { permute(x, {0, -2}); });
  expect_error<ShapeError>(rule + std::string("[0,2]"), [&] { permute(x, {0, 2}); });
  EXPECT_THROW(permute(x, {0, 1, 2}), ShapeError);
  EXPECT_THROW(permute(x, {-3, 0}), ShapeError);
  expect_error<ShapeError>("transpose: axis 2 is out of range; x is [2,3]", [&] { transpose(x, 0, 2); });
  expect_error<ShapeError>("transpose: x must have 2 axes, it is [2]", [&] { transpose(zeros({2})); });
}

}  // namespace
}  // namespace adjoint
