#include <cmath>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/naive/gemm.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

struct Sizes {
  std::int64_t rows, depth, columns;
};
const Sizes kSizes[] = {{2, 3, 4}, {1, 1, 1}, {5, 1, 3},   {1, 7, 1}, {3, 5, 1}, {1, 4, 6},   {0, 3, 2},
                        {2, 0, 3}, {2, 3, 0}, {17, 9, 33}, {0, 0, 0}, {4, 0, 0}, {33, 65, 7}, {48, 31, 20}};
const MatmulOptions kOptions[] = {{false, false}, {true, false}, {false, true}, {true, true}};

Tensor random_a(const Sizes& sizes, const MatmulOptions& options, Rng& rng, DType dtype = float64) {
  return random_tensor(options.transpose_a ? Shape{sizes.depth, sizes.rows} : Shape{sizes.rows, sizes.depth},
                       rng, -1, 1, dtype);
}
Tensor random_b(const Sizes& sizes, const MatmulOptions& options, Rng& rng, DType dtype = float64) {
  return random_tensor(
      options.transpose_b ? Shape{sizes.columns, sizes.depth} : Shape{sizes.depth, sizes.columns}, rng, -1, 1,
      dtype);
}

TEST(Matmul, AgreesWithThreeLoops) {
  Rng rng(1);
  for (const DType dtype : {float32, float64}) {
    for (const Sizes& sizes : kSizes) {
      for (const MatmulOptions& options : kOptions) {
        const Tensor a = random_a(sizes, options, rng, dtype), b = random_b(sizes, options, rng, dtype);
        const std::vector<double> y =
            naive_gemm({sizes.rows, sizes.columns, sizes.depth, options.transpose_a, options.transpose_b},
                       numbers(a), numbers(b));
        const Tensor found = matmul(a, b, options);
        EXPECT_EQ(found.shape(), Shape({sizes.rows, sizes.columns}));
        expect_close(found, y, tolerance_of(dtype));
        expect_close(matmul(as_interleaved(a), as_interleaved(b), options), found, 0);
      }
    }
  }
}

TEST(Matmul, GradientsAndTheirs) {
  Rng rng(2);
  for (const Sizes& sizes : {Sizes{2, 3, 4}, {1, 1, 1}, {5, 1, 3}, {1, 4, 1}, {0, 3, 2}, {2, 3, 0}}) {
    for (const MatmulOptions& options : kOptions) {
      const std::vector<Tensor> inputs = {random_a(sizes, options, rng), random_b(sizes, options, rng)};
      expect_gradients([&](auto in) { return matmul(in[0], in[1], options); }, inputs);
      expect_gradients(
          [&](auto in) {
            return as_interleaved(matmul(as_interleaved(in[0]), as_interleaved(in[1]), options));
          },
          inputs);
    }
  }
}

