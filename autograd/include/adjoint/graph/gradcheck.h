#pragma once
// Checks whether the gradients of a function are right: for the library's ops and for your own.

#include <functional>
#include <initializer_list>
#include <span>
#include <string>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// A function of tensors as gradcheck takes it: [](auto in) { return matmul(in[0], in[1]); }
using TensorFunction = std::function<Tensor(std::span<const Tensor>)>;

struct GradcheckOptions {
  double step = 1e-6;  ///< The central difference at an element x uses step * max(1, |x|).
  double tolerance =
      1e-6;  ///< Largest allowed difference, divided by max(1e-3, the input's largest gradient).
  std::uint64_t seed = 1;  ///< Seed of the random cotangent.
};

/// Whether a check passed, and if not, why. For a difference, report names the input, the index and both
/// gradients.
struct GradcheckResult {
  bool passed;
  std::string report;
  explicit operator bool() const { return passed; }
};

/// Compares d(sum v f(x)) / dx_i from backward with a central difference, for every element of every input; v
/// is random. The inputs must be float64, and farther than a step from every kink of f. The check also fails
/// when all gradients vanish, because it then shows nothing. Throws DTypeError when an input is not float64,
/// and what f throws.
GradcheckResult gradcheck(const TensorFunction& f, std::span<const Tensor> inputs,
                          const GradcheckOptions& options = {});
GradcheckResult gradcheck(const TensorFunction& f, std::initializer_list<Tensor> inputs,
                          const GradcheckOptions& options = {});

/// gradcheck of the gradients of f, as functions of the inputs and of the cotangent v.
GradcheckResult gradgradcheck(const TensorFunction& f, std::span<const Tensor> inputs,
                              const GradcheckOptions& options = {});
GradcheckResult gradgradcheck(const TensorFunction& f, std::initializer_list<Tensor> inputs,
                              const GradcheckOptions& options = {});

}  // namespace adjoint
