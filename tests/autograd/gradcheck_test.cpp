#include "autograd/gradcheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>

#include "autograd/create.h"
#include "autograd/node.h"
#include "autograd/ops/arithmetic.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using testing::HasSubstr;

Tensor some(const Shape& shape, std::uint64_t seed = 1) {
  Rng rng(seed);
  return uniform(shape, 0.5, 2, {.dtype = float64}, rng);
}

/// a b with a factor on da: right only for 1.
Tensor product(const Tensor& a, const Tensor& b, double factor) {
  return record("product", (a.detach() * b.detach()).values(), {a, b},
                [=, a = Saved(a), b = Saved(b)](const Tensor& dy, Needs) -> Grads {
                  return {dy * b * factor, dy * a};
                });
}

TEST(Gradcheck, PassesRightGradients) {
  const auto f = [](auto in) { return in[0] * in[1] / (in[0] + in[1]); };
  EXPECT_TRUE(gradcheck(f, {some({2, 3}), some({2, 3}, 2)}))
      << gradcheck(f, {some({2, 3}), some({2, 3}, 2)}).report;
  EXPECT_TRUE(gradgradcheck(f, {some({2, 3}), some({2, 3}, 2)}))
      << gradgradcheck(f, {some({2, 3}), some({2, 3}, 2)}).report;
}

TEST(Gradcheck, NamesTheInputAndElementThatDiffer) {
  const auto result =
      gradcheck([](auto in) { return product(in[0], in[1], 1.001); }, {some({3}), some({3}, 2)});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.report, HasSubstr("gradcheck: input 0 [3], element "));
  EXPECT_THAT(result.report, HasSubstr("backward gives "));
  EXPECT_THAT(result.report, HasSubstr("the central difference "));
}

TEST(Gradcheck, NoticesASmallError) {
  EXPECT_FALSE(gradcheck([](auto in) { return product(in[0], in[1], 1 + 1e-5); }, {some({3}), some({3}, 2)}));
}

TEST(Gradcheck, FailsWhenAllGradientsVanish) {  // LBANN PR 419
  const auto result = gradcheck([](auto in) { return in[0] * 1e-30; }, {some({3})});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.report, HasSubstr("all gradients vanish"));
}

TEST(Gradcheck, NoticesNaN) {
  EXPECT_FALSE(gradcheck([](auto in) { return in[0] / (in[0] - in[0]); }, {some({2})}));
}

TEST(Gradcheck, AcceptsEmptyInputs) {
  EXPECT_TRUE(gradcheck([](auto in) { return in[0] * in[0]; }, {some({0, 3})}));
}

TEST(Gradcheck, LeavesTheInputsAlone) {
  const Tensor x = some({2});
  const double before = x.data<double>()[0];
  gradcheck([](auto in) { return in[0] * in[0]; }, {x});
  EXPECT_EQ(x.data<double>()[0], before);
  EXPECT_FALSE(x.requires_grad());
}

TEST(Gradcheck, WantsFloat64) {  // pytorch 5351
  EXPECT_THROWS(DTypeError, "gradcheck: inputs must be float64, input 1 is float32",
                gradcheck([](auto in) { return in[0]; }, {some({2}), ones({2})}));
}

TEST(Gradgradcheck, NoticesASecondDerivativeThatIsWrong) {
  // The gradient is right, but computed outside the graph: the second derivative is lost.
  const auto lossy = [](std::span<const Tensor> in) {
    return record("lossy", (in[0].detach() * in[0].detach()).values(), {in[0]},
                  [x = in[0].detach()](const Tensor& dy, Needs) -> Grads { return {dy * x * 2.0}; });
  };
  EXPECT_TRUE(gradcheck(lossy, {some({3})}));
  const auto result = gradgradcheck(lossy, {some({3})});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.report, HasSubstr("gradgradcheck"));
}

}  // namespace
}  // namespace adjoint
