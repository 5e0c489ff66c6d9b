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
    {"log", [](auto x) { return log(x); }, [](auto x) { return torch::log(x); }, 0.01, 9},
    {"sqrt", [](auto x) { return sqrt(x); }, [](auto x) { return torch::sqrt(x); }, 0.01, 9},
    {"square", [](auto x) { return square(x); }, [](auto x) { return torch::square(x); }},
    {"abs", [](auto x) { return abs(x); }, [](auto x) { return torch::abs(x); }},
    {"neg", [](auto x) { return neg(x); }, [](auto x) { return torch::neg(x); }},
    {"pow 2.5", [](auto x) { return pow(x, 2.5); }, [](auto x) { return torch::pow(x, 2.5); }, 0.01, 4},
    {"pow 3", [](auto x) { return pow(x, 3); }, [](auto x) { return torch::pow(x, 3); }},
    {"pow -1", [](auto x) { return pow(x, -1); }, [](auto x) { return torch::pow(x, -1); }, 0.2, 4},
    {"x + s", [](auto x) { return x + 1.5; }, [](auto x) { return x + 1.5; }},
    {"s - x", [](auto x) { return 1.5 - x; }, [](auto x) { return 1.5 - x; }},
    {"x * s", [](auto x) { return x * 1.5; }, [](auto x) { return x * 1.5; }},
    {"x / s", [](auto x) { return x / 1.7; }, [](auto x) { return x / 1.7; }},
    {"s / x", [](auto x) { return 1.7 / x; }, [](auto x) { return 1.7 / x; }, 0.2, 4},
    {"nan_to_num", [](auto x) { return nan_to_num(sqrt(x)); },
     [](auto x) { return torch::nan_to_num(torch::sqrt(x)); }, 0.1, 3},
};

const Unary kActivations[] = {
    {"tanh", [](auto x) { return tanh(x); }, [](auto x) { return torch::tanh(x); }},
    {"sigmoid", [](auto x) { return sigmoid(x); }, [](auto x) { return torch::sigmoid(x); }},
    {"relu", [](auto x) { return relu(x); }, [](auto x) { return torch::relu(x); }},
    {"leaky_relu", [](auto x) { return leaky_relu(x, {.slope = 0.2}); },
     [](auto x) { return torch::leaky_relu(x, 0.2); }},
    {"softplus", [](auto x) { return softplus(x); }, [](auto x) { return torch::softplus(x); }},
    {"silu", [](auto x) { return silu(x); }, [](auto x) { return torch::silu(x); }},
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
