#include "adjoint/graph/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/graph/grad_mode.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"

namespace adjoint {
namespace {

constexpr double kVanishing = 1e-9;

/// New leaves with the inputs' values, which the check may change.
std::vector<Tensor> leaves_like(std::span<const Tensor> inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) {
    check<DTypeError>(input.dtype() == DType::float64, "gradcheck: inputs must be float64, input {} is {}",
                      leaves.size(), input.dtype());
    leaves.push_back(from_data(input.data<double>(), input.shape(), true));
  }
  return leaves;
}

double dot(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.data<double>().size(); ++i)
    total += a.data<double>()[i] * b.data<double>()[i];
  return total;
}

/// d(sum v f(x)) / d(input[element]) by a central difference.
double numeric_gradient(const TensorFunction& f, std::span<Tensor> inputs, const Tensor& v, std::size_t input,
                        std::size_t element, double step) {
  const NoGrad no_grad;
  const double x = inputs[input].data<double>()[element];
  const auto value_at = [&](double moved) {
    inputs[input].mutable_data<double>()[element] = moved;
    return dot(f(inputs), v);
  };
  const double h = step * std::max(1.0, std::abs(x));
  const double slope = (value_at(x + h) - value_at(x - h)) / (2 * h);
  inputs[input].mutable_data<double>()[element] = x;
  return slope;
}

struct Comparison {
  double largest = 0;  ///< The largest magnitude among the gradients of one input.
  std::string report;  ///< The worst difference, empty when all are within tolerance.
};

Comparison compare(const TensorFunction& f, std::span<Tensor> inputs, const Tensor& v, std::size_t input,
                   const Tensor& analytic, const GradcheckOptions& options) {
  Comparison result;
  std::vector<double> numeric(static_cast<std::size_t>(inputs[input].numel()));
  const auto found = analytic.data<double>();
  for (std::size_t i = 0; i < numeric.size(); ++i) {
    numeric[i] = numeric_gradient(f, inputs, v, input, i, options.step);
    result.largest = std::max({result.largest, std::abs(numeric[i]), std::abs(found[i])});
  }
  double worst = options.tolerance * std::max(result.largest, 1e-3);
  for (std::size_t i = 0; i < numeric.size(); ++i) {
    const double difference = std::abs(numeric[i] - found[i]);
    const bool is_number = std::isfinite(difference);  // an infinite gradient makes any tolerance infinite
    if (is_number && difference <= worst) continue;
    worst = difference;
    result.report =
        fmt::format("input {} {}, element {}: backward gives {:.10g}, the central difference {:.10g}", input,
                    inputs[input].shape(), i, found[i], numeric[i]);
    if (!is_number) break;
  }
  return result;
}

}  // namespace

GradcheckResult gradcheck(const TensorFunction& f, std::span<const Tensor> inputs,
                          const GradcheckOptions& options) {
  std::vector<Tensor> leaves = leaves_like(inputs);
  Tensor y = f(leaves);
  Rng rng(options.seed);
  const Tensor v = uniform(y.shape(), -1, 1, {.dtype = y.dtype()}, rng);
  const std::vector<Tensor> gradients = grad(y, leaves, {.gradient = v});
  y = Tensor();  // otherwise its graph would hold the inputs, and every difference would copy one

  double largest = 0;
  std::int64_t elements = 0;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const Comparison comparison = compare(f, leaves, v, i, gradients[i], options);
    if (!comparison.report.empty()) return {false, "gradcheck: " + comparison.report};
    largest = std::max(largest, comparison.largest);
    elements += leaves[i].numel();
  }
  if (elements > 0 && v.numel() > 0 && largest < kVanishing) {
    return {false, fmt::format("gradcheck: all gradients vanish (largest {:.3g}), so the check shows nothing",
                               largest)};
  }
  return {true, {}};
}

GradcheckResult gradgradcheck(const TensorFunction& f, std::span<const Tensor> inputs,
                              const GradcheckOptions& options) {
  Rng rng(options.seed + 1);
  const std::size_t count = inputs.size();
  std::vector<Tensor> arguments(inputs.begin(), inputs.end());
  std::vector<Tensor> weights;  // Of a sum of all gradients: an error in any of them changes it.
  for (const Tensor& input : inputs)
    weights.push_back(uniform(input.shape(), -1, 1, {.dtype = DType::float64}, rng));
  const Tensor y = f(inputs);
  arguments.push_back(uniform(y.shape(), -1, 1, {.dtype = DType::float64}, rng));

  const TensorFunction gradients_of_f = [&](std::span<const Tensor> in) {
    // gradcheck computes differences without recording, but these gradients need it.
    const GradMode recording(true);
    std::vector<Tensor> xs(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
    const std::vector<Tensor> gradients = grad(f(xs), xs, {.gradient = in[count], .create_graph = true});
    Tensor total = zeros({}, {.dtype = DType::float64});
    for (std::size_t i = 0; i < count; ++i) total = total + sum(gradients[i] * weights[i]);
    return total;
  };
  GradcheckResult result = gradcheck(gradients_of_f, arguments, options);
  if (!result.passed) result.report = "gradgradcheck, the last input being the cotangent: " + result.report;
  return result;
}

GradcheckResult gradcheck(const TensorFunction& f, std::initializer_list<Tensor> inputs,
                          const GradcheckOptions& options) {
  return gradcheck(f, std::span(inputs.begin(), inputs.size()), options);
}
GradcheckResult gradgradcheck(const TensorFunction& f, std::initializer_list<Tensor> inputs,
                              const GradcheckOptions& options) {
  return gradgradcheck(f, std::span(inputs.begin(), inputs.size()), options);
}

}  // namespace adjoint
