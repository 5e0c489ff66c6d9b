// Products of matrices and factorizations against libtorch's.
#include "adjoint/ops/linalg.h"

#include <gtest/gtest.h>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/einsum.h"
#include "adjoint/ops/factorize.h"
#include "adjoint/ops/shape.h"
#include "tests/oracle/oracle.h"

namespace adjoint::oracle {
namespace {

Shape joined(const Shape& batch, std::initializer_list<std::int64_t> last) {
  std::vector<std::int64_t> sizes(batch.begin(), batch.end());
  sizes.insert(sizes.end(), last);
  return Shape(sizes);
}

TEST(Oracle, Products) {
  compare("products", "matmul", 120, [](Draw& draw) {
    const Shape batch = draw.shape(0, 2, true);
    const std::int64_t m = draw.number(1, 5), k = draw.number(1, 5), n = draw.number(1, 5);
    const bool ta = draw.flag(), tb = draw.flag();
    const Tensor a = draw.tensor(joined(draw.part_of(batch), {ta ? k : m, ta ? m : k}));
    const Tensor b = draw.tensor(joined(draw.part_of(batch), {tb ? n : k, tb ? k : n}));
    return Example{
        .inputs = {a, b},
        .ours = [=](auto in) { return matmul(in[0], in[1], {.transpose_a = ta, .transpose_b = tb}); },
        .theirs =
            [=](auto in) {
              return torch::matmul(ta ? in[0].transpose(-1, -2) : in[0],
                                   tb ? in[1].transpose(-1, -2) : in[1]);
            },
        .units = 64};
  });
  compare("products", "matmul of vectors", 60, [](Draw& draw) {
    const std::int64_t m = draw.number(1, 5), k = draw.number(0, 5);
    const bool left = draw.flag(), right = left ? draw.flag() : true;
    return Example{.inputs = {draw.tensor(left ? Shape{k} : joined(draw.shape(0, 2), {m, k})),
                              draw.tensor(right ? Shape{k} : joined(draw.shape(0, 2), {k, m}))},
                   .ours = [=](auto in) { return matmul(in[0], in[1]); },
                   .theirs = [=](auto in) { return torch::matmul(in[0], in[1]); },
                   .units = 64};
  });
  compare("products", "dense", 60, [](Draw& draw) {
    const std::int64_t i = draw.number(1, 5), o = draw.number(1, 5);
    return Example{
        .inputs = {draw.tensor(joined(draw.shape(0, 3, true), {i})), draw.tensor({o, i}), draw.tensor({o})},
        .ours = [=](auto in) { return dense(in[0], in[1], in[2]); },
        .theirs = [=](auto in) { return torch::linear(in[0], in[1], in[2]); },
        .units = 64};
  });
  compare("products", "bilinear", 40, [](Draw& draw) {
    const std::int64_t n = draw.number(1, 4), i = draw.number(1, 4), j = draw.number(1, 4),
                       o = draw.number(1, 4);
    return Example{
        .inputs = {draw.tensor({n, i}), draw.tensor({n, j}), draw.tensor({o, i, j}), draw.tensor({o})},
        .ours = [=](auto in) { return bilinear(in[0], in[1], in[2], in[3]); },
        .theirs = [=](auto in) { return torch::bilinear(in[0], in[1], in[2], in[3]); },
        .units = 64};
  });
  compare("products", "dot, mv, outer", 60, [](Draw& draw) {
    const std::int64_t m = draw.number(1, 5), k = draw.number(1, 5);
    return Example{
        .inputs = {draw.tensor({m, k}), draw.tensor({k}), draw.tensor({m})},
        .ours = [](auto in) { return dot(mv(in[0], in[1]), in[2]) * outer(in[1], in[2]); },
        .theirs =
            [](auto in) { return torch::dot(torch::mv(in[0], in[1]), in[2]) * torch::outer(in[1], in[2]); },
        .units = 64};
  });
}

TEST(Oracle, Einsum) {
  const char* const equations[] = {"ij,jk->ik",
                                   "ij,kj->ik",
                                   "bij,bjk->bik",
                                   "ij,ij->",
                                   "i,j->ij",
                                   "ii->i",
                                   "ii->",
                                   "ij->ji",
                                   "ij->j",
                                   "abc->b",
                                   "bi,oij,bj->bo",
                                   "ij,jk,kl->il",
                                   "...ij,...jk->...ik",
                                   "i...,i...->...",
                                   "ij,j",
                                   "ba",
                                   "ii,i->i",
                                   "abcd->bd",
                                   "i,i,i->i",
                                   "ijk,jl->ikl"};
  for (const char* const equation : equations) {
    compare("einsum", equation, 20, [&](Draw& draw) {
      std::int64_t sizes[26];
      for (std::int64_t& size : sizes) size = draw.number(1, 4);
      const Shape batch = draw.shape(0, 2);
      std::vector<Tensor> inputs;
      std::vector<std::int64_t> shape;
      const std::string text = std::string(equation).substr(0, std::string(equation).find("->")) + ",";
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ',') {
          inputs.push_back(draw.tensor(Shape(shape)));
          shape.clear();
        } else if (text[i] == '.') {
          shape.insert(shape.end(), batch.begin(), batch.end());
          i += 2;
        } else {
          shape.push_back(sizes[text[i] - 'a']);
        }
      }
      return Example{.inputs = inputs,
                     .ours = [=](auto in) { return einsum(equation, in); },
                     .theirs = [=](auto in) { return torch::einsum(equation, in); },
                     .units = 64};
    });
  }
}

