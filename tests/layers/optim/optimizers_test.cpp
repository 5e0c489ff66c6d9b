// Optimizers against the same rules in plain doubles, one number at a time; what they do not change, and what
// they refuse.

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <memory>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/optim/adam.h"
#include "adjoint/optim/sgd.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

constexpr int kSteps = 20;

/// The rule's state for one number, and the number itself.
struct Number {
  double value, first = 0, second = 0;
};
/// Updates a number in step t = 1, 2, ... with its gradient.
using Rule = std::function<void(Number& number, double gradient, int t)>;

/// The gradient of the loss, sum of c p^3: any smooth function will do.
double gradient_at(double c, double p) { return 3 * c * p * p; }

/// Takes kSteps steps with the optimizer and with the rule, and compares all numbers after each.
void expect_same_steps(DType dtype,
                       const std::function<std::unique_ptr<Optimizer>(std::vector<Tensor>)>& make,
                       const Rule& rule) {
  Rng rng(4);
  std::vector<Tensor> parameters, factors;
  std::vector<std::vector<Number>> plain;
  for (const Shape& shape : {Shape{3, 37}, Shape{5}, Shape{}, Shape{0, 2}}) {
    parameters.push_back(random_tensor(shape, rng, 0.5, 1, dtype).set_requires_grad());
    factors.push_back(random_tensor(shape, rng, -0.5, 1, dtype));
    plain.emplace_back();
    for (const double value : numbers(parameters.back())) plain.back().push_back({value});
  }
  const auto optimizer = make(parameters);
  for (int t = 1; t <= kSteps; ++t) {
    optimizer->zero_grad();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Tensor& p = parameters[i];
      sum(factors[i] * p * p * p).backward();
    }
    optimizer->step();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::vector<double> c = numbers(factors[i]);
      std::vector<double> expected;
      for (std::size_t k = 0; k < c.size(); ++k) {
        rule(plain[i][k], gradient_at(c[k], plain[i][k].value), t);
        expected.push_back(plain[i][k].value);
      }
      expect_close(parameters[i], expected, kSteps * tolerance_of(dtype));
    }
  }
}

Rule plain_sgd(double rate, double momentum, double decay) {
  return [=](Number& p, double gradient, int) {
    p.first = momentum * p.first + gradient + decay * p.value;
    p.value -= rate * p.first;
  };
}

Rule plain_adam(const AdamOptions& options) {
  return [=](Number& p, double gradient, int t) {
    const double g = gradient + options.weight_decay * p.value;
    p.first = options.beta1 * p.first + (1 - options.beta1) * g;
    p.second = options.beta2 * p.second + (1 - options.beta2) * g * g;
    const double m = p.first / (1 - std::pow(options.beta1, t)),
                 v = p.second / (1 - std::pow(options.beta2, t));
    p.value -= options.learning_rate * m / (std::sqrt(v) + options.epsilon);
  };
}

class Optimizers : public ::testing::TestWithParam<DType> {};

TEST_P(Optimizers, SgdFollowsItsRule) {
  for (const double momentum : {0.0, 0.9}) {
    for (const double decay : {0.0, 0.1}) {
      const SgdOptions options{.learning_rate = 0.02, .momentum = momentum, .weight_decay = decay};
      expect_same_steps(
          GetParam(), [&](auto list) { return std::make_unique<Sgd>(list, options); },
          plain_sgd(0.02, momentum, decay));
    }
  }
}

TEST_P(Optimizers, AdamFollowsItsRule) {
  for (const AdamOptions& options :
       {AdamOptions{.learning_rate = 0.03},
        AdamOptions{
            .learning_rate = 0.01, .beta1 = 0.7, .beta2 = 0.9, .epsilon = 1e-3, .weight_decay = 0.2}}) {
    expect_same_steps(
        GetParam(), [&](auto list) { return std::make_unique<Adam>(list, options); }, plain_adam(options));
  }
}

