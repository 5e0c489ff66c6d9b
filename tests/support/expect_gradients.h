#pragma once
// Gradient checks that report to GoogleTest.

#include <algorithm>
#include <gtest/gtest.h>
#include <span>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/graph/grad_mode.h"
#include "adjoint/graph/gradcheck.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"

namespace adjoint::support {

/// The gradients of f at inputs (float64) agree with central differences, and so do the gradients of these
/// gradients. This is checked for all inputs together, and for each one while the others are constants. If
/// inputs or result are empty, there are no central differences, and they are left out.
inline void expect_gradients(const TensorFunction& f, const std::vector<Tensor>& inputs,
                             const GradcheckOptions& options = {}) {
  const GradcheckResult first = gradcheck(f, inputs, options);
  EXPECT_TRUE(first) << first.report;
  for (std::size_t i = 0; i < inputs.size() && inputs.size() > 1; ++i) {
    const auto of_one = [&](std::span<const Tensor> in) {
      std::vector<Tensor> all = inputs;
      all[i] = in[0];
      return f(all) + in[1];  // whose gradient does not vanish where that of in[0] may
    };
    const GradcheckResult alone = gradcheck(of_one, {inputs[i], zeros({}, {.dtype = float64})}, options);
    EXPECT_TRUE(alone) << "input " << i << " alone: " << alone.report;
  }
  const auto is_empty = [](const Tensor& tensor) { return tensor.numel() == 0; };
  if (is_empty(f(inputs)) || std::all_of(inputs.begin(), inputs.end(), is_empty)) return;
  const GradcheckResult second = gradgradcheck(f, inputs, options);
  EXPECT_TRUE(second) << second.report;
}

/// The same for a function of the gradients of sum(f^3), so that the third derivatives of f count as well.
inline void expect_third_derivatives(const TensorFunction& f, std::vector<Tensor> inputs) {
  for (Tensor& input : inputs) input.set_requires_grad();
  const auto gradient_of_cubes = [&](std::span<const Tensor> in) {
    const GradMode recording(true);  // central differences run without recording
    const Tensor y = f(in);
    const std::vector<Tensor> gradients = grad(sum(y * y * y), in, {.create_graph = true});
    Tensor total = sum(gradients[0] * gradients[0]);
    for (std::size_t i = 1; i < gradients.size(); ++i) total = total + sum(gradients[i]);
    return total;
  };
  expect_gradients(gradient_of_cubes, inputs);
}

}  // namespace adjoint::support
