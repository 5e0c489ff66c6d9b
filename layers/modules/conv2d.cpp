#include "adjoint/modules/conv2d.h"

#include "adjoint/tensor/create.h"

namespace adjoint {

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels, PerAxis kernel,
               const Conv2dLayerOptions& options, Rng& rng)
    : options_{.stride = options.stride,
               .padding = options.padding,
               .dilation = options.dilation,
               .groups = options.groups,
               .flip_kernel = options.flip_kernel} {
  check_shape(in_channels >= 1 && out_channels >= 1 && kernel.height >= 1 && kernel.width >= 1,
              "Conv2d: all sizes must be positive, got {} to {} channels with a {}x{} kernel", in_channels,
              out_channels, kernel.height, kernel.width);
  check_shape(options.groups >= 1 && in_channels % options.groups == 0 && out_channels % options.groups == 0,
              "Conv2d: the groups must divide {} input and {} output channels, got {} groups", in_channels,
              out_channels, options.groups);
  weight_ = register_parameter(
      "weight", options.init({out_channels, in_channels / options.groups, kernel.height, kernel.width},
                             {.dtype = options.dtype, .groups = options.groups}, rng));
  if (options.bias) bias_ = register_parameter("bias", zeros({out_channels}, {.dtype = options.dtype}));
}

Tensor Conv2d::forward(const Tensor& x) {
  return bias_.defined() ? conv2d(x, weight_, bias_, options_) : conv2d(x, weight_, options_);
}

}  // namespace adjoint
