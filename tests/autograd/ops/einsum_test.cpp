#include "adjoint/ops/einsum.h"

#include <cctype>
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <string>

#include "adjoint/ops/math.h"
#include "adjoint/ops/shape.h"
#include "tests/support/draw.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

/// By definition: for all values of all letters, the product of the operands' elements is added to the
/// result's element. The equation is explicit and has only letters.
std::vector<double> naive_einsum(const std::string& equation, const std::vector<Tensor>& operands) {
  std::vector<std::string> terms(1);
  for (const char c : equation) {
    if (c == ',' || c == '>') terms.emplace_back();
    if (std::isalpha(c)) terms.back() += c;
  }
  std::map<char, std::int64_t> sizes, index;
  for (std::size_t k = 0; k < operands.size(); ++k)
    for (std::size_t axis = 0; axis < terms[k].size(); ++axis) {
      std::int64_t& size = sizes.try_emplace(terms[k][axis], 1).first->second;
      size = size == 1 ? operands[k].size(static_cast<int>(axis)) : size;
    }
  std::int64_t steps = 1, result_size = 1;
  for (const auto& [letter, size] : sizes) steps *= size;
  for (const char letter : terms.back()) result_size *= sizes[letter];
  std::vector<std::vector<double>> values;
  values.reserve(operands.size());
  for (const Tensor& operand : operands) values.push_back(numbers(operand));
  std::vector<double> y(static_cast<std::size_t>(result_size));
  for (std::int64_t step = 0; step < steps; ++step) {
    std::int64_t rest = step;
    for (const auto& [letter, size] : sizes) {
      index[letter] = rest % size;
      rest /= size;
    }
    double product = 1;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      std::int64_t offset = 0;
      for (std::size_t axis = 0; axis < terms[k].size(); ++axis) {
        const std::int64_t size = operands[k].size(static_cast<int>(axis));
        offset = offset * size + (size == 1 ? 0 : index[terms[k][axis]]);
      }
      product *= values[k][static_cast<std::size_t>(offset)];
    }
    std::int64_t offset = 0;
    for (const char letter : terms.back()) offset = offset * sizes[letter] + index[letter];
    y[static_cast<std::size_t>(offset)] += product;
  }
  return y;
}

