#pragma once
// The convolution layer.

#include "adjoint/modules/initializers.h"
#include "adjoint/modules/module.h"
#include "adjoint/ops/convolution.h"

namespace adjoint {

struct Conv2dLayerOptions {
  PerAxis stride = 1;
  PerAxis padding = 0;
  PerAxis dilation = 1;
  std::int64_t groups = 1;
  bool flip_kernel = false;
  bool bias = true;
  DType dtype = DType::float32;
  Initializer init = fan_in_uniform;  ///< Gives the weight its first values.
};

/// y = conv2d(x, w, b).   x [N, in_channels, H, W] -> y [N, out_channels, OH, OW], weight [out_channels,
/// in_channels / groups, kernel height, kernel width], bias [out_channels]. The bias starts at 0.
class Conv2d : public Layer {
 public:
  /// Throws ShapeError unless all sizes are positive and the groups divide in_channels and out_channels;
  /// DTypeError for int64.
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, PerAxis kernel,
         const Conv2dLayerOptions& options = {}, Rng& rng = default_rng());

  /// Throws as conv2d().
  Tensor forward(const Tensor& x) override;

  Tensor weight() const { return weight_; }
  /// Undefined without a bias.
  Tensor bias() const { return bias_; }

 private:
  Conv2dOptions options_;
  Tensor weight_, bias_;
};

}  // namespace adjoint
