#pragma once
// Compares the documented CNN's gradients by automatic differentiation with the formulas derived by hand,
// which README.md in this folder states.

#include <cstdint>
#include <string>
#include <vector>

#include "examples/documented_cnn/model.h"

namespace documented_cnn {

/// How far both ways differ for one tensor.
struct Difference {
  std::string name;  ///< As in README.md: K1, b1, ..., delta_2, ...
  std::int64_t elements;
  double largest_absolute;
  double largest_relative;  ///< largest_absolute as a share of the hand-derived tensor's largest magnitude.
};

struct VerifyOptions {
  std::string activation = "sigmoid";
  adjoint::DType dtype = adjoint::float64;
  std::int64_t batch = 3;
  std::uint64_t seed = 1;
};

/// The largest relative difference allowed: 1e-12 in float64, 1e-5 in float32.
double verification_bound(adjoint::DType dtype);

/// Loss, the 8 parameters' gradients and the deltas of B1 to B8 for a random network, biases included, on a
/// random batch: the loss is the mean over the batch, so that a parameter's gradient is the mean of the
/// images' and an image's delta its own divided by the batch size. Throws adjoint::Error when there is no
/// such activation.
std::vector<Difference> verify_gradients(const VerifyOptions& options);

}  // namespace documented_cnn
