#include "adjoint/ops/factorize.h"

#include <cmath>

#include "adjoint/ops/linalg.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/shape.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive/gemm.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

using Matrix = std::vector<double>;  // n x n, row-major

/// The determinant by expansion along the first row.
double naive_det(std::int64_t n, const Matrix& a) {
  if (n == 0) return 1;
  double sum = 0;
  for (std::int64_t column = 0; column < n; ++column) {
    Matrix minor;
    for (std::int64_t i = n; i < n * n; ++i)
      if (i % n != column) minor.push_back(a[static_cast<std::size_t>(i)]);
    sum += (column % 2 == 0 ? 1 : -1) * a[static_cast<std::size_t>(column)] * naive_det(n - 1, minor);
  }
  return sum;
}

/// d det / da: each element replaced by 1 and the others of its row by 0.
Matrix naive_cofactors(std::int64_t n, const Matrix& a) {
  Matrix cofactors;
  for (std::int64_t k = 0; k < n * n; ++k) {
    Matrix changed = a;
    for (std::int64_t j = 0; j < n; ++j)
      changed[static_cast<std::size_t>(k / n * n + j)] = j == k % n ? 1 : 0;
    cofactors.push_back(naive_det(n, changed));
  }
  return cofactors;
}

/// Random matrices far from singular, whose largest elements are not on the diagonal: pivoting is needed.
Tensor regular(const Shape& shape, Rng& rng, DType dtype = float64) {
  const std::int64_t n = shape[-1];
  std::vector<double> values = numbers(random_tensor(shape, rng));
  for (std::int64_t i = 0; i < shape.numel() / std::max<std::int64_t>(n, 1); ++i)
    values[static_cast<std::size_t>(i * n + (i % n + 1) % n)] += 2 * static_cast<double>(n);
  return from_data(std::span<const double>(values), shape).to(dtype);
}

/// Symmetric positive definite matrices x x^T + I.
Tensor positive_definite(const Tensor& x) {
  const std::int64_t n = x.size(-1);
  std::vector<double> identity(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) identity[static_cast<std::size_t>(i * (n + 1))] = 1;
  return matmul(x, x, {.transpose_b = true}) +
         from_data(std::span<const double>(identity), {n, n}).to(x.dtype());
}

const std::int64_t kSizes[] = {1, 2, 3, 4, 7, 8, 9, 33};

TEST(Solve, SolutionsSatisfyTheEquation) {
  Rng rng(1);
  for_each_instruction_set([&] {
    for (const DType dtype : {float32, float64}) {
      for (const std::int64_t n : kSizes) {
        for (const std::int64_t columns : {1, 5, 17}) {
          for (const bool transpose : {false, true}) {
            const Tensor a = regular({n, n}, rng, dtype), b = random_tensor({n, columns}, rng, -1, 1, dtype);
            const Tensor x = solve(a, b, {.transpose_a = transpose});
            const auto product = naive_gemm({n, columns, n, transpose}, numbers(a), numbers(x));
            expect_close(b, product, 20 * tolerance_of(dtype));
          }
        }
      }
    }
  });
}

TEST(Solve, KnownSolutions) {
  const Tensor a = tensor({0, 2, 1, 1}, {2, 2}, {.dtype = float64});  // needs an exchange of rows
  expect_close(solve(a, tensor({4, 5}, {.dtype = float64})), tensor({3, 2}, {.dtype = float64}), 0);
  expect_close(solve(a, tensor({4, 5}, {.dtype = float64}), {.transpose_a = true}),
               tensor({0.5, 4}, {.dtype = float64}), 0);
  expect_close(inverse(a), tensor({-0.5, 1, 0.5, 0}, {2, 2}, {.dtype = float64}), 0);
  expect_close(triangular_solve(tensor({2, 99, 3, 4}, {2, 2}), tensor({2, 11})), tensor({1, 2}), 0);
  expect_close(triangular_solve(tensor({2, 1, 99, 4}, {2, 2}), tensor({4, 8}), {.upper = true}),
               tensor({1, 2}), 0);
  expect_close(triangular_solve(tensor({99, 99, 3, 99}, {2, 2}), tensor({2, 11}), {.unit_diagonal = true}),
               tensor({2, 5}), 0);
}

