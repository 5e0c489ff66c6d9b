// Functions of one and two numbers, comparisons and activations against libtorch's.
#include <gtest/gtest.h>

#include "adjoint/graph/node.h"
#include "adjoint/ops/activation.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/math.h"
#include "tests/oracle/oracle.h"

namespace adjoint::oracle {
namespace {

struct Unary {
  const char* name;
  std::function<Tensor(const Tensor&)> ours;
  std::function<torch::Tensor(const torch::Tensor&)> theirs;
  double low = -3, high = 3;
};

const Unary kFunctions[] = {
    {"exp", [](auto x) { return exp(x); }, [](auto x) { return torch::exp(x); }},
    {"exp2", [](auto x) { return exp2(x); }, [](auto x) { return torch::exp2(x); }},
    {"expm1", [](auto x) { return expm1(x); }, [](auto x) { return torch::expm1(x); }},
    {"log", [](auto x) { return log(x); }, [](auto x) { return torch::log(x); }, 0.01, 9},
    {"log2", [](auto x) { return log2(x); }, [](auto x) { return torch::log2(x); }, 0.01, 9},
    {"log10", [](auto x) { return log10(x); }, [](auto x) { return torch::log10(x); }, 0.01, 9},
    {"log1p", [](auto x) { return log1p(x); }, [](auto x) { return torch::log1p(x); }, -0.9, 9},
    {"sqrt", [](auto x) { return sqrt(x); }, [](auto x) { return torch::sqrt(x); }, 0.01, 9},
    {"rsqrt", [](auto x) { return rsqrt(x); }, [](auto x) { return torch::rsqrt(x); }, 0.01, 9},
    {"square", [](auto x) { return square(x); }, [](auto x) { return torch::square(x); }},
    {"reciprocal", [](auto x) { return reciprocal(x); }, [](auto x) { return torch::reciprocal(x); }, 0.2, 4},
    {"abs", [](auto x) { return abs(x); }, [](auto x) { return torch::abs(x); }},
    {"neg", [](auto x) { return neg(x); }, [](auto x) { return torch::neg(x); }},
    {"erf", [](auto x) { return erf(x); }, [](auto x) { return torch::erf(x); }},
    {"erfc", [](auto x) { return erfc(x); }, [](auto x) { return torch::erfc(x); }},
    {"sin", [](auto x) { return sin(x); }, [](auto x) { return torch::sin(x); }, -9, 9},
    {"cos", [](auto x) { return cos(x); }, [](auto x) { return torch::cos(x); }, -9, 9},
    {"tan", [](auto x) { return tan(x); }, [](auto x) { return torch::tan(x); }, -1.4, 1.4},
    {"asin", [](auto x) { return asin(x); }, [](auto x) { return torch::asin(x); }, -0.9, 0.9},
    {"acos", [](auto x) { return acos(x); }, [](auto x) { return torch::acos(x); }, -0.9, 0.9},
    {"atan", [](auto x) { return atan(x); }, [](auto x) { return torch::atan(x); }},
    {"sinh", [](auto x) { return sinh(x); }, [](auto x) { return torch::sinh(x); }},
    {"cosh", [](auto x) { return cosh(x); }, [](auto x) { return torch::cosh(x); }},
    {"asinh", [](auto x) { return asinh(x); }, [](auto x) { return torch::asinh(x); }},
    {"acosh", [](auto x) { return acosh(x); }, [](auto x) { return torch::acosh(x); }, 1.1, 9},
    {"atanh", [](auto x) { return atanh(x); }, [](auto x) { return torch::atanh(x); }, -0.9, 0.9},
    {"sign", [](auto x) { return sign(x); }, [](auto x) { return torch::sign(x); }},
    {"floor", [](auto x) { return floor(x); }, [](auto x) { return torch::floor(x); }, -5, 5},
    {"ceil", [](auto x) { return ceil(x); }, [](auto x) { return torch::ceil(x); }, -5, 5},
    {"round", [](auto x) { return round(x); }, [](auto x) { return torch::round(x); }, -5, 5},
    {"trunc", [](auto x) { return trunc(x); }, [](auto x) { return torch::trunc(x); }, -5, 5},
    {"pow 2.5", [](auto x) { return pow(x, 2.5); }, [](auto x) { return torch::pow(x, 2.5); }, 0.01, 4},
    {"pow 3", [](auto x) { return pow(x, 3); }, [](auto x) { return torch::pow(x, 3); }},
    {"pow -1", [](auto x) { return pow(x, -1); }, [](auto x) { return torch::pow(x, -1); }, 0.2, 4},
    {"x + s", [](auto x) { return x + 1.5; }, [](auto x) { return x + 1.5; }},
    {"s - x", [](auto x) { return 1.5 - x; }, [](auto x) { return 1.5 - x; }},
    {"x * s", [](auto x) { return x * 1.5; }, [](auto x) { return x * 1.5; }},
    {"x / s", [](auto x) { return x / 1.7; }, [](auto x) { return x / 1.7; }},
    {"s / x", [](auto x) { return 1.7 / x; }, [](auto x) { return 1.7 / x; }, 0.2, 4},
    {"clamp", [](auto x) { return clamp(x, {.min = -1, .max = 0.5}); },
     [](auto x) { return torch::clamp(x, -1, 0.5); }},
    {"clamp from above", [](auto x) { return clamp(x, {.max = 0.5}); },
     [](auto x) { return torch::clamp_max(x, 0.5); }},
    {"fmod s", [](auto x) { return fmod(x, 0.7); }, [](auto x) { return torch::fmod(x, 0.7); }},
    {"remainder s", [](auto x) { return remainder(x, 0.7); },
     [](auto x) { return torch::remainder(x, 0.7); }},
    {"nan_to_num", [](auto x) { return nan_to_num(sqrt(x)); },
     [](auto x) { return torch::nan_to_num(torch::sqrt(x)); }, 0.1, 3},
};

// libtorch rounds hardsigmoid's 1/6 and celu's 1/alpha to float32, so they are written or chosen otherwise.
const Unary kActivations[] = {
    {"tanh", [](auto x) { return tanh(x); }, [](auto x) { return torch::tanh(x); }},
    {"sigmoid", [](auto x) { return sigmoid(x); }, [](auto x) { return torch::sigmoid(x); }},
    {"log_sigmoid", [](auto x) { return log_sigmoid(x); }, [](auto x) { return torch::log_sigmoid(x); }},
    {"relu", [](auto x) { return relu(x); }, [](auto x) { return torch::relu(x); }},
    {"relu6", [](auto x) { return relu6(x); }, [](auto x) { return torch::relu6(x); }},
    {"silu", [](auto x) { return silu(x); }, [](auto x) { return torch::silu(x); }},
    {"mish", [](auto x) { return mish(x); }, [](auto x) { return torch::mish(x); }},
    {"selu", [](auto x) { return selu(x); }, [](auto x) { return torch::selu(x); }},
    {"hardsigmoid", [](auto x) { return hardsigmoid(x); }, [](auto x) { return torch::relu6(x + 3) / 6; }},
    {"hardswish", [](auto x) { return hardswish(x); }, [](auto x) { return torch::hardswish(x); }},
    {"softsign", [](auto x) { return softsign(x); }, [](auto x) { return x / (1 + x.abs()); }},
    {"leaky_relu", [](auto x) { return leaky_relu(x, {.slope = 0.2}); },
     [](auto x) { return torch::leaky_relu(x, 0.2); }},
    {"softplus", [](auto x) { return softplus(x); }, [](auto x) { return torch::softplus(x); }},
    {"softplus with beta", [](auto x) { return softplus(x, {.beta = 2}); },
     [](auto x) { return torch::softplus(x, 2); }},
    {"gelu", [](auto x) { return gelu(x); }, [](auto x) { return torch::gelu(x); }},
    {"gelu, tanh", [](auto x) { return gelu(x, {.tanh = true}); },
     [](auto x) { return torch::gelu(x, "tanh"); }},
    {"elu", [](auto x) { return elu(x, {.alpha = 0.7}); }, [](auto x) { return torch::elu(x, 0.7); }},
    {"celu", [](auto x) { return celu(x, {.alpha = 0.5}); }, [](auto x) { return torch::celu(x, 0.5); }},
    {"hardtanh", [](auto x) { return hardtanh(x, {.min = -0.5, .max = 2}); },
     [](auto x) { return torch::hardtanh(x, -0.5, 2); }},
    {"threshold", [](auto x) { return threshold(x, {.threshold = 0.3, .value = 7}); },
     [](auto x) { return torch::threshold(x, 0.3, 7); }},
};

void compare_unary(const char* family, std::span<const Unary> functions) {
  for (const Unary& f : functions) {
    compare(family, f.name, 30, [&](Draw& draw) {
      return Example{.inputs = {draw.tensor(draw.shape(0, 4, true), f.low, f.high)},
                     .ours = [&](auto in) { return f.ours(in[0]); },
                     .theirs = [&](auto in) { return f.theirs(in[0]); }};
    });
  }
}

TEST(Oracle, Functions) { compare_unary("functions", kFunctions); }
TEST(Oracle, Activations) { compare_unary("activations", kActivations); }

struct Binary {
  const char* name;
  std::function<Tensor(const Tensor&, const Tensor&)> ours;
  std::function<torch::Tensor(const torch::Tensor&, const torch::Tensor&)> theirs;
  double low = -2, high = 2;
};

const Binary kBinary[] = {
    {"add", [](auto a, auto b) { return a + b; }, [](auto a, auto b) { return a + b; }},
    {"sub", [](auto a, auto b) { return a - b; }, [](auto a, auto b) { return a - b; }},
    {"mul", [](auto a, auto b) { return a * b; }, [](auto a, auto b) { return a * b; }},
    {"div", [](auto a, auto b) { return a / b; }, [](auto a, auto b) { return a / b; }, 0.3, 3},
    {"pow", [](auto a, auto b) { return pow(a, b); }, [](auto a, auto b) { return torch::pow(a, b); }, 0.1,
     3},
    {"atan2", [](auto a, auto b) { return atan2(a, b); }, [](auto a, auto b) { return torch::atan2(a, b); }},
    {"hypot", [](auto a, auto b) { return hypot(a, b); }, [](auto a, auto b) { return torch::hypot(a, b); }},
    {"fmod", [](auto a, auto b) { return fmod(a, b); }, [](auto a, auto b) { return torch::fmod(a, b); }, 0.2,
     3},
    {"remainder", [](auto a, auto b) { return remainder(a, b); },
     [](auto a, auto b) { return torch::remainder(a, b); }, 0.2, 3},
    {"minimum", [](auto a, auto b) { return minimum(a, b); },
     [](auto a, auto b) { return torch::minimum(a, b); }},
    {"maximum", [](auto a, auto b) { return maximum(a, b); },
     [](auto a, auto b) { return torch::maximum(a, b); }},
    {"xlogy", [](auto a, auto b) { return xlogy(a, b); }, [](auto a, auto b) { return torch::xlogy(a, b); },
     0.1, 3},
    {"lerp", [](auto a, auto b) { return lerp(a, b, 0.3); },
     [](auto a, auto b) { return torch::lerp(a + 0 * b, b + 0 * a, 0.3); }},
    {"addcmul", [](auto a, auto b) { return addcmul(a, a, b, {.value = 0.5}); },
     [](auto a, auto b) { return torch::addcmul(a, a, b, 0.5); }},
};

TEST(Oracle, FunctionsOfTwoNumbers) {
  for (const Binary& f : kBinary) {
    compare("two numbers", f.name, 60, [&](Draw& draw) {
      const Shape whole = draw.shape(0, 4, true);
      return Example{.inputs = {draw.tensor(draw.part_of(whole), f.low, f.high),
                                draw.tensor(draw.part_of(whole), f.low, f.high)},
                     .ours = [&](auto in) { return f.ours(in[0], in[1]); },
                     .theirs = [&](auto in) { return f.theirs(in[0], in[1]); },
                     .units = 64};
    });
  }
}

const Binary kComparisons[] = {
    {"equal", [](auto a, auto b) { return a == b; }, [](auto a, auto b) { return a == b; }},
    {"not_equal", [](auto a, auto b) { return a != b; }, [](auto a, auto b) { return a != b; }},
    {"less", [](auto a, auto b) { return a < b; }, [](auto a, auto b) { return a < b; }},
    {"less_equal", [](auto a, auto b) { return a <= b; }, [](auto a, auto b) { return a <= b; }},
    {"greater", [](auto a, auto b) { return a > b; }, [](auto a, auto b) { return a > b; }},
    {"greater_equal", [](auto a, auto b) { return a >= b; }, [](auto a, auto b) { return a >= b; }},
    {"logical_and", [](auto a, auto b) { return logical_and(a, b); },
     [](auto a, auto b) { return torch::logical_and(a, b); }},
    {"logical_or", [](auto a, auto b) { return logical_or(a, b); },
     [](auto a, auto b) { return torch::logical_or(a, b); }},
    {"logical_xor", [](auto a, auto b) { return logical_xor(a, b); },
     [](auto a, auto b) { return torch::logical_xor(a, b); }},
};

TEST(Oracle, Comparisons) {
  for (const Binary& f : kComparisons) {
    compare("comparisons", f.name, 40, [&](Draw& draw) {
      const Shape whole = draw.shape(0, 4, true);
      const DType dtype = draw.one_of({float32, float64, int64, boolean});
      return Example{.inputs = {draw.indices(draw.part_of(whole), -2, 2).to(dtype),
                                draw.indices(draw.part_of(whole), -2, 2).to(dtype)},
                     .ours = [&](auto in) { return f.ours(in[0], in[1]); },
                     .theirs = [&](auto in) { return f.theirs(in[0], in[1]); }};
    });
  }
}

TEST(Oracle, Selection) {
  compare("comparisons", "where", 60, [](Draw& draw) {
    const Shape whole = draw.shape(0, 4, true);
    return Example{.inputs = {draw.mask(draw.part_of(whole)), draw.tensor(draw.part_of(whole)),
                              draw.tensor(draw.part_of(whole))},
                   .ours = [](auto in) { return where(in[0], in[1], in[2]); },
                   .theirs = [](auto in) { return torch::where(in[0], in[1], in[2]); }};
  });
  compare("comparisons", "masked_fill", 30, [](Draw& draw) {
    const Shape whole = draw.shape(0, 4, true);
    return Example{.inputs = {draw.tensor(whole), draw.mask(draw.part_of(whole))},
                   .ours = [](auto in) { return masked_fill(in[0], in[1], 3); },
                   .theirs = [](auto in) { return in[0].masked_fill(in[1], 3); }};
  });
}

/// x^3, with a rule that is wrong in the way that `wrong` says.
enum class Wrong { value, gradient, second };
Tensor wrong_cube(const Tensor& x, Wrong wrong) {
  const Tensor y = wrong == Wrong::value ? x * x * x * 1.000001 : x * x * x;
  return record("wrong_cube", y.values(), {x}, [x = Saved(x), wrong](const Tensor& dy, Needs) -> Grads {
    const Tensor& at = x;
    if (wrong == Wrong::gradient) return {dy * at * at * 3.000001};
    return {wrong == Wrong::second ? dy * at * at.detach() * 3 : dy * at * at * 3};
  });
}

TEST(Oracle, NoticesWrongRules) {
  const auto message = [](Wrong wrong) {
    return difference({.inputs = {tensor({1, -2, 3}, {.dtype = float64})},
                       .ours = [wrong](auto in) { return wrong_cube(in[0], wrong); },
                       .theirs = [](auto in) { return in[0] * in[0] * in[0]; }});
  };
  EXPECT_TRUE(message(Wrong::value).starts_with("values differ by")) << message(Wrong::value);
  EXPECT_TRUE(message(Wrong::gradient).starts_with("gradients of input 0 differ by"))
      << message(Wrong::gradient);
  EXPECT_TRUE(message(Wrong::second).starts_with("gradients of gradients differ by"))
      << message(Wrong::second);
}

}  // namespace
}  // namespace adjoint::oracle