TEST_P(Optimizers, SgdTakesTheWeightGradientOfOneImage) {
  Rng rng(6);
  const std::int64_t outputs = 3, inputs = 37;
  Tensor w = random_tensor({outputs, inputs}, rng, 0.5, 1, GetParam()).set_requires_grad();
  std::vector<Number> plain;
  for (const double value : numbers(w)) plain.push_back({value});
  Sgd sgd({w}, {.learning_rate = 0.02, .momentum = 0.9, .weight_decay = 0.1});
  for (int t = 1; t <= kSteps; ++t) {
    sgd.zero_grad();
    const Tensor x = random_tensor({1, inputs}, rng, 0, 1, GetParam());
    const Tensor dy = random_tensor({1, outputs}, rng, 0, 1, GetParam());
    // Once one gradient that is a product, once a sum of two.
    const int images = 1 + t % 2;
    for (int i = 0; i < images; ++i) dense(x, w).backward(dy);
    sgd.step();
    std::vector<double> expected;
    for (std::size_t k = 0; k < plain.size(); ++k) {
      const double gradient = images * numbers(dy)[k / inputs] * numbers(x)[k % inputs];
      plain_sgd(0.02, 0.9, 0.1)(plain[k], gradient, t);
      expected.push_back(plain[k].value);
    }
    expect_close(w, expected, kSteps * tolerance_of(GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, Optimizers, ::testing::Values(float32, float64),
                         [](const auto& dtype) { return std::string(name(dtype.param)); });

Tensor parameter(double value) { return scalar(value, {.dtype = float64, .requires_grad = true}); }

TEST(Sgd, ParametersWithoutGradientStay) {
  Tensor used = parameter(1), unused = parameter(2);
  Sgd sgd({used, unused}, {.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.5});
  (used * 3.0).backward();
  sgd.step();
  EXPECT_EQ(used.item(), 1 - 0.5 * (3 + 0.5));
  EXPECT_EQ(unused.item(), 2);
  EXPECT_EQ(unused.version(), 0u);
}

TEST(Adam, CountsTheStepsOfEachParameter) {
  Tensor early = parameter(1), late = parameter(1);
  Adam adam({early, late}, {.learning_rate = 0.1});
  for (int step = 0; step < 3; ++step) {
    adam.zero_grad();
    (early * 2.0).backward();
    adam.step();
  }
  adam.zero_grad();
  (late * 2.0).backward();
  adam.step();
  EXPECT_NEAR(late.item(), 1 - 0.1, 1e-8) << "a first step is one learning rate long";
}

TEST(Optimizer, TheRateCanChange) {
  Tensor p = parameter(1);
  Sgd sgd({p}, {.learning_rate = 0.5});
  p.backward();
  sgd.step();
  EXPECT_EQ(sgd.learning_rate(), 0.5);
  sgd.set_learning_rate(0.25);
  sgd.step();
  EXPECT_EQ(p.item(), 0.25);
  sgd.set_learning_rate(0);
  sgd.step();
  EXPECT_EQ(p.item(), 0.25);
}

TEST(Optimizer, ZeroGradForgets) {
  Tensor p = parameter(1);
  Sgd sgd({p});
  p.backward();
  EXPECT_TRUE(p.grad().defined());
  sgd.zero_grad();
  EXPECT_FALSE(p.grad().defined());
}

TEST(Optimizer, GraphsNoticeTheUpdate) {
  Tensor p = parameter(3);
  p.set_name("p");
  const Tensor y = p * p;
  Sgd sgd({p});
  p.backward();
  sgd.step();
  expect_error<GraphError>("mul: p was changed after it was used in this graph (updates since: 1)",
                           [&] { y.backward(); });
}

TEST(Optimizer, ValuesSharedWithOthersStay) {
  Tensor p = parameter(3);
  const Tensor before = p.detach();
  Sgd sgd({p}, {.learning_rate = 1});
  p.backward();
  sgd.step();
  EXPECT_EQ(before.item(), 3);
  EXPECT_EQ(p.item(), 2);
}

TEST(Optimizer, RefusesOptionsOutOfRange) {
  const Tensor p = parameter(1);
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  const auto sgd = [&](SgdOptions options) { return [=] { Sgd({p}, options); }; };
  const auto adam = [&](AdamOptions options) { return [=] { Adam({p}, options); }; };
  expect_error<Error>("Sgd: learning_rate must be finite and not negative, it is -1",
                      sgd({.learning_rate = -1}));
  expect_error<Error>("Sgd: learning_rate must be finite and not negative, it is nan",
                      sgd({.learning_rate = nan}));
  expect_error<Error>("Sgd: momentum must be at least 0 and below 1, it is 1", sgd({.momentum = 1}));
  expect_error<Error>("Sgd: momentum must be at least 0 and below 1, it is nan", sgd({.momentum = nan}));
  expect_error<Error>("Sgd: weight_decay must be finite and not negative, it is inf",
                      sgd({.weight_decay = infinity}));
  expect_error<Error>("Adam: learning_rate must be finite and not negative, it is -1",
                      adam({.learning_rate = -1}));
  expect_error<Error>("Adam: beta1 must be at least 0 and below 1, it is -0.1", adam({.beta1 = -0.1}));
  expect_error<Error>("Adam: beta2 must be at least 0 and below 1, it is 1", adam({.beta2 = 1}));
  expect_error<Error>("Adam: epsilon must be finite and positive, it is 0", adam({.epsilon = 0}));
  expect_error<Error>("Adam: weight_decay must be finite and not negative, it is -1",
                      adam({.weight_decay = -1}));
  Sgd fine({p});
  expect_error<Error>("Sgd: learning_rate must be finite and not negative, it is inf",
                      [&] { fine.set_learning_rate(infinity); });
  EXPECT_EQ(fine.learning_rate(), 0.01);
}

TEST(Optimizer, RefusesWhatIsNoParameter) {
  const auto sgd = [](std::vector<Tensor> list) { return [=] { Sgd{list}; }; };
  Tensor p = parameter(1);
  p.set_name("w");
  expect_error<Error>("Sgd: there are no parameters", sgd({}));
  expect_error<Error>("Sgd: parameter 1 is undefined", sgd({p, Tensor()}));
  expect_error<Error>("Sgd: parameter 0 was computed by mul; only leaves can be updated", sgd({p * 2.0}));
  expect_error<Error>("Sgd: parameter 1, float32 [2,3], requires no gradient", sgd({p, zeros({2, 3})}));
  expect_error<Error>("Sgd: parameter 2 w comes twice", sgd({parameter(1), p, p}));
  const Tensor nameless = parameter(1);
  expect_error<Error>("Sgd: parameter 1 comes twice", sgd({nameless, nameless}));
}

}  // namespace
}  // namespace adjoint
