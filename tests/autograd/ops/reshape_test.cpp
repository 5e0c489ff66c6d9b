#include <algorithm>
#include <numeric>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/shape.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/naive/elements.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

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

TEST(Reshape, SqueezeAndUnsqueeze) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({1, 3, 1, 2}, dtype);
    const auto shape_of = [&](const Tensor& y) {
      expect_close(y, numbers(x), 0);
      EXPECT_EQ(y.values().row_major_buffer(), x.values().row_major_buffer());
      return y.shape();
    };
    EXPECT_EQ(shape_of(squeeze(x)), Shape({3, 2}));
    EXPECT_EQ(shape_of(squeeze(x, 0)), Shape({3, 1, 2}));
    EXPECT_EQ(shape_of(squeeze(x, -2)), Shape({1, 3, 2}));
    EXPECT_EQ(shape_of(squeeze(x, 1)), Shape({1, 3, 1, 2}));
    EXPECT_EQ(shape_of(squeeze(x, {0, 1, -2})), Shape({3, 2}));
    EXPECT_EQ(shape_of(unsqueeze(x, 0)), Shape({1, 1, 3, 1, 2}));
    EXPECT_EQ(shape_of(unsqueeze(x, 2)), Shape({1, 3, 1, 1, 2}));
    EXPECT_EQ(shape_of(unsqueeze(x, -1)), Shape({1, 3, 1, 2, 1}));
    EXPECT_EQ(shape_of(unsqueeze(x, -5)), Shape({1, 1, 3, 1, 2}));
    EXPECT_EQ(shape_of(unflatten(x, 1, {1, -1})), Shape({1, 1, 3, 1, 2}));
  }
  EXPECT_EQ(unsqueeze(scalar(1), 0).shape(), Shape({1}));
  EXPECT_EQ(unflatten(zeros({2, 12}), -1, {2, -1, 3}).shape(), Shape({2, 2, 2, 3}));
  EXPECT_EQ(unflatten(zeros({0, 2}), 0, {-1, 5}).shape(), Shape({0, 5, 2}));
  EXPECT_EQ(unflatten(zeros({0, 2}), 0, {0, 5}).shape(), Shape({0, 5, 2}));
  EXPECT_EQ(unflatten(zeros({1, 2}), 0, {}).shape(), Shape({2}));
  Rng rng(4);
  expect_gradients([](auto in) { return squeeze(unsqueeze(in[0] * in[0], 1), 0); },
                   {random_tensor({1, 3}, rng)});
  expect_gradients(
      [](auto in) {
        return unflatten(in[0] * in[0], 1, {2, -1});
      },
      {random_tensor({2, 4}, rng)});
}

TEST(Reshape, Expand) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({3, 1}, dtype);
    const Elements at(x);
    expect_elements(expand(x, {-1, 4}), {3, 4}, [&](const Index& i) { return at({i[0], 0}); });
    expect_elements(expand(x, {2, 3, 4}), {2, 3, 4}, [&](const Index& i) { return at({i[1], 0}); });
    EXPECT_EQ(expand(x, {0, -1, 2}).shape(), Shape({0, 3, 2}));
    expect_close(expand(scalar(3, {.dtype = dtype}), {2}), {3, 3}, 0);
    expect_close(expand(x, {3, -1}), x, 0);
  }
  Rng rng(5);
  expect_gradients([](auto in) { return expand(in[0] * in[0], {2, -1, 3}); }, {random_tensor({4, 1}, rng)});
}

TEST(Permute, Movedim) {
  const Tensor x = counting({2, 3, 4, 5});
  expect_close(movedim(x, 0, 2), permuted(x, {1, 2, 0, 3}), 0);
  expect_close(movedim(x, -1, 0), permuted(x, {3, 0, 1, 2}), 0);
  expect_close(movedim(x, {0, 1}, {-1, -2}), permuted(x, {2, 3, 1, 0}), 0);
  expect_close(movedim(x, {3, 0}, {1, 2}), permuted(x, {1, 3, 0, 2}), 0);
  EXPECT_EQ(movedim(x, {3, 0}, {1, 2}).shape(), Shape({3, 5, 2, 4}));
  expect_close(movedim(x, {}, {}), x, 0);
  const Tensor y = zeros({2, 3});
  expect_error<ShapeError>("movedim: axis 2 is out of range; x is [2,3]", [&] { movedim(y, 2, 0); });
  expect_error<ShapeError>("movedim: each source needs one destination; sources are [0,1], destinations [0]",
                           [&] {
                             movedim(y, {0, 1}, {0});
                           });
  expect_error<ShapeError>(
      "movedim: an axis is given twice; x is [2,3], sources are [0,-2], destinations [0,1]", [&] {
        movedim(y, {0, -2}, {0, 1});
      });
  EXPECT_THROW(movedim(y, {0, 1}, {1, -1}), ShapeError);
  EXPECT_THROW(movedim(y, {0, 1, 0, 1, 0, 1, 0, 1, 0}, {0, 1, 0, 1, 0, 1, 0, 1, 0}), ShapeError);
}

TEST(Reshape, ErrorsOfAxes) {
  const Tensor x = zeros({2, 3});
  expect_error<ShapeError>("squeeze: axis 2 is out of range; x is [2,3]", [&] { squeeze(x, 2); });
  expect_error<ShapeError>("squeeze: axis -2 is given twice; x is [2,3]", [&] { squeeze(x, {0, -2}); });
  expect_error<ShapeError>("unsqueeze: axis 3 is out of range for 3 axes; x is [2,3]",
                           [&] { unsqueeze(x, 3); });
  EXPECT_THROW(unsqueeze(x, -4), ShapeError);
  expect_error<ShapeError>("unsqueeze: at most 8 axes are supported, got 9", [&] {
    unsqueeze(zeros({1, 1, 1, 1, 1, 1, 1, 1}), 0);
  });
  const char* const rule =
      "unflatten: the sizes must make up axis 1, and one may be -1; x is [2,3], sizes are ";
  expect_error<ShapeError>(rule + std::string("[2,2]"), [&] { unflatten(x, 1, {2, 2}); });
  expect_error<ShapeError>(rule + std::string("[2,-1]"), [&] { unflatten(x, 1, {2, -1}); });
  expect_error<ShapeError>(rule + std::string("[-1,-1]"), [&] { unflatten(x, 1, {-1, -1}); });
  expect_error<ShapeError>(rule + std::string("[0,-1]"), [&] { unflatten(x, 1, {0, -1}); });
  EXPECT_THROW(unflatten(x, 1, {-3, -1}), ShapeError);
  EXPECT_THROW(unflatten(x, 1, {INT64_MAX, INT64_MAX, 3}), ShapeError);
  expect_error<ShapeError>("unflatten: at most 8 axes are supported, got 9", [&] {
    unflatten(x, 1, {3, 1, 1, 1, 1, 1, 1, 1});
  });
  const char* const expand_rule = "expand: x does not broadcast to the sizes; x is [2,3], sizes are ";
  expect_error<ShapeError>(expand_rule + std::string("[3]"), [&] { expand(x, {3}); });
  expect_error<ShapeError>(expand_rule + std::string("[2,4]"), [&] { expand(x, {2, 4}); });
  expect_error<ShapeError>(expand_rule + std::string("[-1,2,3]"), [&] { expand(x, {-1, 2, 3}); });
  EXPECT_THROW(expand(zeros({1}), {-2}), ShapeError);
  EXPECT_THROW(expand(x, {1, 1, 1, 1, 1, 1, 1, 2, 3}), ShapeError);
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