TEST(Solve, BatchesAndVectors) {
  Rng rng(2);
  struct Case {
    Shape a, b, x;
  };
  const Case cases[] = {{{3, 2, 2}, {3, 2, 4}, {3, 2, 4}},
                        {{2, 2}, {3, 2, 1}, {3, 2, 1}},
                        {{3, 2, 2}, {2, 4}, {3, 2, 4}},
                        {{2, 1, 3, 3}, {4, 3, 2}, {2, 4, 3, 2}},
                        {{3, 3}, {3}, {3}},
                        {{2, 3, 3}, {3}, {2, 3}},
                        {{2, 3, 3}, {2, 3}, {2, 3}},
                        {{2, 2, 2}, {2, 2}, {2, 2}},
                        {{0, 2, 2}, {2, 3}, {0, 2, 3}},
                        {{2, 0, 0}, {2, 0, 3}, {2, 0, 3}},
                        {{2, 2}, {2, 0}, {2, 0}}};
  for (const Case& c : cases) {
    SCOPED_TRACE(to_string(c.a) + " " + to_string(c.b));
    const Tensor a = regular(c.a, rng), b = random_tensor(c.b, rng);
    for (const bool transpose : {false, true}) {
      const auto by_lu = [&](auto in) { return solve(in[0], in[1], {.transpose_a = transpose}); };
      const Tensor x = by_lu(std::vector{a, b});
      EXPECT_EQ(to_string(x.shape()), to_string(c.x));
      const bool vectors = c.x.rank() < a.rank();  // a matrix product with x takes one more axis
      const Tensor columns = vectors ? reshape(x, {x.numel() / c.a[-1], c.a[-1], 1}) : x;
      const Tensor product = matmul(a, columns, {.transpose_a = transpose});
      expect_close(
          product,
          broadcast_to(vectors ? reshape(broadcast_to(b, c.x), columns.shape()) : b, product.shape()), 1e-12);
      expect_gradients(by_lu, {a, b});
      for (const bool upper : {false, true}) {
        for (const bool unit : {false, true}) {
          expect_gradients(
              [&](auto in) {
                return triangular_solve(in[0], in[1],
                                        {.upper = upper, .transpose_a = transpose, .unit_diagonal = unit});
              },
              {random_tensor(c.a, rng, 0.5, 1), b});
        }
      }
    }
  }
}

/// Against solve(), for a matrix whose other triangle really is 0.
TEST(TriangularSolve, ReadsOneTriangle) {
  Rng rng(3);
  for (const std::int64_t n : kSizes) {
    for (int options = 0; options < 8; ++options) {
      const bool upper = (options & 1) != 0, transpose = (options & 2) != 0, unit = (options & 4) != 0;
      const Tensor a = random_tensor({n, n}, rng, 0.5, 1), b = random_tensor({n, 3}, rng);
      std::vector<double> triangle = numbers(a);
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
          double& value = triangle[static_cast<std::size_t>(i * n + j)];
          if (upper ? j < i : j > i) value = 0;
          if (unit && i == j) value = 1;
        }
      const Tensor x =
          triangular_solve(a, b, {.upper = upper, .transpose_a = transpose, .unit_diagonal = unit});
      const auto product = naive_gemm({n, 3, n, transpose}, triangle, numbers(x));
      // The solution may be large: compare relative to it.
      double largest = 1;
      for (const double value : numbers(x)) largest = std::max(largest, std::abs(value));
      expect_close(b, product, 1e-12 * largest);
    }
  }
}

TEST(TriangularSolve, OtherTriangleGetsNoGradient) {
  const Tensor a = tensor({2, NAN, 3, 4}, {2, 2}, {.dtype = float64, .requires_grad = true});
  const Tensor b = tensor({2, 11}, {.dtype = float64});  // x = [1, 2]
  // db = a^-T [1, 1] = [1/8, 1/4],   da = -db x^T
  expect_close(grad(sum(triangular_solve(a, b)), a), {-0.125, 0, -0.25, -0.5}, 0);
  expect_close(grad(sum(triangular_solve(a, b, {.unit_diagonal = true})), a), {0, 0, -2, 0}, 0);
}

TEST(Inverse, TimesTheMatrixIsTheIdentity) {
  Rng rng(4);
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t n : kSizes) {
      const Tensor a = regular({n, n}, rng, dtype);
      std::vector<double> identity(static_cast<std::size_t>(n * n));
      for (std::int64_t i = 0; i < n; ++i) identity[static_cast<std::size_t>(i * (n + 1))] = 1;
      const auto product = naive_gemm({n, n, n}, numbers(a), numbers(inverse(a)));
      expect_close(from_data(std::span<const double>(product), {n, n}), identity, 20 * tolerance_of(dtype));
    }
  }
  EXPECT_EQ(inverse(zeros({3, 0, 0})).shape(), (Shape{3, 0, 0}));
  expect_gradients([](auto in) { return inverse(in[0]); }, {regular({2, 3, 3}, rng)});
  expect_gradients([](auto in) { return inverse(as_interleaved(in[0])); }, {regular({2, 2, 2}, rng)});
  expect_third_derivatives([](auto in) { return inverse(in[0]); }, {regular({2, 2}, rng)});
}

TEST(Det, AgreesWithExpansion) {
  Rng rng(5);
  for (const DType dtype : {float32, float64}) {
    for (std::int64_t n = 0; n <= 6; ++n) {
      const Tensor a = random_tensor({3, n, n}, rng, -1, 1, dtype);
      const std::vector<double> all = numbers(a);
      std::vector<double> det_of, sign, log;
      for (std::int64_t i = 0; i < 3; ++i) {
        det_of.push_back(naive_det(n, Matrix(all.begin() + i * n * n, all.begin() + (i + 1) * n * n)));
        sign.push_back(det_of.back() < 0 ? -1 : 1);
        log.push_back(std::log(std::abs(det_of.back())));
      }
      expect_close(det(a), det_of, tolerance_of(dtype));
      EXPECT_EQ(det(a).shape(), (Shape{3}));
      const Slogdet found = slogdet(a);
      expect_close(found.sign, sign, 0);
      expect_close(found.logabsdet, log, 10 * tolerance_of(dtype));
    }
  }
  EXPECT_EQ(det(zeros({2, 2})).rank(), 0);
  expect_close(det(zeros({0, 2, 2})), std::vector<double>(), 0);
}

TEST(Det, Gradients) {
  Rng rng(6);
  for (const Shape& shape : {Shape{1, 1}, {2, 2}, {2, 3, 3}, {4, 4}}) {
    expect_gradients([](auto in) { return det(in[0]); }, {regular(shape, rng)});
    expect_gradients([](auto in) { return slogdet(in[0]).logabsdet; }, {regular(shape, rng)});
  }
  expect_third_derivatives([](auto in) { return det(in[0]); }, {random_tensor({2, 2}, rng)});
  EXPECT_FALSE(slogdet(regular({2, 2}, rng).set_requires_grad()).sign.requires_grad());
}

/// The cofactors of every rank: they are 0 from rank n - 2 down.
TEST(Det, GradientsOfSingularMatrices) {
  Rng rng(7);
  for (const std::int64_t n : {1, 2, 3, 4, 5}) {
    for (std::int64_t rank = 0; rank <= n; ++rank) {
      // Whole numbers, so that the expansion is exact.
      const auto left = random_whole_numbers<double>(static_cast<std::size_t>(n * rank), 10 + n),
                 right = random_whole_numbers<double>(static_cast<std::size_t>(rank * n), 20 + n);
      const Matrix values = naive_gemm({n, n, rank}, left, right);
      const Tensor a = from_data(std::span<const double>(values), {n, n}, true);
      const Matrix expected = naive_cofactors(n, values);
      double largest = 1;
      for (const double value : values) largest = std::max(largest, std::abs(value));
      const double scale = std::pow(largest, static_cast<double>(n - 1));  // of the products in a cofactor
      const std::vector<double> found = numbers(grad(det(a), a));
      for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_NEAR(found[i], expected[i], 1e-14 * scale) << "n " << n << ", rank " << rank;
    }
  }
  const Tensor zero = zeros({2, 2}, {.requires_grad = true}),
               one = tensor({1, 2, 2, 4}, {2, 2}, {.requires_grad = true});
  expect_close(grad(det(zero), zero), {0, 0, 0, 0}, 0);
  expect_close(grad(det(one), one), {4, -2, -2, 1}, 0);
}

