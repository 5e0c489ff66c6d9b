#include "adjoint/ops/join.h"

#include "adjoint/ops/slice.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/naive/elements.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

TEST(Join, Concat) {
  for (const DType dtype : kDTypes) {
    const Tensor a = counting({2, 3, 2}, dtype), b = counting({2, 1, 2}, dtype),
                 empty = zeros({2, 0, 2}, {.dtype = dtype});
    const Elements of_a(a), of_b(b);
    expect_elements(concat({a, empty, b, a}, 1), {2, 7, 2}, [&](const Index& i) {
      if (i[1] < 3) return of_a(i);
      return i[1] == 3 ? of_b({i[0], 0, i[2]}) : of_a({i[0], i[1] - 4, i[2]});
    });
    expect_elements(concat({a, a}), {4, 3, 2}, [&](const Index& i) { return of_a({i[0] % 2, i[1], i[2]}); });
    expect_elements(concat({a, a}, -1), {2, 3, 4}, [&](const Index& i) {
      return of_a({i[0], i[1], i[2] % 2});
    });
    if (dtype != int64) expect_close(concat({as_interleaved(a), b}, 1), concat({a, b}, 1), 0);
    EXPECT_EQ(concat({empty, empty}, 1).shape(), Shape({2, 0, 2}));
    expect_close(concat({a}), a, 0);
  }
}

TEST(Join, Stack) {
  for (const DType dtype : kDTypes) {
    const Tensor a = counting({2, 3}, dtype), b = flip(a, {0, 1});
    const Elements of_a(a), of_b(b);
    const auto of = [&](std::int64_t k, const Index& i) { return k == 1 ? of_b(i) : of_a(i); };
    expect_elements(stack({a, b, a}), {3, 2, 3}, [&](const Index& i) { return of(i[0], {i[1], i[2]}); });
    expect_elements(stack({a, b, a}, 1), {2, 3, 3}, [&](const Index& i) { return of(i[1], {i[0], i[2]}); });
    expect_elements(stack({a, b, a}, -1), {2, 3, 3}, [&](const Index& i) { return of(i[2], {i[0], i[1]}); });
    expect_close(stack({scalar(3, {.dtype = dtype}), scalar(4, {.dtype = dtype})}),
                 tensor({3, 4}, {.dtype = dtype}), 0);
    EXPECT_EQ(stack({a}).shape(), Shape({1, 2, 3}));
    EXPECT_EQ(stack({zeros({0, 2}), zeros({0, 2})}, 1).shape(), Shape({0, 2, 2}));
  }
}

TEST(Join, MoreTensorsThanANodeHoldsInPlace) {
  std::vector<Tensor> numbers;
  for (int i = 0; i < 100; ++i) numbers.push_back(scalar(i, {.dtype = float64, .requires_grad = i % 2 == 0}));
  const Tensor stacked = stack(numbers);
  expect_elements(stacked, {100}, [](const Index& i) { return static_cast<double>(i[0]); });
  sum(stacked * stacked).backward();
  for (int i = 0; i < 100; i += 2) EXPECT_EQ(numbers[static_cast<std::size_t>(i)].grad().item(), 2 * i);
  std::vector<Tensor> lines(70, counting({1, 2}));
  lines.push_back(counting({1, 2}).set_requires_grad());
  (concat(lines) * counting({71, 2})).backward(ones({71, 2}, {.dtype = float64}));
  expect_close(lines.back().grad(), {141, 142}, 0);
}