/// A batch of well conditioned matrices.
Tensor regular(Draw& draw, const Shape& batch, std::int64_t n) {
  const Tensor noise = draw.tensor(joined(batch, {n, n}), -0.5, 0.5);
  Tensor identity = zeros({n, n}, {.dtype = float64});
  for (std::int64_t i = 0; i < n; ++i)
    identity.mutable_data<double>()[static_cast<std::size_t>(i * n + i)] = 3;
  return noise + identity;
}

TEST(Oracle, Factorizations) {
  const auto matrices = [](const char* name, auto ours, auto theirs, bool positive = false) {
    compare("factorize", name, 60, [&](Draw& draw) {
      const Tensor a = regular(draw, draw.shape(0, 2), draw.number(1, 5));
      const Tensor b = draw.tensor(
          joined(Shape(std::span(a.shape().begin(), a.shape().end() - 2)), {a.size(-1), draw.number(1, 3)}));
      return Example{.inputs = {positive ? matmul(a, a, {.transpose_b = true}) : a, b},
                     .ours = [=](auto in) { return ours(in[0], in[1]); },
                     .theirs = [=](auto in) { return theirs(in[0], in[1]); },
                     .units = 1024};
    });
  };
  using T = const Tensor&;
  using U = const torch::Tensor&;
  matrices(
      "solve", [](T a, T b) { return solve(a, b); }, [](U a, U b) { return torch::linalg_solve(a, b); });
  matrices(
      "inverse", [](T a, T) { return inverse(a); }, [](U a, U) { return torch::linalg_inv(a); });
  matrices(
      "det", [](T a, T) { return det(a); }, [](U a, U) { return torch::linalg_det(a); });
  matrices(
      "slogdet", [](T a, T) { return slogdet(a).logabsdet; },
      [](U a, U) { return std::get<1>(torch::linalg_slogdet(a)); });
  matrices(
      "cholesky", [](T a, T) { return cholesky(a); }, [](U a, U) { return torch::linalg_cholesky(a); }, true);
  matrices(
      "triangular_solve, lower", [](T a, T b) { return triangular_solve(a, b); },
      [](U a, U b) { return torch::linalg_solve_triangular(a, b, /*upper=*/false); });
  matrices(
      "triangular_solve, upper, unit diagonal",
      [](T a, T b) { return triangular_solve(a, b, {.upper = true, .unit_diagonal = true}); },
      [](U a, U b) { return torch::linalg_solve_triangular(a, b, true, true, /*unitriangular=*/true); });
}

}  // namespace
}  // namespace adjoint::oracle
