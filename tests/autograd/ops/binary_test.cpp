// Functions of two numbers as every instruction set computes them: each kind of value, each place in an
// array, each way to repeat an argument.
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
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
  std::function<T(T, T)> expected;
};

template <class T>
std::vector<Function<T>> functions() {
  return {
      {"add", add, std::plus<T>()},
      {"sub", sub, std::minus<T>()},
      {"mul", mul, std::multiplies<T>()},
      {"div", div, std::divides<T>()},
      {"pow", pow, [](T a, T b) { return std::pow(a, b); }},
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
  for (const auto& [name, op, f] : functions<T>()) {
    const Tensor y = op(a, b);
    ASSERT_EQ(y.shape(), y_shape);
    for (std::int64_t i = 0; i < y_shape.numel(); ++i) {
      const T p = as[source_of(i, y_shape, a_shape)], q = bs[source_of(i, y_shape, b_shape)];
      ASSERT_TRUE(same(y.data<T>()[i], f(p, q)))
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
