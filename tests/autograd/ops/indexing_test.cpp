#include "adjoint/ops/indexing.h"

#include "tests/support/expect_gradients.h"
#include "tests/support/naive/elements.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

constexpr TensorOptions kWhole{.dtype = int64}, kDouble{.dtype = float64};

/// Indices in [0, size), many of them repeated.
Tensor random_indices(const Shape& shape, std::int64_t size, std::uint64_t seed) {
  const auto values = random_values<std::int64_t>(static_cast<std::size_t>(shape.numel()), seed, 0,
                                                  static_cast<double>(size));
  return from_data<std::int64_t>(values, shape);
}

struct Case {
  Shape x;
  int axis;
  Shape index;
};
const Case kCases[] = {
    {{3, 4, 2}, 0, {5, 4, 2}},
    {{3, 4, 2}, 1, {3, 2, 2}},
    {{3, 4, 2}, -1, {3, 4, 7}},
    {{3, 4, 2}, 0, {2, 3, 1}},
    {{3, 4, 2}, 1, {2, 6, 1}},
    {{3, 4, 2}, 2, {1, 2, 3}},
    {{5}, 0, {8}},
    {{5, 3}, 0, {0, 3}},
    {{5, 3}, 1, {0, 3}},
    {{2, 0, 3}, 0, {4, 0, 3}},
    {{1, 1}, 0, {1, 1}},
    {{2, 70}, 0, {5, 70}},
    {{2, 3, 1, 2, 2, 1, 2, 2}, 3, {2, 2, 1, 4, 2, 1, 1, 2}},
};

int axis_of(const Case& c) { return c.axis < 0 ? c.axis + c.x.rank() : c.axis; }

/// Where an element of the index tensor points.
Index target(const Case& c, const Elements& index, Index i) {
  const auto position = static_cast<std::int64_t>(index(i));
  i[static_cast<std::size_t>(axis_of(c))] = position;
  return i;
}

/// scatter() and scatter_add() by plain loops.
std::vector<double> scattered(const Case& c, const Tensor& x, const Tensor& index, const Tensor& src,
                              bool add) {
  std::vector<double> y = numbers(x);
  const Elements indices(index), from(src);
  by_index(index.shape(), [&](const Index& i) {
    const Index to = target(c, indices, i);
    std::int64_t flat = 0;
    for (int axis = 0; axis < x.rank(); ++axis)
      flat = flat * x.size(axis) + to[static_cast<std::size_t>(axis)];
    double& place = y.at(static_cast<std::size_t>(flat));
    place = (add ? place : 0) + from(i);
    return 0.0;
  });
  return y;
}

TEST(Gather, TakesElements) {
  for (const DType dtype : kDTypes) {
    for (const Case& c : kCases) {
      const Tensor x = counting(c.x, dtype), index = random_indices(c.index, c.x[c.axis], 1);
      const Elements at(x), indices(index);
      expect_elements(gather(x, c.axis, index), c.index,
                      [&](const Index& i) { return at(target(c, indices, i)); });
    }
  }
  Rng rng(1);
  const Tensor x = random_tensor({17, 3}, rng), index = random_indices({17, 2}, 3, 2);
  expect_close(gather(as_interleaved(x), 1, index), gather(x, 1, index), 0);
}

TEST(Gather, RepeatedIndicesAddUpInTheGradient) {
  const Tensor index = tensor({0, 0}, kWhole);
  const auto gathered = [&](const Tensor& in) { return gather(in, 0, index); };
  expect_close(gradient(gathered, tensor({0.1, 0.7}, kDouble), tensor({0.2, 0.3}, kDouble)), {0.5, 0}, 1e-15);
}