TEST(Det, SpecialValues) {
  const Tensor singular = tensor({1, 2, 2, 4, 3, 0, 0, 3}, {2, 2, 2});
  expect_close(det(singular), {0, 9}, 0);
  const Slogdet found = slogdet(singular);
  expect_close(found.sign, {0, 1}, 0);
  expect_close(found.logabsdet, {-kInfinity, std::log(9.0)}, 1e-6);
  expect_close(det(tensor({1, 2, NAN, 4}, {2, 2})), {NAN}, 0);
  expect_close(slogdet(tensor({1, 2, NAN, 4}, {2, 2})).sign, {NAN}, 0);
  expect_close(det(tensor({NAN, 1, 0, 1}, {2, 2})), {NAN}, 0);  // NaN is the pivot, not 0
  // The product of the pivots overflows in between, but the determinant does not.
  expect_close(det(tensor({1e30, 0, 0, 0, 1e30, 0, 0, 0, 1e-30}, {3, 3})), {1e30}, 1e-6);
  const Slogdet small = slogdet(tensor({1e-30, 0, 0, -1e-30}, {2, 2}));
  expect_close(small.sign, {-1}, 0);
  expect_close(small.logabsdet, {-60 * std::log(10.0)}, 1e-6);
  expect_close(solve(tensor({1, 2, NAN, 4}, {2, 2}), tensor({1, 1})), {NAN, NAN}, 0);
}

TEST(Cholesky, TimesItsTransposeIsTheMatrix) {
  Rng rng(8);
  for_each_instruction_set([&] {
    for (const DType dtype : {float32, float64}) {
      for (const std::int64_t n : kSizes) {
        const Tensor a = positive_definite(random_tensor({n, n}, rng, -1, 1, dtype));
        const std::vector<double> l = numbers(cholesky(a));
        for (std::int64_t i = 0; i < n; ++i)
          for (std::int64_t j = i + 1; j < n; ++j) EXPECT_EQ(l[static_cast<std::size_t>(i * n + j)], 0);
        expect_close(a, naive_gemm({n, n, n, false, true}, l, l), 5 * tolerance_of(dtype));
      }
    }
  });
  expect_close(cholesky(tensor({4, 99, 2, 5}, {2, 2})), {2, 0, 1, 2}, 0);  // only the lower triangle is read
  EXPECT_EQ(cholesky(zeros({0, 2, 2})).shape(), (Shape{0, 2, 2}));
  EXPECT_EQ(cholesky(zeros({2, 0, 0})).shape(), (Shape{2, 0, 0}));
}

TEST(Cholesky, SymmetricGradients) {
  const Tensor a = tensor({4, 1, 1, 3}, {2, 2}, {.dtype = float64, .requires_grad = true});
  // log det a = 2 sum log diag l; its gradient is a^-1.
  const Tensor mask = tensor({1, 0, 0, 1}, {2, 2}, {.dtype = float64});
  const Tensor log_det = 2 * sum(log(sum(cholesky(a) * mask, {-1})));
  expect_close(grad(log_det, a), {3.0 / 11, -1.0 / 11, -1.0 / 11, 4.0 / 11}, 1e-15);
  expect_close(grad(sum(cholesky(a)), a), {.206344, .174622, .174622, .301511}, 1e-6);
  Rng rng(9);
  const auto of_any_matrix = [](auto in) { return cholesky(positive_definite(in[0])); };
  for (const Shape& shape : {Shape{1, 1}, {2, 2}, {2, 3, 3}})
    expect_gradients(of_any_matrix, {random_tensor(shape, rng)});
  expect_third_derivatives(of_any_matrix, {random_tensor({2, 2}, rng)});
}

TEST(Factorize, BatchesHaveTheSameBitsForAnyNumberOfThreads) {
  Rng rng(10);
  const Tensor a = regular({700, 9, 9}, rng, float32), b = random_tensor({9, 7}, rng, -1, 1, float32),
               spd = positive_definite(random_tensor({700, 9, 9}, rng, -1, 1, float32));
  expect_same_bits_for_any_number_of_threads([&] {
    return std::vector{numbers(solve(a, b)), numbers(det(a)), numbers(cholesky(spd)), numbers(inverse(a))};
  });
  expect_close(matmul(a, solve(a, b)), broadcast_to(b, {700, 9, 7}), 1e-5);
}

