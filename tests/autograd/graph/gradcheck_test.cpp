#include "adjoint/graph/gradcheck.h"

#include <cmath>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;

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

/// y = x, with a gradient that is wrong at one element.
TensorFunction wrong_at(std::size_t element, double gradient) {
  return [=](std::span<const Tensor> in) {
    return record("wrong", in[0].values(), {in[0]}, [=](const Tensor& dy, Needs) -> Grads {
      Tensor dx = dy.detach();
      dx.mutable_data<double>()[element] = gradient;
      return {dx};
    });
  };
}

TEST(Gradcheck, NoticesOneGradientThatIsNoNumber) {
  for (const double gradient : {NAN, INFINITY, -INFINITY}) {
    for (const std::size_t element : {0, 1, 2}) {
      const auto result = gradcheck(wrong_at(element, gradient), {some({3})});
      EXPECT_FALSE(result) << gradient;
      EXPECT_THAT(result.report, HasSubstr(fmt::format("element {}: backward gives {}", element, gradient)));
    }
  }
}

TEST(Gradcheck, NoticesOneDifferenceThatIsNoNumber) {
  // y = x at first, later NaN or infinite at one element: right gradients, differences that show nothing.
  for (const double value : {NAN, INFINITY}) {
    int calls = 0;
    const auto result = gradcheck(
        [&](std::span<const Tensor> in) {
          if (++calls == 1) return in[0] * 1.0;
          Tensor y = in[0].detach();
          if (calls == 4) y.mutable_data<double>()[1] = value;
          return y;
        },
        {some({3})});
    EXPECT_FALSE(result);
    EXPECT_THAT(result.report, HasSubstr("element 1: "));
  }
}

TEST(Gradcheck, NamesTheLargestDifference) {
  const auto result = gradcheck(
      [](std::span<const Tensor> in) {
        return record("wrong", in[0].values(), {in[0]}, [](const Tensor& dy, Needs) -> Grads {
          return {dy + tensor({1, 3, 2}, {.dtype = float64})};
        });
      },
      {some({3})});
  EXPECT_THAT(result.report, HasSubstr("input 0 [3], element 1: "));
}

TEST(Gradcheck, MeasuresByTheGradientsOwnSize) {
  // The relative error is 1e-5; the absolute error is below the tolerance of 1e-6.
  const auto scaled = [](double factor) {
    return [=](std::span<const Tensor> in) { return product(in[0], in[1], factor) * 0.01; };
  };
  EXPECT_TRUE(gradcheck(scaled(1), {some({3}), some({3}, 2)}));
  EXPECT_FALSE(gradcheck(scaled(1 + 1e-5), {some({3}), some({3}, 2)}));
}

TEST(Gradcheck, TakesStepsInProportionToLargeInputs) {
  // At 1e10, neighboring doubles are 2e-6 apart: steps of 1e-6 would show nothing.
  const Tensor x = tensor({1e10, -3e10}, {.dtype = float64});
  const GradcheckResult result = gradcheck([](auto in) { return in[0] * in[0]; }, {x});
  EXPECT_TRUE(result) << result.report;
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
  expect_error<DTypeError>("gradcheck: inputs must be float64, input 1 is float32", [&] {
    gradcheck([](auto in) { return in[0]; }, {some({2}), ones({2})});
  });
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

/// y = x^2, x [2]. The rule of its gradient has an error that is zero for equal cotangents.
TensorFunction squares(double error) {
  const auto gradient = [=](const Tensor& dy, const Tensor& x) {
    return record("gradient", (dy.detach() * x.detach() * 2.0).values(), {dy, x},
                  [error, dy = Saved(dy), x = Saved(x)](const Tensor& d, Needs) -> Grads {
                    const double wrong = error * (d.data<double>()[0] - d.data<double>()[1]);
                    return {d * x * 2.0, d * dy * 2.0 + wrong};
                  });
  };
  return [=](std::span<const Tensor> in) {
    const Tensor& x = in[0];
    return record("squares", (x.detach() * x.detach()).values(), {x},
                  [gradient, x = Saved(x)](const Tensor& dy, Needs) -> Grads { return {gradient(dy, x)}; });
  };
}

TEST(Gradgradcheck, NoticesErrorsWhoseSumIsZero) {
  EXPECT_TRUE(gradgradcheck(squares(0), {some({2})}));
  EXPECT_FALSE(gradgradcheck(squares(1), {some({2})}));
}

}  // namespace
}  // namespace adjoint