/// equation has the meaning of `explicit_equation`, which naive_einsum can read.
struct Case {
  const char* equation;
  const char* explicit_equation;
  std::vector<Shape> shapes;
  Shape result;
};
const Case kCases[] = {
    {"ij->ji", "ij->ji", {{2, 3}}, {3, 2}},
    {"ij", "ij->ij", {{2, 3}}, {2, 3}},
    {"ji", "ji->ij", {{2, 3}}, {3, 2}},
    {"ij->", "ij->", {{2, 3}}, {}},
    {"ij->j", "ij->j", {{2, 3}}, {3}},
    {"ii", "ii->", {{3, 3}}, {}},
    {"ii->i", "ii->i", {{3, 3}}, {3}},
    {"iij->ji", "iij->ji", {{3, 3, 2}}, {2, 3}},
    {"ijiji->ij", "ijiji->ij", {{2, 3, 2, 3, 2}}, {2, 3}},
    {"iii->i", "iii->i", {{2, 2, 2}}, {2}},
    {"i,i", "i,i->", {{4}, {4}}, {}},
    {"i,i->i", "i,i->i", {{4}, {4}}, {4}},
    {"i,j->ij", "i,j->ij", {{4}, {3}}, {4, 3}},
    {"i,j->ji", "i,j->ji", {{4}, {3}}, {3, 4}},
    {" i j , j k -> i k ", "ij,jk->ik", {{2, 3}, {3, 4}}, {2, 4}},
    {"ij,jk", "ij,jk->ik", {{2, 3}, {3, 4}}, {2, 4}},
    {"ba,ac", "ba,ac->bc", {{2, 3}, {3, 4}}, {2, 4}},
    {"bA,Ac", "bA,Ac->bc", {{2, 3}, {3, 4}}, {2, 4}},
    {"aZ,ab", "aZ,ab->Zb", {{3, 2}, {3, 4}}, {2, 4}},  // capitals come first
    {"ji,jk->ik", "ji,jk->ik", {{3, 2}, {3, 4}}, {2, 4}},
    {"ij,kj->ik", "ij,kj->ik", {{2, 3}, {4, 3}}, {2, 4}},
    {"ji,kj->ki", "ji,kj->ki", {{3, 2}, {4, 3}}, {4, 2}},
    {"ij,jk->ki", "ij,jk->ki", {{2, 3}, {3, 4}}, {4, 2}},
    {"bij,bjk->bik", "bij,bjk->bik", {{2, 3, 4}, {2, 4, 5}}, {2, 3, 5}},
    {"bhid,bhjd->bhij", "bhid,bhjd->bhij", {{2, 2, 3, 4}, {2, 2, 3, 4}}, {2, 2, 3, 3}},
    {"bihd,bjhd->bhij", "bihd,bjhd->bhij", {{2, 3, 2, 4}, {2, 5, 2, 4}}, {2, 2, 3, 5}},
    {"bij,jk->bik", "bij,jk->bik", {{2, 3, 4}, {4, 5}}, {2, 3, 5}},
    {"bij,bj->bi", "bij,bj->bi", {{2, 3, 4}, {2, 4}}, {2, 3}},
    {"bj,bji->bi", "bj,bji->bi", {{2, 4}, {2, 4, 3}}, {2, 3}},
    {"bi,bi->b", "bi,bi->b", {{2, 3}, {2, 3}}, {2}},
    {"ijk,ijk->", "ijk,ijk->", {{2, 3, 4}, {2, 3, 4}}, {}},
    {"ijk,kji->", "ijk,kji->", {{2, 3, 4}, {4, 3, 2}}, {}},
    {"aij,bji->ab", "aij,bji->ab", {{2, 3, 4}, {5, 4, 3}}, {2, 5}},
    {"ij,k->i", "ij,k->i", {{2, 3}, {4}}, {2}},
    {"ii,ij->j", "ii,ij->j", {{3, 3}, {3, 2}}, {2}},
    {"ij,ij,ij->i", "ij,ij,ij->i", {{2, 3}, {2, 3}, {2, 3}}, {2}},
    {"bi,oij,bj->bo", "bi,oij,bj->bo", {{2, 3}, {4, 3, 5}, {2, 5}}, {2, 4}},
    {"ij,jk,kl,lm->im", "ij,jk,kl,lm->im", {{2, 3}, {3, 4}, {4, 2}, {2, 5}}, {2, 5}},
    {"ij,jk,ki", "ij,jk,ki->", {{2, 3}, {3, 4}, {4, 2}}, {}},
    {"a,b,c,d,e->edcba", "a,b,c,d,e->edcba", {{2}, {1}, {3}, {2}, {2}}, {2, 2, 3, 1, 2}},
    {",i->i", ",i->i", {{}, {3}}, {3}},
    {"->", "->", {{}}, {}},
    {"...", "ab->ab", {{2, 3}}, {2, 3}},
    {"...->", "ab->", {{2, 3}}, {}},
    {"i...->...", "iab->ab", {{2, 3, 4}}, {3, 4}},
    {"...i->i...", "abi->iab", {{2, 3, 4}}, {4, 2, 3}},
    {"i...j->j...i", "iabj->jabi", {{2, 3, 1, 4}}, {4, 3, 1, 2}},
    {"i...i->...", "iai->a", {{2, 3, 2}}, {3}},
    {"...ij,...jk->...ik", "abij,bjk->abik", {{2, 3, 2, 4}, {3, 4, 2}}, {2, 3, 2, 2}},
    {"...ij,...jk", "abij,bjk->abik", {{2, 1, 2, 4}, {3, 4, 2}}, {2, 3, 2, 2}},
    {"...i,...i->...", "abi,i->ab", {{2, 3, 4}, {4}}, {2, 3}},
    {"z...,...->z...", "zab,b->zab", {{2, 3, 4}, {4}}, {2, 3, 4}},
    {"...,...", "ab,ab->ab", {{2, 1}, {1, 3}}, {2, 3}},
    {"ij,ij->ij", "ij,ij->ij", {{1, 3}, {2, 1}}, {2, 3}},
    {"ij,jk->ik", "ij,jk->ik", {{2, 1}, {3, 4}}, {2, 4}},
    {"i,i->", "i,i->", {{2}, {1}}, {}},
    {"ii,i->i", "ii,i->i", {{1, 1}, {3}}, {3}},
    {"ij,jk->ik", "ij,jk->ik", {{2, 0}, {0, 3}}, {2, 3}},
    {"ij,jk->ik", "ij,jk->ik", {{0, 2}, {2, 3}}, {0, 3}},
    {"ij->i", "ij->i", {{2, 0}}, {2}},
    {"ii->i", "ii->i", {{0, 0}}, {0}},
    {"abcdefgh,abcdefgh->hgfedcba",
     "abcdefgh,abcdefgh->hgfedcba",
     {{1, 2, 1, 2, 1, 2, 1, 2}, {1, 2, 1, 1, 1, 2, 1, 2}},
     {2, 1, 2, 1, 2, 1, 2, 1}},
};

