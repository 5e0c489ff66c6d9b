// An op of your own, written outside the library: Swish, y = x sigmoid(x), with its own backward rule.

#include <adjoint/adjoint.h>
#include <cmath>
#include <fmt/core.h>
#include <stdexcept>

#include "examples/support/program.h"

using namespace adjoint;

// An op computes its values and passes them to record() with its inputs and a rule, which turns dy, the
// gradient of the result, into the gradients of the inputs. The rule is written with ops, so it can be
// differentiated again:
//   dx = dy (s + y (1 - s)),   s = sigmoid(x).
Tensor swish(const Tensor& x) {
  check(x.dtype() == float64, "swish: x must be float64, it is {}", x.dtype());
  Values values(x.dtype(), x.shape());
  double* y = values.writable<double>();
  for (const double value : x.data<double>()) *y++ = value / (1 + std::exp(-value));

  return record("swish", std::move(values), {x},
                [x = Saved(x)](const Tensor& dy, const Tensor& y, Needs) -> Grads {
                  const Tensor s = sigmoid(x);
                  return {dy * (s + y * (1 - s))};
                });
}

void use_and_check() {
  const Tensor x = tensor({-2, -1, 0, 1, 2}, {.dtype = float64, .requires_grad = true});
  const Tensor y = swish(x);
  fmt::print("{}\n", to_string(y));
  sum(y).backward();
  fmt::print("its gradient: {}\n", to_string(x.grad()));

  // gradcheck compares the rule with central differences, gradgradcheck the rule's own gradient.
  const auto first = gradcheck([](auto in) { return swish(in[0]); }, {x});
  const auto second = gradgradcheck([](auto in) { return swish(in[0]); }, {x});
  fmt::print("gradcheck {}, gradgradcheck {}\n", first ? "passed" : first.report,
             second ? "passed" : second.report);
  if (!first || !second) throw std::runtime_error("the gradient of swish is wrong");
}

int main(int argc, char** argv) {
  return examples::run({"custom_op", "Defines a custom op, Swish, and checks its gradients."}, argc, argv,
                       use_and_check);
}
