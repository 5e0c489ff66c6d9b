#pragma once
// Gradient checks that report to GoogleTest.

#include <algorithm>
#include <gtest/gtest.h>
#include <span>
#include <vector>

#include "adjoint/graph/gradcheck.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"

namespace adjoint::support {

/// The gradients of f at inputs (float64), of all and of each while the others are constants, and the
/// gradients of those, agree with central differences. Where inputs or result are empty the latter have
/// nothing to show and are left out.
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

}  // namespace adjoint::support
