// Functions of one number as every instruction set computes them: each kind of value, each place in an array.
#include <cmath>
#include <functional>
#include <gtest/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/activation.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/tensor/create.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/numbers_of_every_kind.h"
#include "tests/support/threads.h"

namespace adjoint {
namespace {

using namespace support;
using L = long double;

template <class T>
bool close(T value, L expected, L factor = 1) {
  if (std::isnan(expected)) return std::isnan(value);
  const T rounded = static_cast<T>(expected);
  if (std::isinf(rounded) || std::isinf(value)) return value == rounded;
  const L tolerance = factor * (sizeof(T) == 4 ? 3e-6L : 1e-13L);
  return std::abs(value - expected) <=
         tolerance * std::abs(expected) + static_cast<L>(std::numeric_limits<T>::min());
}

using Op = std::function<Tensor(Tensor)>;

struct Case {
  const char* name;
  Op op;
  std::function<L(L)> expected;
  L tolerance = 1;  ///< Times that of close().
};

L gelu_of(L x) { return x < -50 ? 0 : x * std::erfc(-x / std::sqrt(2.0L)) / 2; }
L gelu_tanh_of(L x) {
  return x < -50
             ? 0
             : x / (1 + std::exp(-2 * std::sqrt(2 / 3.14159265358979323846L) * (x + 0.044715L * x * x * x)));
}
L mish_of(L x) { return x < -5000 ? 0 : x > 100 ? x : x * std::tanh(std::log1p(std::exp(x))); }
L clamped(L x, L low, L high) { return x < low ? low : x > high ? high : x; }

const Case kCases[] = {
    {"exp", exp, [](L x) { return std::exp(x); }},
    {"log", log, [](L x) { return std::log(x); }},
    {"sqrt", sqrt, [](L x) { return std::sqrt(x); }},
    {"square", square, [](L x) { return x * x; }},
    {"abs", abs, [](L x) { return std::abs(x); }},
    {"neg", neg, [](L x) { return -x; }},
    {"tanh", tanh, [](L x) { return std::tanh(x); }},
    {"sigmoid", sigmoid, [](L x) { return 1 / (1 + std::exp(-x)); }},
    {"relu", relu, [](L x) { return x < 0 ? 0 : x; }},
    {"softplus", [](Tensor x) { return softplus(std::move(x)); },
     [](L x) { return x > 100 ? x : std::log1p(std::exp(x)); }},
    {"silu", silu, [](L x) { return x / (1 + std::exp(-x)); }},
    {"leaky_relu", [](Tensor x) { return leaky_relu(std::move(x), {.slope = 0.25}); },
     [](L x) { return x > 0 ? x : x / 4; }},
    {"exp2", exp2, [](L x) { return std::exp2(x); }},
    {"expm1", expm1, [](L x) { return std::expm1(x); }},
    {"log2", log2, [](L x) { return std::log2(x); }},
    {"log10", log10, [](L x) { return std::log10(x); }},
    {"log1p", log1p, [](L x) { return std::log1p(x); }},
    {"rsqrt", rsqrt, [](L x) { return 1 / std::sqrt(x); }},
    {"reciprocal", reciprocal, [](L x) { return 1 / x; }},
    {"erf", erf, [](L x) { return std::erf(x); }},
    {"erfc", erfc, [](L x) { return std::erfc(x); }},
    {"sin", sin, [](L x) { return std::sin(x); }},
    {"cos", cos, [](L x) { return std::cos(x); }},
    {"tan", tan, [](L x) { return std::tan(x); }},
    {"asin", asin, [](L x) { return std::asin(x); }},
    {"acos", acos, [](L x) { return std::acos(x); }},
    {"atan", atan, [](L x) { return std::atan(x); }},
    {"sinh", sinh, [](L x) { return std::sinh(x); }},
    {"cosh", cosh, [](L x) { return std::cosh(x); }},
    {"asinh", asinh, [](L x) { return std::asinh(x); }},
    {"acosh", acosh, [](L x) { return std::acosh(x); }},
    {"atanh", atanh, [](L x) { return std::atanh(x); }},
    {"sign", sign, [](L x) { return x > 0   ? 1
                                    : x < 0 ? -1
                                            : x * 0; }},
    {"floor", floor, [](L x) { return std::floor(x); }},
    {"ceil", ceil, [](L x) { return std::ceil(x); }},
    {"round", round, [](L x) { return std::rint(x); }},
    {"trunc", trunc, [](L x) { return std::trunc(x); }},
    {"clamp", [](Tensor x) { return clamp(std::move(x), {.min = -0.5, .max = 1.25}); },
     [](L x) { return clamped(x, -0.5L, 1.25L); }},
    {"log_sigmoid", log_sigmoid, [](L x) { return x < -100 ? x : -std::log1p(std::exp(-x)); }},
    {"softsign", softsign, [](L x) { return std::isinf(x) ? std::copysign(1, x) : x / (1 + std::abs(x)); }},
    {"mish", mish, mish_of},
    {"gelu", [](Tensor x) { return gelu(std::move(x)); }, gelu_of, 20},  // e^(-x^2 / 2) magnifies roundings.
    {"gelu tanh", [](Tensor x) { return gelu(std::move(x), {.tanh = true}); }, gelu_tanh_of, 20},
    {"elu", [](Tensor x) { return elu(std::move(x), {.alpha = 0.5}); },
     [](L x) { return x > 0 ? x : std::expm1(x) / 2; }},
    {"celu", [](Tensor x) { return celu(std::move(x), {.alpha = 0.5}); },
     [](L x) { return x > 0 ? x : std::expm1(x * 2) / 2; }},
    {"relu6", relu6, [](L x) { return clamped(x, 0, 6); }},
    {"hardtanh", [](Tensor x) { return hardtanh(std::move(x)); }, [](L x) { return clamped(x, -1, 1); }},
    {"hardsigmoid", hardsigmoid, [](L x) { return clamped(x + 3, 0, 6) / 6; }},
    {"hardswish", hardswish, [](L x) { return x < -3 ? 0 : x * (clamped(x + 3, 0, 6) / 6); }},
    {"threshold", [](Tensor x) { return threshold(std::move(x), {.threshold = 0.5, .value = 7}); },
     [](L x) { return x <= 0.5L ? 7 : x; }},
    {"pow 2", [](Tensor x) { return pow(x, 2); }, [](L x) { return x * x; }},
    {"pow -1", [](Tensor x) { return pow(x, -1); }, [](L x) { return 1 / x; }},
    {"pow 2.5", [](Tensor x) { return pow(x, 2.5); }, [](L x) { return std::pow(x, 2.5L); }},
    {"pow 0", [](Tensor x) { return pow(x, 0); }, [](L) { return 1.0L; }},
};

/// The first n of these numbers.
template <class T>
Tensor tensor_of(const std::vector<T>& numbers, std::size_t n) {
  return from_data(std::span<const T>(numbers.data(), n), {static_cast<std::int64_t>(n)});
}

template <class T>
class Unary : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Unary, Types);

TYPED_TEST(Unary, AgreesWithCmathAtEveryKindOfValue) {
  using T = TypeParam;
  const auto x = numbers_of_every_kind<T>(3000, 1);
  for_each_instruction_set([&] {
    for (const Case& c : kCases) {
      const Tensor y = c.op(tensor_of(x, x.size()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const T value = y.template data<T>()[i];
        ASSERT_TRUE(close(value, c.expected(x[i]), c.tolerance))
            << c.name << "(" << x[i] << ") = " << value << ", not " << c.expected(x[i]);
      }
    }
  });
}

TYPED_TEST(Unary, SpecialValues) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  const auto at = [](const Op& op, T x) { return static_cast<T>(op(tensor_of<T>({x}, 1)).item()); };
  for_each_instruction_set([&] {
    EXPECT_EQ(at(exp, 1000), infinity);
    EXPECT_EQ(at(exp, T(1e30)), infinity);
    EXPECT_EQ(at(exp, -1000), 0);
    EXPECT_EQ(at(exp, -infinity), 0);
    EXPECT_EQ(at(exp, 0), 1);
    EXPECT_EQ(at(log, 0), -infinity);
    EXPECT_EQ(at(log, T(-0.0)), -infinity);
    EXPECT_EQ(at(log, 1), 0);
    EXPECT_TRUE(std::isnan(at(log, -1)));
    EXPECT_TRUE(std::isnan(at(log, -infinity)));
    EXPECT_EQ(at(sigmoid, -1000), 0);
    EXPECT_EQ(at(sigmoid, 1000), 1);
    EXPECT_EQ(at(tanh, 1000), 1);
    EXPECT_EQ(at(tanh, -infinity), -1);
    EXPECT_EQ(at(relu, -1), 0);
    EXPECT_TRUE(same(at(neg, 0), T(-0.0)));
    EXPECT_TRUE(same(at(neg, T(-0.0)), T(0)));
    // Odd functions keep the sign of 0; sign itself does not.
    for (const Op& op : {Op(sin), Op(tan), Op(asin), Op(atan), Op(sinh), Op(asinh), Op(atanh), Op(erf),
                         Op(expm1), Op(log1p), Op(floor), Op(ceil), Op(round), Op(trunc), Op(tanh)}) {
      EXPECT_TRUE(same(at(op, T(-0.0)), T(-0.0)));
      EXPECT_TRUE(same(at(op, T(0)), T(0)));
    }
    EXPECT_TRUE(same(at(sign, T(-0.0)), T(0)));
    const std::pair<T, T> halves[] = {{T(0.5), 0},        {T(1.5), 2},   {T(2.5), 2},
                                      {T(-0.5), T(-0.0)}, {T(-1.5), -2}, {T(-2.5), -2}};
    for (const auto& [x, even] : halves) EXPECT_TRUE(same(at(round, x), even)) << x;
    EXPECT_TRUE(same(at(trunc, T(-0.5)), T(-0.0)));
    EXPECT_TRUE(same(at(reciprocal, T(-0.0)), -infinity));
    EXPECT_EQ(at(rsqrt, infinity), 0);
    EXPECT_NEAR(at(sin, T(1 << 22)), std::sin(L(1 << 22)), 1e-6);
    for (const Case& c : kCases) {
      if (std::string(c.name) == "pow 0") continue;
      EXPECT_TRUE(std::isnan(at(c.op, std::numeric_limits<T>::quiet_NaN()))) << c.name;
    }
  });
}

// Tails go through the same arithmetic as the middle, whether the result takes the argument's memory or not.
TYPED_TEST(Unary, AnElementsResultDependsOnNothingButItsValue) {
  using T = TypeParam;
  const auto x = numbers_of_every_kind<T>(70, 2);
  for_each_instruction_set([&] {
    for (const Case& c : kCases) {
      const Tensor whole = c.op(tensor_of(x, x.size()));
      for (std::size_t n = 0; n < 40; ++n) {
        const Tensor kept = tensor_of(x, n);
        const Tensor y = c.op(kept), in_place = c.op(tensor_of(x, n));
        for (std::size_t i = 0; i < n; ++i) {
          const T alone = static_cast<T>(c.op(tensor_of<T>({x[i]}, 1)).item());
          ASSERT_TRUE(same(y.template data<T>()[i], alone) && same(in_place.template data<T>()[i], alone) &&
                      same(whole.template data<T>()[i], alone))
              << c.name << " " << i << " of " << n;
          ASSERT_TRUE(same(kept.template data<T>()[i], x[i])) << c.name << " changed its argument";
        }
      }
    }
  });
}

TYPED_TEST(Unary, IsTheSameForAnyThreadCount) {
  using T = TypeParam;
  const auto numbers = numbers_of_every_kind<T>(100'003, 5);
  const Tensor x = tensor_of(numbers, numbers.size());
  for (const Case& c : kCases) {
    expect_same_bits_for_any_number_of_threads([&] {
      const Tensor y = c.op(x);
      const auto data = y.template data<T>();
      return std::vector<T>(data.begin(), data.end());
    });
  }
}

// The expected results are those of the processor's own arithmetic: every result is rounded once, and 0 is
// not -0.
TYPED_TEST(Unary, ArithmeticWithANumberIsThatOfIeee754) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  const auto numbers = numbers_of_every_kind<T>(1000, 8);
  const Tensor x = tensor_of(numbers, numbers.size());
  for_each_instruction_set([&] {
    for (const T s : {T(49), T(-3), T(0.1), T(0), T(-0.0), Limits::denorm_min(), Limits::min() / 2,
                      Limits::max(), Limits::infinity(), Limits::quiet_NaN()}) {
      const auto expect = [&](const char* name, const Tensor& y, auto expected) {
        for (std::size_t i = 0; i < numbers.size(); ++i) {
          const T value = y.template data<T>()[i];
          ASSERT_TRUE(same(value, expected(numbers[i], s)))
              << name << " of " << numbers[i] << " and " << s << " is " << value;
        }
      };
      expect("sum", x + s, std::plus<T>());
      expect("product", x * s, std::multiplies<T>());
      expect("quotient", x / s, std::divides<T>());
    }
  });
}

TYPED_TEST(Unary, GradientsAgreeWithTheirFormulas) {
  using T = TypeParam;
  const auto expect = [](const char* name, const Op& op, auto formula) {
    for (const std::int64_t n : {1, 5, 16, 37}) {
      const Tensor at = (arange(n, {.dtype = dtype_of<T>}) - 6) / 32.0,
                   dy = arange(n, {.dtype = dtype_of<T>}) - 3;
      Tensor x = at.detach();
      x.set_requires_grad();
      const Tensor dx = grad(op(x), x, {.gradient = dy});
      for (std::int64_t i = 0; i < n; ++i) {
        const L g = dy.template data<T>()[i], value = x.template data<T>()[i];
        ASSERT_TRUE(close(dx.template data<T>()[i], formula(g, value)))
            << name << ", " << i << " of " << n << ": " << dx.template data<T>()[i] << " at " << value
            << ", dy " << g << ", not " << formula(g, value);
      }
    }
  };
  for_each_instruction_set([&] {
    expect("tanh", tanh, [](L dy, L x) {
      const T y = static_cast<T>(std::tanh(x));
      return dy * (1 - L(y) * y);
    });
    expect("sigmoid", sigmoid, [](L dy, L x) { return dy / ((1 + std::exp(x)) * (1 + std::exp(-x))); });
    expect(
        "softplus", [](Tensor x) { return softplus(std::move(x)); },
        [](L dy, L x) { return dy / (1 + std::exp(-x)); });
    expect("silu", silu, [](L dy, L x) {
      const L s = 1 / (1 + std::exp(-x));
      return dy * s * (1 + x * (1 - s));
    });
    expect("relu", relu, [](L dy, L x) { return x <= 0 ? 0 : dy; });
    expect("abs", abs, [](L dy, L x) { return x == 0 ? 0 : x < 0 ? -dy : dy; });
    expect(
        "leaky_relu", [](Tensor x) { return leaky_relu(std::move(x), {.slope = 0.25}); },
        [](L dy, L x) { return x <= 0 ? dy / 4 : dy; });
  });
}

}  // namespace
}  // namespace adjoint