std::vector<Tensor> random_operands(const Case& c, Rng& rng, DType dtype) {
  std::vector<Tensor> operands;
  for (const Shape& shape : c.shapes) operands.push_back(random_tensor(shape, rng, -1, 1, dtype));
  return operands;
}

TEST(Einsum, AgreesWithNaiveLoops) {
  Rng rng(1);
  for (const DType dtype : {float32, float64}) {
    for (const Case& c : kCases) {
      SCOPED_TRACE(c.equation);
      const std::vector<Tensor> operands = random_operands(c, rng, dtype);
      const Tensor y = einsum(c.equation, operands);
      EXPECT_EQ(to_string(y.shape()), to_string(c.result));
      expect_close(y, naive_einsum(c.explicit_equation, operands), tolerance_of(dtype));
      std::vector<Tensor> interleaved;
      interleaved.reserve(operands.size());
      for (const Tensor& operand : operands) interleaved.push_back(as_interleaved(operand));
      expect_close(einsum(c.equation, interleaved), y, tolerance_of(dtype));
    }
  }
}

TEST(Einsum, Gradients) {
  Rng rng(2);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.equation);
    expect_gradients([&](auto in) { return einsum(c.equation, in); }, random_operands(c, rng, float64));
  }
  const Tensor x = random_tensor({3, 3}, rng);
  expect_gradients([](auto in) { return einsum("ij,jk,ki->i", {in[0], in[0], in[0]}); }, {x});
  expect_third_derivatives(
      [](auto in) {
        return einsum("ij,jk->ik", {in[0], in[1]});
      },
      {random_tensor({2, 2}, rng), random_tensor({2, 2}, rng)});
}

/// Random equations of up to three operands.
RC_GTEST_PROP(Einsum, AgreesWithNaiveLoopsOnRandomEquations, ()) {
  Rng rng(3);
  std::string equation, used;
  std::vector<Tensor> operands;
  const std::int64_t sizes[] = {draw(1, 3), draw(1, 3), draw(1, 3), draw(1, 3)};
  for (std::int64_t k = draw(1, 3); k > 0; --k) {
    std::vector<std::int64_t> shape;
    for (std::int64_t axes = draw(0, 4); axes > 0; --axes) {
      const auto letter = static_cast<char>('i' + draw(0, 3));
      equation += letter;
      shape.push_back(sizes[letter - 'i']);
      if (used.find(letter) == std::string::npos) used += letter;
    }
    operands.push_back(random_tensor(Shape(std::span<const std::int64_t>(shape)), rng));
    equation += k > 1 ? "," : "->";
  }
  for (std::int64_t letters = draw(0, static_cast<std::int64_t>(used.size())); letters > 0; --letters) {
    const auto at = static_cast<std::size_t>(draw(0, static_cast<std::int64_t>(used.size()) - 1));
    equation += used[at];
    used.erase(at, 1);
  }
  SCOPED_TRACE(equation);
  expect_close(einsum(equation, operands), naive_einsum(equation, operands), 1e-12);
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Einsum, GradientsOfAxesThatOneOperandHas) {
  std::vector<double> counted(8);
  for (std::size_t i = 0; i < 8; ++i) counted[i] = static_cast<double>(i);
  const Tensor x = from_data(std::span<const double>(counted), {2, 2, 1, 2}, true);
  const Tensor y = einsum("abcd->bd", {x});
  expect_close(y, tensor({4, 6, 8, 10}, {2, 2}, {.dtype = float64}), 0);
  expect_close(grad(sum(square(y)), x), {8, 12, 16, 20, 8, 12, 16, 20}, 0);
  const Tensor a = tensor({2, 2}, {.requires_grad = true}), b = tensor({2}, {.requires_grad = true});
  const auto gradients = grad(einsum("i,i", {a, b}), {a, b});
  expect_close(gradients[0], {2, 2}, 0);
  expect_close(gradients[1], {4}, 0);
}

