#pragma once
// Losses: how far predictions are from what they should be, as one number.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// How the losses of a batch become one number.
enum class Reduction : std::uint8_t { mean, sum };

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

/// y = mean or sum over n of -sum_k t[n,k] ln softmax(logits)[n,k], shape []; a term with t = 0 is 0.
///
/// logits [N,K], and target either int64 [N], the right class of each row, which stands for t = 1 there and 0
/// elsewhere; or the probabilities t [N,K] themselves, of logits' dtype, which may require a gradient.
/// Throws ShapeError when shapes do not fit, K is 0, or the mean is asked for and N is 0; DTypeError; and
/// Error when a class is not in [0, K).
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& target, const LossOptions& options = {});

/// y = mean or sum over all elements of (x - target)^2, shape []; x and target have one shape. Throws
/// ShapeError when they do not, or the mean is asked for and there is no element; DTypeError unless both are
/// float32 or both float64.
Tensor mse(const Tensor& x, const Tensor& target, const LossOptions& options = {});

}  // namespace adjoint
