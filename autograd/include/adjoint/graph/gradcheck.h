#pragma once
// Are the gradients of a function right? For the library's own ops and for users'.

#include <functional>
#include <initializer_list>
#include <span>
#include <string>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// A function of tensors as gradcheck takes it: [](auto in) { return matmul(in[0], in[1]); }
using TensorFunction = std::function<Tensor(std::span<const Tensor>)>;

struct GradcheckOptions {
  double step = 1e-6;  ///< Of the central difference, for elements of magnitude up to 1; in proportion above.
  double tolerance =
      1e-6;  ///< Largest difference, as a share of the input's largest gradient (at least of 1e-3).
  std::uint64_t seed = 1;  ///< Of the random cotangent.
};

/// Whether a check passed, and if not, what differs: input, index, both gradients.
struct GradcheckResult {
  bool passed;
  std::string report;
  explicit operator bool() const { return passed; }
};

/// Compares d(sum v f(x)) / dx_i, v random, as backward finds it with central differences, for every element
/// of every input. Inputs are float64, away from kinks of f by more than a step. Fails too when all gradients
/// vanish: that would prove nothing. Throws DTypeError when an input is not float64; errors of f pass
/// through.
GradcheckResult gradcheck(const TensorFunction& f, std::span<const Tensor> inputs,
                          const GradcheckOptions& options = {});
GradcheckResult gradcheck(const TensorFunction& f, std::initializer_list<Tensor> inputs,
                          const GradcheckOptions& options = {});

/// gradcheck of the gradients themselves, as functions of the inputs and of the cotangent v.
GradcheckResult gradgradcheck(const TensorFunction& f, std::span<const Tensor> inputs,
                              const GradcheckOptions& options = {});
GradcheckResult gradgradcheck(const TensorFunction& f, std::initializer_list<Tensor> inputs,
                              const GradcheckOptions& options = {});

}  // namespace adjoint