TEST(Einsum, ResultIsATensorOfItsOwn) {
  Tensor x = ones({2, 2});
  const Tensor y = einsum("ij->ij", {x});
  x.mutable_data<float>()[0] = 5;
  expect_close(y, {1, 1, 1, 1}, 0);
}

TEST(Einsum, MultipliesTheSmallestPairFirst) {
  // From left to right, the first product would have 2^40 elements.
  const Tensor a = ones({1 << 20});
  expect_close(einsum("i,j,i,j->", {a, a, a, a}), scalar(0x1p40), 0);
}

TEST(Einsum, Errors) {
  const Tensor m = zeros({2, 3}), n = zeros({4, 5}), v = zeros({3});
  const auto shape_error = [](const char* text, const char* equation, const std::vector<Tensor>& operands) {
    expect_error<ShapeError>(text, [&] { einsum(equation, operands); });
  };
  const auto error = [](const char* text, const char* equation, const std::vector<Tensor>& operands) {
    expect_error<Error>(text, [&] { einsum(equation, operands); });
  };
  shape_error("einsum: letter 'j' has size 3 in operand 0 and 4 in operand 1 of \"ij,jk->ik\"", "ij,jk->ik",
              {m, n});
  shape_error("einsum: letter 'i' has sizes 2 and 3 in operand 0 of \"ii\"", "ii", {m});
  shape_error("einsum: an axis of ... has size 2 in operand 0 and 4 in operand 1 of \"...,...\"", "...,...",
              {m, n});
  shape_error("einsum: operand 1 has 1 axes, its term in \"ij,jk\" has 2 letters; it is [3]", "ij,jk",
              {m, v});
  shape_error("einsum: operand 0 has 2 axes, its term in \"i->i\" has 1 letters; it is [2,3]", "i->i", {m});
  shape_error("einsum: operand 0 has 2 axes, its term in \"ijk...\" has 3 letters; it is [2,3]", "ijk...",
              {m});
  shape_error("einsum: a term of \"abcdefghi\" has more than 8 letters", "abcdefghi", {m});
  error("einsum: \"ij,jk\" has 2 terms for 1 operands", "ij,jk", {m});
  error("einsum: \"ij\" has 1 terms for 2 operands", "ij", {m, m});
  error("einsum: there must be at least one operand", "", {});
  error("einsum: letter 'k' of the result of \"ij->ik\" is in no operand", "ij->ik", {m});
  error("einsum: letter 'i' appears twice in the result of \"ij->ii\"", "ij->ii", {m});
  error("einsum: '1' in \"i1->i\" is not a letter, a comma, \"->\" or \"...\"", "i1->i", {m});
  error("einsum: '.' in \"i..->i\" is not a letter, a comma, \"->\" or \"...\"", "i..->i", {m});
  error("einsum: ',' in \"ij->i,j\" is not a letter, a comma, \"->\" or \"...\"", "ij->i,j", {m});
  error("einsum: '-' in \"ij->i->j\" is not a letter, a comma, \"->\" or \"...\"", "ij->i->j", {m});
  error("einsum: \"...i...\" has two ellipses in one term", "...i...", {m});
  const Tensor five = zeros({2, 2, 2, 2, 2});
  shape_error("einsum: the result of \"abcde,fghij\" has more than 8 axes", "abcde,fghij", {five, five});
  const Tensor eight = zeros({2, 2, 2, 2, 2, 2, 2, 2});
  shape_error(
      "einsum: a product of two operands in \"abcdefmn,abcghiop,defghiqr->mnopqr\" has more than 8 axes",
      "abcdefmn,abcghiop,defghiqr->mnopqr", {eight, eight, eight});
  expect_error<DTypeError>(
      "einsum: all operands must have the same dtype; operand 0 is float32, operand 1 is float64", [&] {
        einsum("ij,j", {m, zeros({3}, {.dtype = float64})});
      });
  expect_error<DTypeError>("einsum: operand 0 must be float32 or float64, it is int64",
                           [] { einsum("i", {arange(3)}); });
}

}  // namespace
}  // namespace adjoint