TEST(Scatter, LastOfSeveralIsWritten) {
  for (const DType dtype : kDTypes) {
    for (const Case& c : kCases) {
      const Tensor x = counting(c.x, dtype), index = random_indices(c.index, c.x[c.axis], 3);
      Shape larger = c.index;
      for (int axis = 0; axis < larger.rank() && larger.numel() > 0; ++axis)
        larger = larger.with(axis, larger[axis] + axis % 2);
      const Tensor src = counting(larger, dtype);
      expect_close(scatter(x, c.axis, index, src), scattered(c, x, index, src, false), 0);
      expect_close(scatter_add(x, c.axis, index, src), scattered(c, x, index, src, true), 0);
      const Tensor sevens = full(c.index, 7, {.dtype = dtype});
      expect_close(scatter(x, c.axis, index, 7), scattered(c, x, index, sevens, false), 0);
      expect_close(x, numbers(counting(c.x, dtype)), 0);
    }
  }
}

TEST(Scatter, OnlyWhatWasWrittenGetsAGradient) {
  const Tensor x = zeros({1}, {.dtype = float64, .requires_grad = true});
  const Tensor src = tensor({1, 2}, {.dtype = float64, .requires_grad = true});
  const Tensor y = scatter(x, 0, tensor({0, 0}, kWhole), src);
  EXPECT_EQ(y.item(), 2);
  y.backward(ones({1}, kDouble));
  expect_close(src.grad(), {0, 1}, 0);
  expect_close(x.grad(), {0}, 0);
}

TEST(Scatter, SumsOfWholeNumbersWrapAround) {
  Tensor x = zeros({1}, kWhole);
  x.mutable_data<std::int64_t>()[0] = INT64_MAX;
  const Tensor y = scatter_add(x, 0, zeros({2}, kWhole), ones({2}, kWhole));
  EXPECT_EQ(y.data<std::int64_t>()[0], INT64_MIN + 1);
}

TEST(Scatter, Gradients) {
  Rng rng(2);
  for (const Case& c : kCases) {
    const Tensor x = random_tensor(c.x, rng), index = random_indices(c.index, c.x[c.axis], 4);
    if (c.index.numel() > 0) {
      expect_gradients([&](auto in) { return gather(in[0] * in[0], c.axis, index); }, {x});
      const Tensor src = random_tensor(c.index, rng);
      expect_gradients([&](auto in) { return scatter_add(in[0], c.axis, index, in[1] * in[1]); }, {x, src});
    }
  }
  const Tensor x = random_tensor({3, 4}, rng), index = random_indices({3, 2}, 3, 5);
  const Tensor larger = random_tensor({4, 3}, rng);
  // Every second element of x is written, some of them twice; and src has elements that no index refers to.
  expect_gradients([&](auto in) { return scatter(in[0] * in[0], 0, index, in[1] * in[1]); }, {x, larger});
  expect_gradients([&](auto in) { return scatter_add(in[0], 0, index, in[1]); }, {x, larger});
  expect_gradients([&](auto in) { return scatter(in[0] * in[0], 0, index, 5); }, {x});
  expect_gradients([&](auto in) { return scatter_add(in[0], 0, index, in[0]) * in[0]; },
                   {random_tensor({3, 2}, rng)});
  expect_gradients(
      [&](auto in) {
        return gather(as_interleaved(in[0]), 1, random_indices({17, 2}, 3, 6));
      },
      {random_tensor({17, 3}, rng)});
}

TEST(Gather, TakeAlongAxis) {
  const Tensor x = counting({2, 3}), rows = tensor({2, 0}, {1, 2}, kWhole);
  const Elements at(x), of_rows(rows);
  expect_elements(take_along_axis(x, rows, 1), {2, 2}, [&](const Index& i) {
    return at({i[0], static_cast<std::int64_t>(of_rows({0, i[1]}))});
  });
  const Tensor wide = tensor({0, 0, 0, 0, 0, 0}, {1, 6}, kWhole), column = counting({2, 1});
  expect_elements(take_along_axis(column, wide, 0), {1, 6}, [](const Index&) { return 1.0; });
  Rng rng(3);
  expect_gradients([&](auto in) { return take_along_axis(in[0] * in[0], rows, 1); },
                   {random_tensor({2, 3}, rng)});
}