struct Product {
  Shape a, b, y;
  MatmulOptions options = {};
};
const Product kBatches[] = {
    {{3, 2, 4}, {3, 4, 5}, {3, 2, 5}},
    {{3, 4, 2}, {3, 5, 4}, {3, 2, 5}, {true, true}},
    {{3, 2, 4}, {4, 5}, {3, 2, 5}},
    {{2, 3, 2, 4}, {1, 1, 5, 4}, {2, 3, 2, 5}, {false, true}},
    {{3, 4, 2}, {4, 5}, {3, 2, 5}, {true, false}},
    {{2, 4}, {3, 4, 5}, {3, 2, 5}},
    {{4, 2}, {3, 5, 4}, {3, 2, 5}, {true, true}},
    {{1, 2, 4}, {3, 4, 1}, {3, 2, 1}},
    {{1, 2, 4}, {1, 1, 4, 3}, {1, 1, 2, 3}},
    {{2, 1, 2, 3}, {4, 3, 2}, {2, 4, 2, 2}},
    {{2, 1, 3, 1, 2}, {4, 1, 2, 3}, {2, 4, 3, 1, 3}},
    {{2, 1, 2, 1, 2, 1, 1, 3}, {1, 2, 1, 2, 1, 2, 3, 2}, {2, 2, 2, 2, 2, 2, 1, 2}},
    {{3, 1, 4}, {3, 4, 1}, {3, 1, 1}},
    {{4}, {4}, {}},
    {{4}, {4, 3}, {3}},
    {{4}, {3, 4}, {3}, {false, true}},
    {{2, 4}, {4}, {2}},
    {{4, 2}, {4}, {2}, {true, false}},
    {{4}, {3, 4, 2}, {3, 2}},
    {{3, 2, 4}, {4}, {3, 2}},
    {{3, 4, 2}, {4}, {3, 2}, {true, false}},
    {{0}, {0}, {}},
    {{0, 2, 4}, {0, 4, 3}, {0, 2, 3}},
    {{0, 2, 4}, {1, 4, 3}, {0, 2, 3}},
    {{0, 2, 4}, {4, 3}, {0, 2, 3}},
    {{2, 2, 0}, {2, 0, 3}, {2, 2, 3}},
    {{2, 2, 0}, {0, 3}, {2, 2, 3}},
    {{2, 0, 3}, {3, 2}, {2, 0, 2}},
};

/// y[..., i, j] = sum_k a[..., i, k] b[..., k, j], each element found by its indices.
std::vector<double> naive_matmul(const Product& product, const Tensor& a, const Tensor& b) {
  const bool a_is_vector = a.rank() == 1, b_is_vector = b.rank() == 1;
  const auto as = numbers(a), bs = numbers(b);
  const std::int64_t depth = a.size(product.options.transpose_a ? -2 : -1);
  const int batch_rank = product.y.rank() - (a_is_vector ? 0 : 1) - (b_is_vector ? 0 : 1);
  std::vector<double> y;
  for (std::int64_t flat = 0; flat < product.y.numel(); ++flat) {
    std::int64_t index[Shape::kMaxRank], rest = flat;
    for (int axis = product.y.rank() - 1; axis >= 0; --axis) {
      index[axis] = rest % product.y[axis];
      rest /= product.y[axis];
    }
    const std::int64_t i = a_is_vector ? 0 : index[batch_rank],
                       j = b_is_vector ? 0 : index[product.y.rank() - 1];
    const auto at = [&](const Tensor& x, const std::vector<double>& values, std::int64_t row,
                        std::int64_t column) {
      std::int64_t offset = 0;
      for (int axis = 0; axis < x.rank() - 2; ++axis) {
        const std::int64_t of_batch = index[batch_rank - (x.rank() - 2) + axis];
        offset = offset * x.size(axis) + (x.size(axis) == 1 ? 0 : of_batch);
      }
      if (x.rank() > 1) offset = offset * x.size(-2) + row;
      return values[static_cast<std::size_t>(offset * x.size(-1) + column)];
    };
    double sum = 0;
    for (std::int64_t k = 0; k < depth; ++k) {
      const bool swap_a = product.options.transpose_a, swap_b = product.options.transpose_b || b_is_vector;
      sum += at(a, as, swap_a ? k : i, swap_a ? i : k) * at(b, bs, swap_b ? j : k, swap_b ? k : j);
    }
    y.push_back(sum);
  }
  return y;
}

TEST(Matmul, VectorsAndBatches) {
  Rng rng(4);
  for (const DType dtype : {float32, float64}) {
    for (const Product& product : kBatches) {
      SCOPED_TRACE(to_string(product.a) + " " + to_string(product.b));
      const Tensor a = random_tensor(product.a, rng, -1, 1, dtype),
                   b = random_tensor(product.b, rng, -1, 1, dtype);
      const Tensor y = matmul(a, b, product.options);
      EXPECT_EQ(to_string(y.shape()), to_string(product.y));
      expect_close(y, naive_matmul(product, a, b), tolerance_of(dtype));
      expect_close(matmul(as_interleaved(a), as_interleaved(b), product.options), y, 0);
    }
  }
}

