#pragma once
// Dropout: in training, elements are replaced at random, so that a network does not rely on single ones. In
// evaluation, and if p is 0, y is x, and nothing is drawn.
//
// Which elements are dropped is a function of the generator's state and of the position, see
// bernoulli(shape, 1 - p): the same for any number of threads. All of these take float32 and float64, and
// throw DTypeError otherwise, and Error unless p is in [0, 1]. The gradient is that of the elements kept, and
// an exact 0 elsewhere, also for p = 1, and if x is NaN or infinite there.

#include "adjoint/tensor/random.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct DropoutOptions {
  double p = 0.5;  ///< The probability of an element to be dropped.
  bool training = true;
};

/// y = x / (1 - p) where kept, else 0.
Tensor dropout(const Tensor& x, const DropoutOptions& options = {}, Rng& rng = default_rng());
/// The same for whole channels: x [N,C,...], one choice for each of N C. PyTorch's dropout1d, 2d and 3d.
/// Throws ShapeError when x has fewer than two axes.
Tensor channel_dropout(const Tensor& x, const DropoutOptions& options = {}, Rng& rng = default_rng());
/// y = a x + b where kept, else a s + b, where s = -1.7580993408473766 is the limit of selu at -infinity, and
/// a and b are such that an x of mean 0 and variance 1 keeps them. y = 0 if p = 1. Klambauer et al.:
/// Self-normalizing neural networks, 2017.
Tensor alpha_dropout(const Tensor& x, const DropoutOptions& options = {}, Rng& rng = default_rng());

}  // namespace adjoint