TEST(IndexSelect, TakesAndAddsRows) {
  for (const DType dtype : kDTypes) {
    for (const Shape& shape : {Shape{4}, Shape{4, 3}, Shape{2, 3, 5}, Shape{3, 40}, Shape{2, 3, 0}}) {
      for (int axis = 0; axis < shape.rank(); ++axis) {
        if (shape[axis] == 0) continue;
        for (const std::int64_t count : {0, 1, 7}) {
          const auto a = static_cast<std::size_t>(axis);
          const Tensor x = counting(shape, dtype), index = random_indices({count}, shape[axis], 7);
          const Elements at(x), of(index);
          const Shape selected = shape.with(axis, count);
          expect_elements(index_select(x, axis, index), selected, [&](Index i) {
            i[a] = static_cast<std::int64_t>(of({i[a]}));
            return at(i);
          });
          const Tensor source = counting(selected, dtype);
          const Elements from(source);
          expect_elements(index_add(x, axis - shape.rank(), index, source), shape, [&](const Index& i) {
            double total = at(i);
            for (std::int64_t k = 0; k < count; ++k) {
              Index j = i;
              j[a] = k;
              if (of({k}) == static_cast<double>(i[a])) total += from(j);
            }
            return total;
          });
        }
      }
    }
  }
}

TEST(IndexSelect, Gradients) {
  Rng rng(4);
  const Tensor x = random_tensor({3, 4, 2}, rng);
  for (int axis = 0; axis < 3; ++axis) {
    const Tensor index = random_indices({5}, x.size(axis), 8);
    expect_gradients([&](auto in) { return index_select(in[0] * in[0], axis, index); }, {x});
    expect_gradients([&](auto in) { return index_add(in[0] * in[0], axis, index, in[1] * in[1]); },
                     {x, random_tensor(x.shape().with(axis, 5), rng)});
  }
  expect_gradients(
      [](auto in) {
        return index_add(in[0], 0, tensor({1, 1, 0}, kWhole), in[0]);
      },
      {random_tensor({3, 2}, rng)});
  expect_gradients([](auto in) { return index_select(in[0], 0, zeros({0}, kWhole)); }, {x});
}

TEST(IndexSelect, SameBitsForAnyNumberOfThreads) {
  Rng rng(5);
  const Tensor x = random_tensor({50, 100}, rng, -1, 1, float32),
               source = random_tensor({700, 100}, rng, -1, 1, float32);
  const Tensor rows = random_indices({700}, 50, 9), elements = random_indices({700, 100}, 50, 10);
  expect_same_bits_for_any_number_of_threads([&] {
    std::vector<std::vector<float>> results;
    for (const Tensor& y :
         {index_add(x, 0, rows, source), scatter_add(x, 0, elements, source), scatter(x, 0, elements, source),
          index_select(x, 0, rows), gather(x, 0, elements)})
      results.emplace_back(y.data<float>().begin(), y.data<float>().end());
    return results;
  });
  // In the order of the indices, in float32.
  std::vector<float> expected(x.data<float>().begin(), x.data<float>().end());
  for (std::size_t k = 0; k < 700; ++k) {
    for (std::size_t i = 0; i < 100; ++i)
      expected[static_cast<std::size_t>(rows.data<std::int64_t>()[k]) * 100 + i] +=
          source.data<float>()[k * 100 + i];
  }
  expect_bits(index_add(x, 0, rows, source), expected);
}

