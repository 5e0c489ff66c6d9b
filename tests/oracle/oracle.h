#pragma once
// Random examples of an op, computed by Adjoint and by libtorch: values, gradients, and gradients of
// gradients.

#include <functional>
#include <span>
#include <string>
#include <torch/torch.h>
#include <vector>

#include "adjoint/tensor/tensor.h"
#include "tests/oracle/draw.h"

namespace adjoint::oracle {

using TorchTensors = std::vector<torch::Tensor>;

/// A call with the same meaning in both frameworks. Inputs of float64 get gradients; all others are
/// constants.
struct Example {
  std::string text = {};  ///< The options, for messages.
  std::vector<Tensor> inputs;
  std::function<Tensor(std::span<const Tensor>)> ours;
  std::function<torch::Tensor(const TorchTensors&)> theirs;
  double units =
      16;  ///< Allowed error of float32 results, in units in the last place of their largest number.
  bool second = true;  ///< Compare gradients of gradients; false where libtorch has none.
};

/// What both give, compared: "" or the first difference that is too large. float64 may differ by 1e-10 of the
/// largest number of a result (or of 0.001), float32 by `units` of it (or of 1); whole numbers, booleans, NaN
/// and infinities must be the same.
std::string difference(const Example& example);

/// Compares `count` examples, and reports those that differ to GoogleTest. At the end, the program prints the
/// number of examples and the largest differences of each family.
void compare(const char* family, const char* op, int count, const std::function<Example(Draw&)>& example);

/// The same tensor for libtorch.
torch::Tensor to_torch(const Tensor& x);
/// Axes or sizes for libtorch.
template <class Range>
std::vector<std::int64_t> longs(const Range& numbers) {
  return {numbers.begin(), numbers.end()};
}

}  // namespace adjoint::oracle
