#include "adjoint/modules/dense.h"

#include "adjoint/ops/linalg.h"
#include "adjoint/tensor/create.h"

namespace adjoint {

Dense::Dense(std::int64_t in_features, std::int64_t out_features, const DenseOptions& options, Rng& rng) {
  check_shape(in_features >= 1 && out_features >= 1, "Dense: both sizes must be positive, got {} to {}",
              in_features, out_features);
  weight_ =
      register_parameter("weight", options.init({out_features, in_features}, {.dtype = options.dtype}, rng));
  if (options.bias) bias_ = register_parameter("bias", zeros({out_features}, {.dtype = options.dtype}));
}

Tensor Dense::forward(const Tensor& x) {
  return bias_.defined() ? dense(x, weight_, bias_) : dense(x, weight_);
}

}  // namespace adjoint
