#include <cmath>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
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
  expect_error<ShapeError>("matmul: a must have 2 axes, it is [3]", [&] { matmul(zeros({3}), a); });
  expect_error<ShapeError>("matmul: b must have 2 axes, it is [3,1,1]", [&] { matmul(a, zeros({3, 1, 1})); });
  expect_error<DTypeError>("matmul: a must be float32 or float64, it is int64",
                           [&] { matmul(whole, whole); });
  expect_error<DTypeError>("matmul: a and b must have the same dtype; a is float32, b is float64", [&] {
    matmul(a, zeros({3, 2}, {.dtype = float64}));
  });
}

}  // namespace
}  // namespace adjoint