TEST(Matmul, GradientsOfVectorsAndBatches) {
  Rng rng(5);
  for (const Product& product : kBatches) {
    SCOPED_TRACE(to_string(product.a) + " " + to_string(product.b));
    expect_gradients([&](auto in) { return matmul(in[0], in[1], product.options); },
                     {random_tensor(product.a, rng), random_tensor(product.b, rng)});
  }
  expect_third_derivatives([](auto in) { return matmul(in[0], in[1]); },
                           {random_tensor({2, 1, 2}, rng), random_tensor({2, 2}, rng)});
}

TEST(Matmul, GradientsHaveTheShapesOfTheArguments) {
  const Tensor a = ones({2, 3, 4}, {.requires_grad = true}), b = ones({4, 5}, {.requires_grad = true}),
               c = ones({2, 3, 1, 4}, {.requires_grad = true});
  const auto ab = grad(sum(matmul(a, b)), {a, b});
  expect_close(ab[0], full({2, 3, 4}, 5), 0);
  expect_close(ab[1], full({4, 5}, 6), 0);  // the rows of a
  const auto cb = grad(sum(matmul(c, reshape(b, {1, 4, 5}))), {c, b});
  expect_close(cb[1], full({4, 5}, 6), 0);
  const Tensor db = grad(sum(matmul(reshape(a, {2, 4, 3}), b, {.transpose_a = true})), b);
  expect_close(db, full({4, 5}, 6), 0);
}

TEST(Matmul, DotMvAndOuter) {
  const Tensor a = tensor({1, 2, 3}, {.dtype = float64}), b = tensor({4, -5, 6}, {.dtype = float64}),
               m = tensor({1, 0, 2, 0, -1, 3}, {2, 3}, {.dtype = float64});
  expect_close(dot(a, b), scalar(12, {.dtype = float64}), 0);
  expect_close(dot(zeros({0}), zeros({0})), scalar(0), 0);
  expect_close(mv(m, b), tensor({16, 23}, {.dtype = float64}), 0);
  expect_close(outer(a, tensor({1, -2}, {.dtype = float64})),
               tensor({1, -2, 2, -4, 3, -6}, {3, 2}, {.dtype = float64}), 0);
  EXPECT_EQ(outer(a, zeros({0}, {.dtype = float64})).shape(), (Shape{3, 0}));
  expect_gradients([](auto in) { return dot(in[0], in[1]); }, {a, b});
  expect_gradients([](auto in) { return mv(in[0], in[1]); }, {m, b});
  expect_gradients([](auto in) { return outer(in[0], in[1]); }, {a, b});
  expect_gradients([](auto in) { return dot(in[0], in[0]); }, {a});
}

TEST(Matmul, ErrorsOfVectors) {
  const Tensor v = zeros({3}), m = zeros({2, 4}), whole = arange(3);
  expect_error<ShapeError>("dot: a and b must have the same size; a is [3], b is [4]",
                           [&] { dot(v, zeros({4})); });
  expect_error<ShapeError>("dot: a must have 1 axes, it is [2,4]", [&] { dot(m, v); });
  expect_error<ShapeError>("mv: a has 4 columns, x has 3 elements (a [2,4], x [3])", [&] { mv(m, v); });
  expect_error<ShapeError>("mv: x must have 1 axes, it is [2,4]", [&] { mv(m, m); });
  expect_error<ShapeError>("outer: b must have 1 axes, it is [2,4]", [&] { outer(v, m); });
  expect_error<DTypeError>("outer: a must be float32 or float64, it is int64", [&] { outer(whole, whole); });
  expect_error<DTypeError>("mv: a and x must have the same dtype; a is float32, x is int64",
                           [&] { mv(m, whole); });
}