TEST(Join, LargeArrays) {
  const WithThreads threads(3);
  const Tensor a = counting({70, 30'000}, float32), b = counting({70, 1}, float32);
  const Elements of_a(a), of_b(b);
  expect_elements(concat({a, b}, 1), {70, 30'001}, [&](const Index& i) {
    return i[1] < 30'000 ? of_a(i) : of_b({i[0], 0});
  });
}

TEST(Join, SplitAndChunk) {
  const auto sizes = [](const TensorList& parts) {
    std::vector<std::int64_t> result;
    for (const Tensor& part : parts) result.push_back(part.size(1));
    return result;
  };
  using Sizes = std::vector<std::int64_t>;
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({2, 7, 3}, dtype);
    const Elements at(x);
    for (const TensorList& parts : {split(x, 3, 1), split(x, {0, 5, 2}, -2), chunk(x, 2, 1)}) {
      std::int64_t begin = 0;
      for (const Tensor& part : parts) {
        expect_elements(part, {2, part.size(1), 3}, [&](const Index& i) {
          return at({i[0], begin + i[1], i[2]});
        });
        begin += part.size(1);
      }
      EXPECT_EQ(begin, 7);
    }
    EXPECT_EQ(sizes(split(x, 3, 1)), Sizes({3, 3, 1}));
    EXPECT_EQ(sizes(split(x, 100, 1)), Sizes({7}));
    EXPECT_EQ(sizes(split(x, INT64_MAX, 1)), Sizes({7}));
    EXPECT_EQ(sizes(split(x, {0, 5, 2}, 1)), Sizes({0, 5, 2}));
    EXPECT_EQ(sizes(chunk(x, 3, 1)), Sizes({3, 3, 1}));
    EXPECT_EQ(sizes(chunk(x, 4, 1)), Sizes({2, 2, 2, 1}));
    EXPECT_EQ(sizes(chunk(x, 5, 1)), Sizes({2, 2, 2, 1}));
    EXPECT_EQ(sizes(chunk(x, 9, 1)), Sizes({1, 1, 1, 1, 1, 1, 1}));
    EXPECT_EQ(sizes(chunk(x, INT64_MAX, 1)).size(), 7U);
    EXPECT_EQ(sizes(chunk(zeros({2, 0}, {.dtype = dtype}), 3, 1)), Sizes({0, 0, 0}));
    EXPECT_EQ(sizes(split(zeros({2, 0}, {.dtype = dtype}), 5, 1)), Sizes({0}));
    EXPECT_EQ(sizes(split(zeros({2, 0}, {.dtype = dtype}), 0, 1)), Sizes({0}));
    EXPECT_EQ(split(x, 1).size(), 2U);
  }
}

TEST(Join, Gradients) {
  Rng rng(1);
  const Tensor a = random_tensor({2, 3}, rng), b = random_tensor({2, 1}, rng);
  expect_gradients([](auto in) { return concat({in[0] * in[0], in[1], in[0]}, 1); }, {a, b});
  expect_gradients(
      [](auto in) {
        return concat({in[0], in[0]}) * concat({in[0], in[1]}, 0);
      },
      {a, random_tensor({2, 3}, rng)});
  expect_gradients(
      [](auto in) {
        return stack({in[0] * in[0], in[1], in[0]}, 1);
      },
      {a, random_tensor({2, 3}, rng)});
  expect_gradients([](auto in) { return stack({in[0], in[0]}, -1); }, {scalar(2, {.dtype = float64})});
  expect_gradients([](auto in) { return concat({in[0], in[0]}, 1); }, {random_tensor({2, 0}, rng)});
  expect_gradients(
      [](auto in) {
        const auto parts = split(in[0], {2, 1}, 1);
        return parts[0] * parts[1];
      },
      {a});
  expect_gradients(
      [](auto in) {
        const auto parts = chunk(in[0] * in[0], 2, 1);
        return as_interleaved(concat({parts[1], in[1], parts[0]}, 1));
      },
      {random_tensor({9, 3}, rng), random_tensor({9, 2}, rng)});
}

TEST(Repeat, RepeatAndTile) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({2, 3}, dtype);
    const Elements at(x);
    expect_elements(repeat(x, {2, 3}), {4, 9}, [&](const Index& i) { return at({i[0] % 2, i[1] % 3}); });
    expect_elements(repeat(x, {2, 1, 2}), {2, 2, 6}, [&](const Index& i) { return at({i[1], i[2] % 3}); });
    expect_elements(repeat(x, {3, 1}), {6, 3}, [&](const Index& i) { return at({i[0] % 2, i[1]}); });
    expect_close(repeat(x, {1, 1}), x, 0);
    EXPECT_EQ(repeat(x, {0, 2}).shape(), Shape({0, 6}));
    EXPECT_EQ(repeat(zeros({2, 0}), {3, 2}).shape(), Shape({6, 0}));
    expect_elements(repeat(scalar(3, {.dtype = dtype}), {2}), {2}, [](const Index&) { return 3.0; });
    expect_elements(tile(x, {2}), {2, 6}, [&](const Index& i) { return at({i[0], i[1] % 3}); });
    expect_elements(tile(x, {2, 1, 1}), {2, 2, 3}, [&](const Index& i) { return at({i[1], i[2]}); });
    expect_close(tile(x, {}), x, 0);
  }
  const Tensor deep = counting({1, 2, 1, 2, 1, 1, 2, 1});
  const Elements at(deep);
  expect_elements(repeat(deep, {2, 2, 2, 2, 2, 2, 2, 2}), {2, 4, 2, 4, 2, 2, 4, 2}, [&](const Index& i) {
    return at({0, i[1] % 2, 0, i[3] % 2, 0, 0, i[6] % 2, 0});
  });
}