TEST(OneHot, MarksClasses) {
  const Tensor index = tensor({1, 0, 2}, kWhole);
  expect_close(one_hot(index, 4), tensor({0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0}, {3, 4}, kWhole), 0);
  expect_close(one_hot(index), tensor({0, 1, 0, 1, 0, 0, 0, 0, 1}, {3, 3}, kWhole), 0);
  expect_close(one_hot(scalar(1, kWhole), 3), {0, 1, 0}, 0);
  EXPECT_EQ(one_hot(index).dtype(), int64);
  EXPECT_EQ(one_hot(reshape(index, {1, 3}), 5).shape(), Shape({1, 3, 5}));
  EXPECT_EQ(one_hot(zeros({0}, kWhole), 5).shape(), Shape({0, 5}));
  expect_error<ShapeError>("one_hot: the index at [2] is 8, it must be in [0,4)", [] {
    one_hot(tensor({1, 2, 8}, kWhole), 4);
  });
  expect_error<ShapeError>("one_hot: the index at [0] is -1, it must be in [0,4)",
                           [] { one_hot(tensor({-1}, kWhole), 4); });
  EXPECT_THROW(one_hot(tensor({-1}, kWhole)), ShapeError);
  expect_error<Error>("one_hot: classes must be positive, it is 0", [&] { one_hot(index, 0); });
  expect_error<Error>("one_hot: without indices, the number of classes must be given; index is [0]",
                      [] { one_hot(zeros({0}, kWhole)); });
  expect_error<DTypeError>("one_hot: index must be int64, it is float32", [] { one_hot(zeros({2})); });
  expect_error<ShapeError>("one_hot: index must have less than 8 axes, it is [1,1,1,1,1,1,1,1]", [] {
    one_hot(zeros({1, 1, 1, 1, 1, 1, 1, 1}, kWhole), 2);
  });
}

TEST(Embedding, LooksUpRows) {
  const Tensor weight = counting({3, 2}), ids = tensor({2, 0, 1, 2}, {2, 2}, kWhole);
  expect_close(embedding(ids, weight), tensor({5, 6, 1, 2, 3, 4, 5, 6}, {2, 2, 2}, kDouble), 0);
  expect_close(embedding(scalar(1, kWhole), weight), {3, 4}, 0);
  EXPECT_EQ(embedding(zeros({0, 3}, kWhole), weight).shape(), Shape({0, 3, 2}));
  EXPECT_EQ(embedding(zeros({2}, kWhole), zeros({1, 0})).shape(), Shape({2, 0}));
}

TEST(Embedding, ThePaddingRowGetsNoGradient) {
  const Tensor ids = tensor({0, 2, 2, 0}, kWhole), weight = counting({3, 2});
  for (const std::int64_t padding : {0, -3}) {
    const EmbeddingOptions options{.padding_index = padding};
    const auto looked_up = [&](const Tensor& in) { return embedding(ids, in, options); };
    expect_close(looked_up(weight), {1, 2, 5, 6, 5, 6, 1, 2}, 0);
    expect_close(gradient(looked_up, weight, ones({4, 2}, kDouble)), {0, 0, 0, 0, 2, 2}, 0);
  }
  // The gradient is linear in dy, and so is its gradient: 0 for the padding, the row of v for the others.
  Tensor leaf = counting({3, 2}).set_requires_grad(),
         dy = ones({4, 2}, {.dtype = float64, .requires_grad = true});
  const Tensor g = grad(sum(embedding(ids, leaf, {.padding_index = 0}) * dy), leaf, {.create_graph = true});
  expect_close(grad(sum(g * counting({3, 2})), dy), {0, 0, 5, 6, 5, 6, 0, 0}, 0);
}

TEST(Embedding, Gradients) {
  Rng rng(6);
  const Tensor ids = tensor({2, 0, 1, 2}, {2, 2}, kWhole);
  expect_gradients([&](auto in) { return embedding(ids, in[0] * in[0]); }, {random_tensor({3, 2}, rng)});
}

TEST(Indexing, ChangedIndicesAreNoticed) {
  Tensor index = tensor({1}, kWhole);
  const Tensor x = counting({3}).set_requires_grad();
  const Tensor y = sum(gather(x, 0, index));
  index.mutable_data<std::int64_t>()[0] = 100;
  EXPECT_THROW(y.backward(), GraphError);
}

