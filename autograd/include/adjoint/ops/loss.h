#pragma once
// Losses: one number that says how far predictions are from their targets.

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// How the losses of a batch become one number.
enum class Reduction : std::uint8_t { mean, sum };

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

/// y = mean or sum over n of -sum_k t[n,k] ln softmax(logits)[n,k], shape []; a term with t = 0 is 0.
///
/// logits is [N,K]. target has one of two forms. Int64 [N] gives the right class of each row: t is 1 for this
/// class and 0 for the others. [N,K] with logits' dtype gives the probabilities t themselves, which may
/// require a gradient. Throws ShapeError when the shapes do not fit, when K is 0, and when the mean is asked
/// for and N is 0; DTypeError when a dtype is none of these; Error when a class is not in [0, K).
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& target, const LossOptions& options = {});

/// y = mean or sum over all elements of (x - target)^2, shape []. Throws ShapeError when x and target have
/// different shapes, and when the mean is asked for and there are no elements; DTypeError unless both are
/// float32 or both float64.
Tensor mse(const Tensor& x, const Tensor& target, const LossOptions& options = {});

}  // namespace adjoint
