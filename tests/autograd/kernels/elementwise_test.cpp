#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <vector>

#include "autograd/kernels/elementwise/broadcast.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive/broadcast.h"
#include "tests/support/numbers_of_every_kind.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;
using Sizes = std::vector<std::int64_t>;

template <class T>
struct BinaryCase {
  const char* name;
  std::function<void(std::int64_t, const T*, const T*, T*)> kernel;
  std::function<T(T, T)> expected;
};

template <class T>
std::vector<BinaryCase<T>> binary_cases() {
  void (*flat[])(std::int64_t, const T*, const T*, T*) = {add<T>, sub<T>, mul<T>, div<T>, pow<T>, equal<T>};
  return {
      {"add", flat[0], std::plus<T>()},
      {"sub", flat[1], std::minus<T>()},
      {"mul", flat[2], std::multiplies<T>()},
      {"div", flat[3], std::divides<T>()},
      {"pow", flat[4], [](T a, T b) { return std::pow(a, b); }},
      {"equal", flat[5], [](T a, T b) { return T(a == b); }},
  };
}

template <class T>
class Elementwise : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Elementwise, Types);

TYPED_TEST(Elementwise, BinaryFunctionsAgreeWithPlainLoops) {
  using T = TypeParam;
  for_each_instruction_set([&] {
    for (const std::int64_t n : Sizes{0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 1000}) {
      const auto a = numbers_of_every_kind<T>(n, 3), b = numbers_of_every_kind<T>(n, 4);
      for (const auto& binary : binary_cases<T>()) {
        std::vector<T> y(n), in_place = b;
        binary.kernel(n, a.data(), b.data(), y.data());
        binary.kernel(n, a.data(), in_place.data(), in_place.data());
        for (std::int64_t i = 0; i < n; ++i) {
          const T expected = binary.expected(a[i], b[i]);
          ASSERT_TRUE(same(y[i], expected))
              << binary.name << "(" << a[i] << ", " << b[i] << ") = " << y[i] << ", not " << expected;
          ASSERT_TRUE(same(in_place[i], y[i])) << binary.name;
        }
      }
    }
  });
}

TEST(ElementwiseInt64, PlainArithmetic) {
  const std::int64_t a[] = {1, -2, INT64_MAX / 2}, b[] = {5, -2, 2};
  std::int64_t y[3];
  add(3, a, b, y);
  EXPECT_EQ(y[2], INT64_MAX / 2 + 2);
  sub(3, a, b, y);
  EXPECT_EQ(y[0], -4);
  mul(3, a, b, y);
  EXPECT_EQ(y[1], 4);
  equal(3, a, b, y);
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 1);
}

TEST(ElementwiseInt64, WrapsAround) {
  constexpr std::int64_t kMax = INT64_MAX, kMin = INT64_MIN;
  const std::int64_t a[] = {kMax, kMin, kMax, kMin, 5}, b[] = {1, -1, kMax, kMin, kMin};
  std::vector<std::int64_t> y(5);
  add(5, a, b, y.data());
  EXPECT_EQ(y, (std::vector<std::int64_t>{kMin, kMax, -2, 0, kMin + 5}));
  sub(5, a, b, y.data());
  EXPECT_EQ(y, (std::vector<std::int64_t>{kMax - 1, kMin + 1, 0, 0, kMin + 5}));
  mul(5, a, b, y.data());
  EXPECT_EQ(y, (std::vector<std::int64_t>{kMax, kMin, 1, 0, kMin}));
  add(Shape{1}, a, Shape{5}, b, Shape{5}, y.data());
  EXPECT_EQ(y, (std::vector<std::int64_t>{kMin, kMax - 1, -2, -1, -1}));
}

template <class T>
void check_broadcasting(const Shape& whole, const Shape& a_shape, const Shape& b_shape) {
  const auto a = numbers_of_every_kind<T>(a_shape.numel(), 6),
             b = numbers_of_every_kind<T>(b_shape.numel(), 7);
  std::vector<T> y(whole.numel());
  const auto check_op = [&](const char* name, auto kernel, auto expected) {
    kernel(a_shape, a.data(), b_shape, b.data(), whole, y.data());
    for (std::int64_t i = 0; i < whole.numel(); ++i) {
      const T value = expected(a[source_of(i, whole, a_shape)], b[source_of(i, whole, b_shape)]);
      if (!same(y[i], value)) FAIL() << name << ": " << y[i] << ", not " << value << " at " << i;
    }
  };
  check_op(
      "add", [](auto&&... x) { add(x...); }, std::plus<T>());
  check_op(
      "sub", [](auto&&... x) { sub(x...); }, std::minus<T>());
  check_op(
      "mul", [](auto&&... x) { mul(x...); }, std::multiplies<T>());
  check_op(
      "div", [](auto&&... x) { div(x...); }, std::divides<T>());
  check_op(
      "pow", [](auto&&... x) { pow(x...); }, [](T p, T q) { return std::pow(p, q); });
  check_op(
      "equal", [](auto&&... x) { equal(x...); }, [](T p, T q) { return T(p == q); });

  broadcast_to(a_shape, a.data(), whole, y.data());
  for (std::int64_t i = 0; i < whole.numel(); ++i)
    ASSERT_TRUE(same(y[i], a[source_of(i, whole, a_shape)])) << i;
}

RC_GTEST_PROP(Broadcast, AgreesWithIndexArithmetic, ()) {
  const Shape whole = random_shape(4), a = random_part(whole), b = random_part(whole);
  RC_LOG() << to_string(whole) << " " << to_string(a) << " " << to_string(b);
  for_each_instruction_set([&] {
    check_broadcasting<float>(common_shape(a, b), a, b);
    check_broadcasting<double>(common_shape(a, b), a, b);
  });
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(Broadcast, LongRowsAndManyBlocksWithThreads) {
  for (const int number : {1, 2, 3}) {
    const WithThreads threads(number);
    check_broadcasting<float>({3, 40'000}, {3, 1}, {40'000});
    check_broadcasting<float>({20'000, 5}, {5}, {20'000, 1});
    check_broadcasting<float>({70, 2, 3, 500}, {2, 1, 500}, {70, 1, 3, 1});
    check_broadcasting<double>({70'001}, {}, {70'001});
  }
}

TEST(Broadcast, RepeatsAScalarOverAWholeShape) {
  const std::int64_t x = 7;
  std::vector<std::int64_t> y(6);
  broadcast_to({}, &x, {2, 3}, y.data());
  EXPECT_EQ(y, std::vector<std::int64_t>(6, 7));
}

}  // namespace
}  // namespace adjoint::kernels
