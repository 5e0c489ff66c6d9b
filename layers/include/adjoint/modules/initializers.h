#pragma once
// The first values of a weight: random numbers whose spread depends on the number of inputs and outputs of a
// unit.
//
// An initializer returns a weight of the given shape, dense [out, in] or convolution [out, in / groups, kh,
// kw]. It throws ShapeError when the shape has fewer than two axes or no elements, Error when groups do not
// divide out, and DTypeError for int64. To give an existing layer new values:
//
//     layer.weight().assign(glorot_normal(layer.weight().shape(), {}, rng));

#include "adjoint/tensor/random.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct InitOptions {
  DType dtype = DType::float32;
  std::int64_t groups = 1;    ///< The convolution's groups.
  double negative_slope = 0;  ///< The slope of the leaky_relu that follows; read by the Kaiming initializers.
};

/// The option .init of layers: any of the functions below, or your own.
using Initializer = Tensor (*)(const Shape& shape, const InitOptions& options, Rng& rng);

/// The number of inputs of a unit, and of units that use an input: in = (in_channels / groups) kh kw and
/// out = (out_channels / groups) kh kw; kh = kw = 1 for a dense weight. Throws as the initializers.
struct Fans {
  double in, out;
};
Fans fans(const Shape& shape, std::int64_t groups = 1);

/// U(+-1 / sqrt(fan_in)): LeCun, Bottou, Orr, Mueller, Efficient BackProp, 1998, using the paper's standard
/// deviation as the bound. This is the default of the layers, and of PyTorch.
Tensor fan_in_uniform(const Shape& shape, const InitOptions& options = {}, Rng& rng = default_rng());

/// The rule of the documented CNN (examples/documented_cnn/README.md): a convolution's weight
/// U(+-sqrt(O / ((I + O) kh kw))) with I input and O output channels, a dense one U(+-sqrt(6 / (in + out))).
/// The second is Glorot's bound; the first has O instead of Glorot's 6.
Tensor documented_uniform(const Shape& shape, const InitOptions& options = {}, Rng& rng = default_rng());

/// U(+-sqrt(6 / (fan_in + fan_out))): Glorot, Bengio, Understanding the difficulty of training deep
/// feedforward neural networks, 2010. For sigmoid and tanh.
Tensor glorot_uniform(const Shape& shape, const InitOptions& options = {}, Rng& rng = default_rng());
/// N(0, 2 / (fan_in + fan_out)): the variance of the same paper.
Tensor glorot_normal(const Shape& shape, const InitOptions& options = {}, Rng& rng = default_rng());

/// U(+-sqrt(6 / ((1 + negative_slope^2) fan_in))): He, Zhang, Ren, Sun, Delving deep into rectifiers, 2015.
/// For relu and leaky_relu.
Tensor kaiming_uniform(const Shape& shape, const InitOptions& options = {}, Rng& rng = default_rng());
/// N(0, 2 / ((1 + negative_slope^2) fan_in)), of the same paper.
Tensor kaiming_normal(const Shape& shape, const InitOptions& options = {}, Rng& rng = default_rng());

}  // namespace adjoint
