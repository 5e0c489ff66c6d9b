// Updates against the same recurrences in plain doubles, and updates by an outer product against updates by
// its elements.

#include "autograd/kernels/optim/optimizer_step.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "tests/support/expect_near.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;

template <class T>
class OptimizerStep : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(OptimizerStep, Types);

TYPED_TEST(OptimizerStep, SgdFollowsItsRecurrence) {
  using T = TypeParam;
  for_each_instruction_set([&] {
    for (const double momentum : {0.0, 0.9}) {
      const std::int64_t n = 37;
      std::vector<T> param(n, T(1)), velocity(n, T(0));
      std::vector<double> p(n, 1.0), v(n, 0.0);
      for (int step = 0; step < 3; ++step) {
        std::vector<T> grad(n);
        for (std::int64_t i = 0; i < n; ++i) {
          grad[i] = T(i - 10) / 8 + T(step);
          v[i] = momentum * v[i] + grad[i] + 0.01 * p[i];
          p[i] -= 0.1 * v[i];
        }
        sgd_step(n, {.learning_rate = 0.1, .momentum = momentum, .weight_decay = 0.01}, grad.data(),
                 momentum == 0 ? nullptr : velocity.data(), param.data());
      }
      expect_near(param, p, sizeof(T) == 4 ? 1e-5 : 1e-13);
    }
  });
}

TYPED_TEST(OptimizerStep, AdamFollowsItsRecurrence) {
  using T = TypeParam;
  for_each_instruction_set([&] {
    const std::int64_t n = 37;
    std::vector<T> param(n, T(1)), mean(n, T(0)), square(n, T(0));
    std::vector<double> p(n, 1.0), m(n, 0.0), v(n, 0.0);
    for (int step = 1; step <= 3; ++step) {
      const double correction1 = 1 - std::pow(0.9, step), correction2 = 1 - std::pow(0.99, step);
      std::vector<T> grad(n);
      for (std::int64_t i = 0; i < n; ++i) {
        grad[i] = T(i - 10) / 8 + T(step);
        const double g = grad[i] + 0.01 * p[i];
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.99 * v[i] + 0.01 * g * g;
        p[i] -= 0.1 * (m[i] / correction1) / (std::sqrt(v[i] / correction2) + 1e-3);
      }
      adam_step(n,
                {.learning_rate = 0.1,
                 .beta1 = 0.9,
                 .beta2 = 0.99,
                 .epsilon = 1e-3,
                 .weight_decay = 0.01,
                 .bias_correction1 = correction1,
                 .bias_correction2 = correction2},
                grad.data(), mean.data(), square.data(), param.data());
    }
    expect_near(param, p, sizeof(T) == 4 ? 1e-4 : 1e-13);
  });
}

/// Two steps of each kind on a [rows, columns] matrix, expected to give the same bits.
template <class T>
void expect_outer_is_plain(std::int64_t rows, std::int64_t columns, const SgdStep& step) {
  const std::int64_t n = rows * columns;
  std::vector<T> param = random_values<T>(n, 1), velocity = random_values<T>(n, 2), grad(n);
  std::vector<T> outer_param = param, outer_velocity = velocity;
  for (unsigned seed = 3; seed < 5; ++seed) {
    const auto a = random_values<T>(rows, seed), b = random_values<T>(columns, 10 * seed);
    for (std::int64_t i = 0; i < n; ++i) grad[i] = a[i / columns] * b[i % columns];
    const bool moving = step.momentum != 0;
    sgd_step(n, step, grad.data(), moving ? velocity.data() : nullptr, param.data());
    sgd_step_outer(rows, columns, step, a.data(), b.data(), moving ? outer_velocity.data() : nullptr,
                   outer_param.data());
    ASSERT_EQ(outer_param, param) << rows << " x " << columns;
    ASSERT_EQ(outer_velocity, velocity) << rows << " x " << columns;
  }
}

TYPED_TEST(OptimizerStep, SgdOfAnOuterProductIsThatOfItsElements) {
  for_each_instruction_set([] {
    for (const double momentum : {0.0, 0.9})
      for (const double decay : {0.0, 0.01})
        for (const std::int64_t rows : {0, 1, 3, 10})
          for (const std::int64_t columns : {0, 1, 7, 16, 33, 84, 120})
            expect_outer_is_plain<TypeParam>(
                rows, columns, {.learning_rate = 0.1, .momentum = momentum, .weight_decay = decay});
  });
}

TYPED_TEST(OptimizerStep, ThreadsShareOuterProductsWithoutChangingThem) {
  for (const auto& [rows, columns] : {std::pair{501, 733}, std::pair{2, 200'003}, std::pair{200'003, 2}}) {
    for (const int number : {1, 2, 3}) {
      const WithThreads threads(number);
      expect_outer_is_plain<TypeParam>(rows, columns, {.learning_rate = 0.1, .momentum = 0.5});
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels
