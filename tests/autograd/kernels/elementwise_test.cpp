#include "autograd/kernels/elementwise/elementwise.h"

#include <bit>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <rapidcheck/gtest.h>
#include <vector>

#include "autograd/kernels/elementwise/broadcast.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive_broadcast.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"

namespace adjoint::kernels {
namespace {

using namespace support;
using Sizes = std::vector<std::int64_t>;

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Equal in every bit, or both NaN.
template <class T>
bool same(T a, T b) {
  return std::bit_cast<Bits<T>>(a) == std::bit_cast<Bits<T>>(b) || (std::isnan(a) && std::isnan(b));
}

template <class T>
bool close(T value, long double expected) {
  if (std::isnan(expected)) return std::isnan(value);
  const T rounded = static_cast<T>(expected);
  if (std::isinf(rounded) || std::isinf(value)) return value == rounded;
  const long double tolerance = sizeof(T) == 4 ? 3e-6L : 1e-13L;
  return std::abs(value - expected) <=
         tolerance * std::abs(expected) + static_cast<long double>(std::numeric_limits<T>::min());
}

/// Ordinary, tiny, huge and special values, n of them.
template <class T>
std::vector<T> values(std::int64_t n, unsigned seed) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> special = {0,
                                  T(-0.0),
                                  1,
                                  -1,
                                  1000,
                                  -1000,
                                  T(1e-3),
                                  T(-1e-3),
                                  Limits::infinity(),
                                  -Limits::infinity(),
                                  Limits::quiet_NaN(),
                                  Limits::max(),
                                  Limits::lowest(),
                                  Limits::min(),
                                  Limits::denorm_min(),
                                  T(88.72),
                                  T(-87.4),
                                  T(709.7),
                                  T(-708.3),
                                  T(1e-10),
                                  T(1.0001)};
  Rng rng(seed);
  std::vector<T> result(static_cast<std::size_t>(n));
  for (T& value : result) {
    const auto kind = rng.below(4);
    value = kind == 0   ? special[rng.below(std::ssize(special))]
            : kind == 1 ? static_cast<T>(std::copysign(std::exp(60 * rng.uniform() - 30), rng.normal()))
                        : static_cast<T>(3 * rng.normal());
  }
  return result;
}

template <class T>
struct UnaryCase {
  const char* name;
  std::function<void(std::int64_t, const T*, T*)> kernel;
  std::function<long double(long double)> expected;
};

template <class T>
std::vector<UnaryCase<T>> unary_cases() {
  using L = long double;
  return {
      {"exp", exp<T>, [](L x) { return std::exp(x); }},
      {"log", log<T>, [](L x) { return std::log(x); }},
      {"sqrt", sqrt<T>, [](L x) { return std::sqrt(x); }},
      {"square", square<T>, [](L x) { return x * x; }},
      {"reciprocal", reciprocal<T>, [](L x) { return 1 / x; }},
      {"abs", abs<T>, [](L x) { return std::abs(x); }},
      {"neg", neg<T>, [](L x) { return -x; }},
      {"tanh", tanh<T>, [](L x) { return std::tanh(x); }},
      {"sigmoid", sigmoid<T>, [](L x) { return 1 / (1 + std::exp(-x)); }},
      {"relu", relu<T>, [](L x) { return x < 0 ? 0 : x; }},
      {"softplus", softplus<T>, [](L x) { return x > 100 ? x : std::log1p(std::exp(x)); }},
      {"leaky_relu", [](std::int64_t n, const T* x, T* y) { leaky_relu(n, T(0.25), x, y); },
       [](L x) { return x > 0 ? x : x / 4; }},
      {"pow 2", [](std::int64_t n, const T* x, T* y) { pow_scalar(n, T(2), x, y); },
       [](L x) { return x * x; }},
      {"pow -1", [](std::int64_t n, const T* x, T* y) { pow_scalar(n, T(-1), x, y); },
       [](L x) { return 1 / x; }},
      {"pow 2.5", [](std::int64_t n, const T* x, T* y) { pow_scalar(n, T(2.5), x, y); },
       [](L x) { return std::pow(x, 2.5L); }},
      {"pow 0", [](std::int64_t n, const T* x, T* y) { pow_scalar(n, T(0), x, y); }, [](L) { return 1.0L; }},
  };
}

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
      {"abs_grad", abs_grad<T>, [](T dy, T x) { return x == 0  ? 0
                                                       : x < 0 ? -dy
                                                               : dy; }},
      {"relu_grad", relu_grad<T>, [](T dy, T y) { return y <= 0 ? 0 : dy; }},
      {"leaky_relu_grad",
       [](std::int64_t n, const T* dy, const T* x, T* dx) { leaky_relu_grad(n, T(0.1), dy, x, dx); },
       [](T dy, T x) { return x <= 0 ? T(0.1) * dy : dy; }},
  };
}

template <class T>
class Elementwise : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Elementwise, Types);

TYPED_TEST(Elementwise, UnaryFunctionsAgreeWithCmathAtEveryKindOfValue) {
  using T = TypeParam;
  const auto x = values<T>(3000, 1);
  for_each_instruction_set([&] {
    for (const auto& unary : unary_cases<T>()) {
      std::vector<T> y(x.size());
      unary.kernel(std::ssize(x), x.data(), y.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_TRUE(close(y[i], unary.expected(x[i])))
            << unary.name << "(" << x[i] << ") = " << y[i] << ", not " << unary.expected(x[i]);
      }
    }
  });
}

TYPED_TEST(Elementwise, SpecialValues) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  const auto at = [](void (*f)(std::int64_t, const T*, T*), T x) {
    f(1, &x, &x);
    return x;
  };
  for_each_instruction_set([&] {
    EXPECT_EQ(at(exp<T>, 1000), infinity);
    EXPECT_EQ(at(exp<T>, T(1e30)), infinity);
    EXPECT_EQ(at(exp<T>, -1000), 0);
    EXPECT_EQ(at(exp<T>, -infinity), 0);
    EXPECT_EQ(at(exp<T>, 0), 1);
    EXPECT_EQ(at(log<T>, 0), -infinity);
    EXPECT_EQ(at(log<T>, T(-0.0)), -infinity);
    EXPECT_EQ(at(log<T>, 1), 0);
    EXPECT_TRUE(std::isnan(at(log<T>, -1)));
    EXPECT_TRUE(std::isnan(at(log<T>, -infinity)));
    EXPECT_EQ(at(sigmoid<T>, -1000), 0);
    EXPECT_EQ(at(sigmoid<T>, 1000), 1);
    EXPECT_EQ(at(softplus<T>, 1000), 1000);
    EXPECT_EQ(at(softplus<T>, -1000), 0);
    EXPECT_EQ(at(tanh<T>, 1000), 1);
    EXPECT_EQ(at(tanh<T>, -infinity), -1);
    EXPECT_EQ(at(relu<T>, -1), 0);
    for (const auto f : {exp<T>, log<T>, tanh<T>, sigmoid<T>, relu<T>, softplus<T>, sqrt<T>, square<T>}) {
      EXPECT_TRUE(std::isnan(at(f, std::numeric_limits<T>::quiet_NaN())));
    }
  });
}

// Tails must go through the same arithmetic as the middle, in place or not, and must not write past the end.
TYPED_TEST(Elementwise, AnElementsResultDependsOnNothingButItsValue) {
  using T = TypeParam;
  const auto x = values<T>(70, 2);
  for_each_instruction_set([&] {
    for (const auto& unary : unary_cases<T>()) {
      for (std::int64_t n = 0; n < 40; ++n) {
        std::vector<T> in_place(x.begin(), x.begin() + n + 1), y(x.begin(), x.begin() + n + 1);
        unary.kernel(n, in_place.data(), in_place.data());
        unary.kernel(n, x.data(), y.data());
        for (std::int64_t i = 0; i < n; ++i) {
          T alone;
          unary.kernel(1, &x[i], &alone);
          ASSERT_TRUE(same(y[i], alone) && same(in_place[i], alone)) << unary.name << " " << i << " of " << n;
        }
        ASSERT_TRUE(same(y[n], x[n]) && same(in_place[n], x[n]))
            << unary.name << " wrote past the end of " << n;
      }
    }
  });
}