TEST(Matmul, OneTensorInBothPlaces) {
  Rng rng(3);
  expect_gradients([](auto in) { return matmul(in[0], in[0]); }, {random_tensor({3, 3}, rng)});
  expect_gradients([](auto in) { return matmul(in[0], in[0], {.transpose_b = true}); },
                   {random_tensor({3, 5}, rng)});
  expect_gradients([](auto in) { return matmul(in[0], in[0], {.transpose_a = true}); },
                   {random_tensor({3, 5}, rng)});
}

TEST(Matmul, SumOfNothingHasZeroGradients) {
  const Tensor a = zeros({2, 0}, {.requires_grad = true}), b = zeros({0, 3}, {.requires_grad = true});
  expect_close(matmul(a, b), std::vector<double>(6, 0), 0);
  const Tensor x = ones({0, 4}), w = ones({4, 3}, {.requires_grad = true});
  sum(matmul(x, w)).backward();  // an empty batch
  expect_close(w.grad(), std::vector<double>(12, 0), 0);
}

TEST(Matmul, LetsNaNThrough) {
  const Tensor a = tensor({0, NAN, 1, 2}, {2, 2}), b = tensor({1, 2, 3, 4}, {2, 2});
  expect_close(matmul(a, b), {NAN, NAN, 7, 10}, 0);
}

TEST(Matmul, KeepsOnlyWhatItsGradientReads) {
  Tensor w = ones({2, 2}, {.requires_grad = true});
  const Tensor c = ones({2, 2});
  const Tensor free_of_w = sum(matmul(w, c)), needs_w = sum(matmul(w, matmul(c, w)));
  w.mutable_data<float>()[0] = 7;
  EXPECT_NO_THROW(free_of_w.backward());
  expect_error<GraphError>(
      "matmul: a parameter was changed after it was used in this graph (updates since: 1)",
      [&] { needs_w.backward(); });
}

TEST(Matmul, Errors) {
  const Tensor a = zeros({2, 3}), b = zeros({2, 3}), whole = zeros({2, 2}, {.dtype = int64});
  expect_error<ShapeError>("matmul: the inner sizes must be equal; a is [2,3], b is [2,3]",
                           [&] { matmul(a, b); });
  expect_error<ShapeError>(
      "matmul: the inner sizes must be equal; a is [2,3] transposed, b is [2,3] transposed",
      [&] { matmul(a, b, {.transpose_a = true, .transpose_b = true}); });
  expect_error<ShapeError>("matmul: the inner sizes must be equal; a is [3], b is [2,3]",
                           [&] { matmul(zeros({3}), a); });
  expect_error<ShapeError>("matmul: the inner sizes must be equal; a is [2,3], b is [2]",
                           [&] { matmul(a, zeros({2})); });
  expect_error<ShapeError>("matmul: the inner sizes must be equal; a is [2], b is [3]",
                           [&] { matmul(zeros({2}), zeros({3})); });
  expect_error<ShapeError>("matmul: the batch axes do not broadcast; a is [2,1,3], b is [4,3,1]", [&] {
    matmul(zeros({2, 1, 3}), zeros({4, 3, 1}));
  });
  expect_error<ShapeError>("matmul: b must have at least 1 axis, it is []", [&] { matmul(a, scalar(1)); });
  expect_error<ShapeError>("matmul: a must have at least 2 axes to be transposed, it is [3]",
                           [&] { matmul(zeros({3}), a, {.transpose_a = true}); });
  expect_error<ShapeError>("matmul: b must have at least 2 axes to be transposed, it is [3]",
                           [&] { matmul(a, zeros({3}), {.transpose_b = true}); });
  expect_error<DTypeError>("matmul: a must be float32 or float64, it is int64",
                           [&] { matmul(whole, whole); });
  expect_error<DTypeError>("matmul: a and b must have the same dtype; a is float32, b is float64", [&] {
    matmul(a, zeros({3, 2}, {.dtype = float64}));
  });
}

}  // namespace
}  // namespace adjoint
