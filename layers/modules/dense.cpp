#include "adjoint/modules/dense.h"

#include "adjoint/ops/linalg.h"
#include "adjoint/tensor/create.h"

namespace adjoint {

Dense::Dense(std::int64_t in, std::int64_t out, const DenseOptions& options, Rng& rng) {
  check_shape(in >= 1 && out >= 1, "Dense: both sizes must be positive, got {} to {}", in, out);
  weight_ = register_parameter("weight", options.init({out, in}, {.dtype = options.dtype}, rng));
  if (options.bias) bias_ = register_parameter("bias", zeros({out}, {.dtype = options.dtype}));
}

Tensor Dense::forward(const Tensor& x) {
  return bias_.defined() ? dense(x, weight_, bias_) : dense(x, weight_);
}

}  // namespace adjoint