TEST(Factorize, NamesTheFirstBadMatrixForAnyNumberOfThreads) {
  Rng rng(12);
  std::vector<double> values = numbers(regular({700, 9, 9}, rng));
  for (const std::size_t bad : {333, 334, 600})
    std::fill_n(values.begin() + static_cast<long>(bad) * 81, 81, 0.0);
  const Tensor a = from_data(std::span<const double>(values), {700, 9, 9});
  for (const int number : {1, 2, 8}) {
    const WithThreads threads(number);
    expect_error<Error>("inverse: matrix [333] of the batch is singular: LU pivot 0 is 0; a is [700,9,9]",
                        [&] { inverse(a); });
  }
}

TEST(Factorize, Errors) {
  Rng rng(11);
  const Tensor singular = tensor({1, 2, 2, 4}, {2, 2}), b = ones({2});
  expect_error<Error>("solve: a is singular: LU pivot 1 is 0; a is [2,2]", [&] { solve(singular, b); });
  expect_error<Error>("inverse: a is singular: LU pivot 1 is 0; a is [2,2]", [&] { inverse(singular); });
  std::vector<double> many = numbers(regular({5, 3, 2, 2}, rng));
  for (std::size_t i = 11 * 4; i < many.size(); ++i) many[i] = 0;  // matrix [3,2] and all that follow
  const Tensor batch = from_data(std::span<const double>(many), {5, 3, 2, 2});
  expect_error<Error>("inverse: matrix [3,2] of the batch is singular: LU pivot 0 is 0; a is [5,3,2,2]",
                      [&] { inverse(batch); });
  expect_error<Error>("solve: matrix [3,2] of the batch is singular: LU pivot 0 is 0; a is [5,3,2,2]", [&] {
    solve(batch, ones({2, 1}, {.dtype = float64}));
  });
  expect_error<Error>(
      "triangular_solve: matrix [3,2] of the batch is singular: diagonal element 0 is 0; a is [5,3,2,2]",
      [&] {
        triangular_solve(batch, ones({2, 1}, {.dtype = float64}));
      });
  expect_error<Error>("cholesky: a is not positive definite: pivot 1 is -3; a is [2,2]", [&] {
    cholesky(tensor({1, 2, 2, 1}, {2, 2}));
  });
  expect_error<Error>(
      "cholesky: matrix [1] of the batch is not positive definite: pivot 0 is nan; a is [2,1,1]", [&] {
        cholesky(tensor({1, NAN}, {2, 1, 1}));
      });
  const Tensor leaf = tensor({1, 2, 2, 4}, {2, 2}, {.requires_grad = true});
  expect_error<Error>("inverse: a is singular: LU pivot 1 is 0; a is [2,2]",
                      [&] { grad(slogdet(leaf).logabsdet, leaf); });
  expect_error<ShapeError>("det: a must have square matrices [..., n, n], it is [2,3]", [] {
    det(zeros({2, 3}));
  });
  expect_error<ShapeError>("cholesky: a must have square matrices [..., n, n], it is [3]",
                           [] { cholesky(zeros({3})); });
  expect_error<ShapeError>("solve: b must have as many rows as a; a is [2,2], b is [3,1]", [&] {
    solve(singular, zeros({3, 1}));
  });
  expect_error<ShapeError>("triangular_solve: b must have as many rows as a; a is [2,2], b is []",
                           [&] { triangular_solve(singular, scalar(1)); });
  expect_error<ShapeError>("solve: the batch axes do not broadcast; a is [2,1,1], b is [3,1,1]", [] {
    solve(ones({2, 1, 1}), ones({3, 1, 1}));
  });
  expect_error<DTypeError>("slogdet: a must be float32 or float64, it is int64", [] {
    slogdet(zeros({2, 2}, {.dtype = int64}));
  });
  expect_error<DTypeError>("solve: a and b must have the same dtype; a is float32, b is float64",
                           [&] { solve(singular, ones({2}, {.dtype = float64})); });
}

}  // namespace
}  // namespace adjoint
