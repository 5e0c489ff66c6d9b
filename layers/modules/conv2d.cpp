#include "adjoint/modules/conv2d.h"

#include "adjoint/tensor/create.h"

namespace adjoint {

Conv2d::Conv2d(std::int64_t in, std::int64_t out, PerAxis kernel, const Conv2dLayerOptions& options, Rng& rng)
    : options_{.stride = options.stride,
               .padding = options.padding,
               .dilation = options.dilation,
               .groups = options.groups,
               .flip_kernel = options.flip_kernel} {
  check_shape(in >= 1 && out >= 1 && kernel.height >= 1 && kernel.width >= 1,
              "Conv2d: all sizes must be positive, got {} to {} maps with a {}x{} kernel", in, out,
              kernel.height, kernel.width);
  check_shape(options.groups >= 1 && in % options.groups == 0 && out % options.groups == 0,
              "Conv2d: the groups must divide {} input and {} output maps, got {} groups", in, out,
              options.groups);
  weight_ =
      register_parameter("weight", options.init({out, in / options.groups, kernel.height, kernel.width},
                                                {.dtype = options.dtype, .groups = options.groups}, rng));
  if (options.bias) bias_ = register_parameter("bias", zeros({out}, {.dtype = options.dtype}));
}

Tensor Conv2d::forward(const Tensor& x) {
  return bias_.defined() ? conv2d(x, weight_, bias_, options_) : conv2d(x, weight_, options_);
}

}  // namespace adjoint
