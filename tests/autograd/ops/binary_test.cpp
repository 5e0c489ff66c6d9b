// Functions of two numbers as every instruction set computes them: each kind of value, each place in an
// array, each way to repeat an argument.
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <rapidcheck/gtest.h>
#include <vector>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive/broadcast.h"
#include "tests/support/numbers_of_every_kind.h"
#include "tests/support/threads.h"

namespace adjoint {
namespace {

using namespace support;

template <class T>
struct Function {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&);
  std::function<long double(T, T)> expected;
  int units = 0;  ///< In the last place, by which the result may differ.
};

template <class T>
bool within(int units, T y, long double expected) {
  const T rounded = static_cast<T>(expected);
  if (units == 0 || std::isnan(rounded) || std::isinf(rounded) || y == 0) return same(y, rounded);
  const T unit = std::nextafter(std::abs(rounded), std::numeric_limits<T>::infinity()) - std::abs(rounded);
  return std::abs(y - expected) <= units * static_cast<long double>(unit);
}

// Of two zeros, any is the larger one.
template <class T>
T larger(T a, T b) {
  return std::isnan(a) || std::isnan(b) ? std::numeric_limits<T>::quiet_NaN() : a < b ? b : a;
}

template <class T>
std::vector<Function<T>> functions() {
  return {
      {"add", add, std::plus<T>()},
      {"sub", sub, std::minus<T>()},
      {"mul", mul, std::multiplies<T>()},
      {"div", div, std::divides<T>()},
      {"pow", pow, [](long double a, long double b) { return std::pow(a, b); }, 1},
      {"atan2", atan2, [](long double a, long double b) { return std::atan2(a, b); }, 2},
      {"hypot", hypot, [](long double a, long double b) { return std::hypot(a, b); }, 1},
      {"fmod", fmod, [](T a, T b) { return std::fmod(a, b); }},
      {"remainder", remainder,
       [](T a, T b) {
         const T r = std::fmod(a, b);
         return r != 0 && (r < 0) != (b < 0) ? r + b : r;
       }},
      {"maximum", maximum, larger<T>},
      {"minimum", minimum, [](T a, T b) { return -larger<T>(-a, -b); }},
  };
}

template <class T>
Tensor tensor_of_every_kind(const Shape& shape, unsigned seed) {
  return from_data<T>(numbers_of_every_kind<T>(shape.numel(), seed), shape);
}

template <class T>
void check_functions(const Shape& a_shape, const Shape& b_shape) {
  const Shape y_shape = common_shape(a_shape, b_shape);
  const Tensor a = tensor_of_every_kind<T>(a_shape, 3), b = tensor_of_every_kind<T>(b_shape, 4);
  const auto as = a.data<T>(), bs = b.data<T>();
  for (const auto& [name, op, f, units] : functions<T>()) {
    const Tensor y = op(a, b);
    ASSERT_EQ(y.shape(), y_shape);
    for (std::int64_t i = 0; i < y_shape.numel(); ++i) {
      const T p = as[source_of(i, y_shape, a_shape)], q = bs[source_of(i, y_shape, b_shape)];
      ASSERT_TRUE(within(units, y.data<T>()[i], f(p, q)))
          << name << "(" << p << ", " << q << ") = " << y.data<T>()[i] << ", not " << f(p, q);
    }
  }
}

template <class T>
void check_repeats(const Shape& x_shape, const Shape& y_shape) {
  const Tensor x = tensor_of_every_kind<T>(x_shape, 6), y = broadcast_to(x, y_shape);
  for (std::int64_t i = 0; i < y_shape.numel(); ++i)
    ASSERT_TRUE(same(y.data<T>()[i], x.data<T>()[source_of(i, y_shape, x_shape)])) << i;
}

TEST(Binary, EveryInstructionSetAgreesWithPlainLoops) {
  for_each_instruction_set([&] {
    for (const std::int64_t n : {0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 1000}) {
      check_functions<float>({n}, {n});
      check_functions<double>({n}, {n});
    }
  });
}

RC_GTEST_PROP(Binary, RepeatsArgumentsLikeIndexArithmetic, ()) {
  const Shape whole = random_shape(4), a = random_part(whole), b = random_part(whole);
  RC_LOG() << to_string(whole) << " " << to_string(a) << " " << to_string(b);
  for_each_instruction_set([&] {
    check_functions<float>(a, b);
    check_functions<double>(a, b);
  });
  check_repeats<float>(a, whole);
  check_repeats<double>(a, whole);
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Binary, LongRowsAndManyBlocksWithThreads) {
  for (const int number : {1, 2, 3}) {
    const WithThreads threads(number);
    check_functions<float>({3, 1}, {40'000});
    check_functions<float>({5}, {20'000, 1});
    check_functions<float>({2, 1, 500}, {70, 1, 3, 1});
    check_functions<double>({}, {70'001});
    check_repeats<float>({70, 1, 3, 1}, {70, 2, 3, 500});
  }
}

TEST(Binary, RepeatsAWholeNumberOverAWholeShape) {
  const Tensor y = broadcast_to(full({}, 7, {.dtype = int64}), {2, 3});
  for (const std::int64_t value : y.data<std::int64_t>()) EXPECT_EQ(value, 7);
}

}  // namespace
}  // namespace adjoint