TEST(Repeat, Interleaved) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({2, 3}, dtype), counts = tensor({2, 0, 1}, {.dtype = int64});
    const Elements at(x);
    expect_elements(repeat_interleave(x, 2, 0), {4, 3}, [&](const Index& i) { return at({i[0] / 2, i[1]}); });
    expect_elements(repeat_interleave(x, 3, -1), {2, 9}, [&](const Index& i) {
      return at({i[0], i[1] / 3});
    });
    expect_close(repeat_interleave(x, 2), {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6}, 0);
    EXPECT_EQ(repeat_interleave(x, 0, 1).shape(), Shape({2, 0}));
    expect_close(repeat_interleave(x, counts, 1), tensor({1, 1, 3, 4, 4, 6}, {2, 3}, {.dtype = dtype}), 0);
    expect_close(repeat_interleave(x, tensor({0, 1, 0, 2, 0, 0}, {.dtype = int64})), {2, 4, 4}, 0);
    EXPECT_EQ(repeat_interleave(x, zeros({2}, {.dtype = int64}), 0).shape(), Shape({0, 3}));
    EXPECT_EQ(repeat_interleave(zeros({2, 0}), zeros({0}, {.dtype = int64}), 1).shape(), Shape({2, 0}));
  }
}

TEST(Repeat, Gradients) {
  Rng rng(2);
  const Tensor x = random_tensor({2, 3}, rng);
  expect_gradients([](auto in) { return repeat(in[0] * in[0], {2, 1, 3}); }, {x});
  expect_gradients([](auto in) { return tile(as_interleaved(in[0]), {2}) * 2.0; },
                   {random_tensor({9, 2}, rng)});
  expect_gradients([](auto in) { return repeat(in[0], {0, 2}); }, {x});
  expect_gradients([](auto in) { return repeat_interleave(in[0] * in[0], 2, 0); }, {x});
  expect_gradients(
      [](auto in) {
        return repeat_interleave(in[0] * in[0], tensor({2, 0, 1}, {.dtype = int64}), 1);
      },
      {x});
}

TEST(Join, Meshgrid) {
  for (const DType dtype : kDTypes) {
    const Tensor a = counting({2}, dtype), b = flip(counting({3}, dtype), 0), c = scalar(7, {.dtype = dtype});
    const Elements of_a(a), of_b(b);
    const TensorList ij = meshgrid({a, b, c}), xy = meshgrid({a, b}, {.indexing = GridIndexing::xy});
    expect_elements(ij[0], {2, 3, 1}, [&](const Index& i) { return of_a({i[0]}); });
    expect_elements(ij[1], {2, 3, 1}, [&](const Index& i) { return of_b({i[1]}); });
    expect_elements(ij[2], {2, 3, 1}, [&](const Index&) { return 7.0; });
    expect_elements(xy[0], {3, 2}, [&](const Index& i) { return of_a({i[1]}); });
    expect_elements(xy[1], {3, 2}, [&](const Index& i) { return of_b({i[0]}); });
    expect_close(meshgrid({a}, {.indexing = GridIndexing::xy})[0], a, 0);
    EXPECT_EQ(meshgrid({a, zeros({0}, {.dtype = dtype})})[0].shape(), Shape({2, 0}));
  }
  Rng rng(3);
  expect_gradients(
      [](auto in) {
        const auto grids = meshgrid({in[0], in[1]});
        return grids[0] * grids[0] * grids[1];
      },
      {random_tensor({2}, rng), random_tensor({3}, rng)});
}

TEST(Join, Errors) {
  const Tensor x = zeros({2, 3}), whole = zeros({2, 3}, {.dtype = int64});
  for (const char* op : {"concat", "stack", "meshgrid"}) {
    const std::string name(op);
    const auto call = [&](std::span<const Tensor> tensors) {
      if (name == "concat") return concat(tensors);
      return name == "stack" ? stack(tensors) : meshgrid(tensors)[0];
    };
    expect_error<ShapeError>(name + ": there must be at least one tensor", [&] { call({}); });
    expect_error<DTypeError>(
        name + ": all tensors must have the same dtype; tensor 0 is float32, tensor 1 is int64", [&] {
          call(std::vector<Tensor>{x, whole});
        });
  }
  expect_error<ShapeError>(
      "concat: the shapes may differ in axis 1 only; tensor 0 is [2,3], tensor 1 is [3,3]", [&] {
        concat({x, zeros({3, 3})}, 1);
      });
  expect_error<ShapeError>("concat: the shapes may differ in axis 0 only; tensor 0 is [2,3], tensor 1 is [0]",
                           [&] {
                             concat({x, zeros({0})});
                           });
  expect_error<ShapeError>("concat: axis 2 is out of range; x is [2,3]", [&] { concat({x, x}, 2); });
  EXPECT_THROW(concat({scalar(1), scalar(2)}), ShapeError);
  const Tensor huge = zeros({0, std::int64_t{1} << 58});
  std::vector<Tensor> too_many(40, huge);
  EXPECT_THROW(concat(too_many, 1), ShapeError);
  expect_error<ShapeError>("stack: the shapes must be equal; tensor 0 is [2,3], tensor 1 is [3,2]", [&] {
    stack({x, zeros({3, 2})});
  });
  expect_error<ShapeError>("stack: axis 3 is out of range for 3 axes; the tensors are [2,3]", [&] {
    stack({x, x}, 3);
  });
  EXPECT_THROW(stack({x, x}, -4), ShapeError);
  expect_error<ShapeError>("stack: at most 8 axes are supported, got 9", [&] {
    stack({zeros({1, 1, 1, 1, 1, 1, 1, 1})});
  });
  expect_error<ShapeError>("split: size must be positive, it is 0; x is [2,3]", [&] { split(x, 0); });
  EXPECT_THROW(split(x, -1), ShapeError);
  expect_error<ShapeError>("split: the sizes must make up axis 1; x is [2,3], sizes are [1,1]", [&] {
    split(x, {1, 1}, 1);
  });
  EXPECT_THROW(split(x, {4, -1}, 1), ShapeError);
  EXPECT_THROW(split(x, {INT64_MAX, INT64_MAX, 5}, 1), ShapeError);
  expect_error<ShapeError>("chunk: chunks must be positive, it is 0", [&] { chunk(x, 0); });
  expect_error<ShapeError>("chunk: axis 2 is out of range; x is [2,3]", [&] { chunk(x, 1, 2); });
  expect_error<ShapeError>("meshgrid: each vector must have at most one axis, vector 1 is [2,3]", [&] {
    meshgrid({zeros({2}), x});
  });
  EXPECT_THROW(meshgrid(std::vector<Tensor>(9, zeros({1}))), ShapeError);
}

TEST(Repeat, Errors) {
  const Tensor x = zeros({2, 3});
  expect_error<ShapeError>(
      "repeat: there must be at least one count for each axis; x is [2,3], counts are [2]",
      [&] { repeat(x, {2}); });
  expect_error<ShapeError>("repeat: counts must not be negative, they are [1,-1]", [&] {
    repeat(x, {1, -1});
  });
  expect_error<ShapeError>("repeat: at most 8 axes are supported, got 9", [&] {
    repeat(x, {1, 1, 1, 1, 1, 1, 1, 1, 1});
  });
  EXPECT_THROW(repeat(x, {std::int64_t{1} << 40, std::int64_t{1} << 40}), ShapeError);
  EXPECT_THROW(repeat(zeros({0}), {INT64_MAX}), ShapeError);
  EXPECT_THROW(tile(x, {-1}), ShapeError);
  expect_error<ShapeError>("repeat_interleave: count must not be negative, it is -1",
                           [&] { repeat_interleave(x, -1, 0); });
  expect_error<ShapeError>("repeat_interleave: axis 2 is out of range; x is [2,3]",
                           [&] { repeat_interleave(x, 1, 2); });
  EXPECT_THROW(repeat_interleave(x, INT64_MAX, 0), ShapeError);
  expect_error<DTypeError>("repeat_interleave: counts must be int64, it is float32",
                           [&] { repeat_interleave(x, zeros({3}), 1); });
  expect_error<ShapeError>(
      "repeat_interleave: counts must have one element for each position of axis 1; x is [2,3], counts [2]",
      [&] { repeat_interleave(x, zeros({2}, {.dtype = int64}), 1); });
  expect_error<Error>("repeat_interleave: counts must not be negative, counts[1] is -1", [&] {
    repeat_interleave(x, tensor({1, -1, 2}, {.dtype = int64}), 1);
  });
}

}  // namespace
}  // namespace adjoint
