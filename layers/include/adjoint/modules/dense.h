#pragma once
// The fully connected layer.

#include "adjoint/modules/initializers.h"
#include "adjoint/modules/module.h"

namespace adjoint {

struct DenseOptions {
  bool bias = true;
  DType dtype = DType::float32;
  Initializer init = fan_in_uniform;  ///< Gives the weight its first values.
};

/// y = x wT + b.   x [..., in_features] -> y [..., out_features], weight [out_features, in_features],
/// bias [out_features]. The bias starts at 0.
class Dense : public Layer {
 public:
  /// Throws ShapeError unless both sizes are positive; DTypeError for int64.
  Dense(std::int64_t in_features, std::int64_t out_features, const DenseOptions& options = {},
        Rng& rng = default_rng());

  /// Throws as dense().
  Tensor forward(const Tensor& x) override;

  Tensor weight() const { return weight_; }
  /// Undefined without a bias.
  Tensor bias() const { return bias_; }

 private:
  Tensor weight_, bias_;
};

}  // namespace adjoint
