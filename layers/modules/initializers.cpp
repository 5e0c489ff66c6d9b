#include "adjoint/modules/initializers.h"

#include <cmath>

#include "adjoint/tensor/create.h"

namespace adjoint {
namespace {

Tensor within(double bound, const Shape& shape, const InitOptions& options, Rng& rng) {
  return uniform(shape, -bound, bound, {.dtype = options.dtype}, rng);
}

Tensor with_variance(double variance, const Shape& shape, const InitOptions& options, Rng& rng) {
  return normal(shape, 0, std::sqrt(variance), {.dtype = options.dtype}, rng);
}

/// The variance that keeps the scale of signals through leaky_relu.
double kaiming_variance(const Shape& shape, const InitOptions& options) {
  return 2 / ((1 + options.negative_slope * options.negative_slope) * fans(shape, options.groups).in);
}

double glorot_variance(const Shape& shape, const InitOptions& options) {
  const Fans fan = fans(shape, options.groups);
  return 2 / (fan.in + fan.out);
}

/// The bound of the uniform distribution with this variance.
double bound_of(double variance) { return std::sqrt(3 * variance); }

}  // namespace

Fans fans(const Shape& shape, std::int64_t groups) {
  check_shape(shape.rank() >= 2 && shape.numel() > 0,
              "init: a weight must have at least two axes and an element, it is {}", shape);
  check(groups >= 1 && shape[0] % groups == 0, "init: {} groups do not divide the {} output channels of {}",
        groups, shape[0], shape);
  const auto in = static_cast<double>(shape.features());
  const std::int64_t out_channels = shape[0] / groups;
  return {.in = in, .out = static_cast<double>(out_channels) * in / static_cast<double>(shape[1])};
}

Tensor fan_in_uniform(const Shape& shape, const InitOptions& options, Rng& rng) {
  return within(1 / std::sqrt(fans(shape, options.groups).in), shape, options, rng);
}

Tensor documented_uniform(const Shape& shape, const InitOptions& options, Rng& rng) {
  if (shape.rank() == 2) return glorot_uniform(shape, options, rng);
  const double kernel = fans(shape, options.groups).in / static_cast<double>(shape[1]);
  const auto in = static_cast<double>(shape[1] * options.groups), out = static_cast<double>(shape[0]);
  return within(std::sqrt(out / ((in + out) * kernel)), shape, options, rng);
}

Tensor glorot_uniform(const Shape& shape, const InitOptions& options, Rng& rng) {
  return within(bound_of(glorot_variance(shape, options)), shape, options, rng);
}
Tensor glorot_normal(const Shape& shape, const InitOptions& options, Rng& rng) {
  return with_variance(glorot_variance(shape, options), shape, options, rng);
}

Tensor kaiming_uniform(const Shape& shape, const InitOptions& options, Rng& rng) {
  return within(bound_of(kaiming_variance(shape, options)), shape, options, rng);
}
Tensor kaiming_normal(const Shape& shape, const InitOptions& options, Rng& rng) {
  return with_variance(kaiming_variance(shape, options), shape, options, rng);
}

}  // namespace adjoint