TEST(Indexing, Errors) {
  const Tensor x = zeros({3, 4}), index = zeros({2, 4}, kWhole), list = tensor({0, 3}, kWhole);
  const Tensor far = tensor({0, 0, 0, 7}, {2, 2}, kWhole);
  for (const char* op : {"gather", "scatter", "scatter_add"}) {
    const std::string name(op);
    const auto call = [&](int axis, const Tensor& i) {
      const Tensor src = zeros({3, 4});
      if (name == "gather") return gather(x, axis, i);
      return name == "scatter" ? scatter(x, axis, i, src) : scatter_add(x, axis, i, src);
    };
    expect_error<ShapeError>(name + ": the index at [1,1] is 7, it must be in [0,3)", [&] { call(0, far); });
    expect_error<ShapeError>(name + ": the index at [0] is -1, it must be in [0,3)", [&] {
      const Tensor line = zeros({3});
      const Tensor negative = tensor({-1}, kWhole);
      if (name == "gather") gather(line, 0, negative);
      if (name == "scatter") scatter(line, 0, negative, line);
      if (name == "scatter_add") scatter_add(line, 0, negative, line);
    });
    expect_error<ShapeError>(name + ": axis 2 is out of range; x is [3,4]", [&] { call(2, index); });
    expect_error<DTypeError>(name + ": index must be int64, it is float32", [&] { call(0, x); });
    expect_error<ShapeError>(name +
                                 ": index must have as many axes as x and be nowhere larger, except along "
                                 "axis 0; index is [2], x [3,4]",
                             [&] { call(0, list); });
    EXPECT_THROW(call(1, zeros({4, 1}, kWhole)), ShapeError);
  }
  expect_error<ShapeError>(
      "scatter: src must have as many axes as index and be nowhere smaller; src is [1,4], index [2,4]", [&] {
        scatter(x, 0, index, zeros({1, 4}));
      });
  expect_error<ShapeError>(
      "scatter_add: src must have as many axes as index and be nowhere smaller; src is [8], index [2,4]",
      [&] { scatter_add(x, 0, index, zeros({8})); });
  expect_error<DTypeError>("scatter: x and src must have the same dtype; x is float32, src is int64",
                           [&] { scatter(x, 0, index, index); });
  EXPECT_THROW(scatter(index, 0, index, 0.5e30), Error);
  expect_error<ShapeError>("index_select: the index at [1] is 3, it must be in [0,3)",
                           [&] { index_select(x, 0, list); });
  expect_error<ShapeError>("index_select: index must have 1 axes, it is [2,4]",
                           [&] { index_select(x, 0, index); });
  expect_error<DTypeError>("index_select: index must be int64, it is float32",
                           [&] { index_select(x, 0, zeros({1})); });
  expect_error<ShapeError>(
      "index_add: source must have x's shape with 4 positions along axis 0; source is [4], x is [4,4]", [] {
        index_add(zeros({4, 4}), 0, arange(4), zeros({4}));
      });
  expect_error<DTypeError>(
      "index_add: x and source must have the same dtype; x is float32, source is float64", [&] {
        index_add(x, 0, arange(1), zeros({1, 4}, kDouble));
      });
  EXPECT_THROW(index_add(x, 0, tensor({3}, kWhole), zeros({1, 4})), ShapeError);
  expect_error<ShapeError>("take_along_axis: index must have as many axes as x; index is [2], x [3,4]",
                           [&] { take_along_axis(x, list, 0); });
  EXPECT_THROW(take_along_axis(x, zeros({2, 3}, kWhole), 0), ShapeError);
  expect_error<ShapeError>("embedding: the index at [1] is 3, it must be in [0,3)",
                           [&] { embedding(list, x); });
  expect_error<ShapeError>("embedding: weight must have 2 axes, it is [4]",
                           [&] { embedding(list, zeros({4})); });
  expect_error<ShapeError>("embedding: padding_index 3 is out of range; weight is [3,4]",
                           [&] { embedding(arange(1), x, {.padding_index = 3}); });
  EXPECT_THROW(embedding(arange(1), x, {.padding_index = -4}), ShapeError);
  expect_error<DTypeError>("embedding: index must be int64, it is float32",
                           [&] { embedding(zeros({2}), x); });
}

}  // namespace
}  // namespace adjoint