TYPED_TEST(Elementwise, BinaryFunctionsAgreeWithPlainLoops) {
  using T = TypeParam;
  for_each_instruction_set([&] {
    for (const std::int64_t n : Sizes{0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 1000}) {
      const auto a = values<T>(n, 3), b = values<T>(n, 4);
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

// The processor's own arithmetic is the rule: every result is rounded once, and 0 is not -0.
TYPED_TEST(Elementwise, ArithmeticWithANumberIsThatOfIeee754) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  const auto x = values<T>(1000, 8);
  for_each_instruction_set([&] {
    for (const T s : {T(49), T(-3), T(0.1), T(0), T(-0.0), Limits::denorm_min(), Limits::min() / 2,
                      Limits::max(), Limits::infinity(), Limits::quiet_NaN()}) {
      const auto expect = [&](const char* name, auto kernel, auto expected) {
        std::vector<T> y(x.size());
        kernel(std::ssize(x), s, x.data(), y.data());
        for (std::size_t i = 0; i < x.size(); ++i) {
          ASSERT_TRUE(same(y[i], expected(x[i], s)))
              << name << " of " << x[i] << " and " << s << " is " << y[i] << ", not " << expected(x[i], s);
        }
      };
      expect("sum", add_scalar<T>, std::plus<T>());
      expect("product", mul_scalar<T>, std::multiplies<T>());
      expect("quotient", div_scalar<T>, std::divides<T>());
    }
    const auto negated = [&](T number) {
      neg(1, &number, &number);
      return number;
    };
    EXPECT_TRUE(same(negated(T(0)), T(-0.0)));
    EXPECT_TRUE(same(negated(T(-0.0)), T(0)));
  });
}

TYPED_TEST(Elementwise, GradientsAgreeWithTheirFormulas) {
  using T = TypeParam;
  for_each_instruction_set([&] {
    for (const std::int64_t n : Sizes{1, 5, 16, 37}) {
      std::vector<T> dy(n), y(n), dx(n);
      for (std::int64_t i = 0; i < n; ++i) {
        dy[i] = T(i) - 3;
        y[i] = T(i + 1) / T(n + 2);
      }
      const auto expect = [&](auto formula) {
        for (std::int64_t i = 0; i < n; ++i)
          ASSERT_TRUE(close(dx[i], formula(dy[i], y[i]))) << i << " of " << n;
      };
      tanh_grad(n, dy.data(), y.data(), dx.data());
      expect([](long double g, long double v) { return g * (1 - v * v); });
      sigmoid_grad(n, dy.data(), y.data(), dx.data());
      expect([](long double g, long double v) { return g * v * (1 - v); });
      softplus_grad(n, dy.data(), y.data(), dx.data());
      expect([](long double g, long double v) { return g / (1 + std::exp(-v)); });
      dx = y;
      add_scaled(n, T(0.5), dy.data(), dx.data());
      expect([](long double g, long double v) { return v + g / 2; });
    }
  });
}

TYPED_TEST(Elementwise, LongArraysAreTheSameForAnyThreadCount) {
  using T = TypeParam;
  const auto x = values<T>(100'003, 5);
  for (const auto& unary : unary_cases<T>()) {
    SCOPED_TRACE(unary.name);
    expect_same_bits_for_any_number_of_threads([&] {
      std::vector<T> y(x.size());
      unary.kernel(std::ssize(x), x.data(), y.data());
      return y;
    });
  }
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
  neg(3, a, y);
  EXPECT_EQ(y[1], 2);
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
  neg(5, a, y.data());
  EXPECT_EQ(y, (std::vector<std::int64_t>{-kMax, kMin, -kMax, kMin, -5}));
  add(Shape{1}, a, Shape{5}, b, Shape{5}, y.data());
  EXPECT_EQ(y, (std::vector<std::int64_t>{kMin, kMax - 1, -2, -1, -1}));
}

template <class T>
void check_broadcasting(const Shape& whole, const Shape& a_shape, const Shape& b_shape) {
  const auto a = values<T>(a_shape.numel(), 6), b = values<T>(b_shape.numel(), 7);
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
