#include "adjoint/ops/normalization.h"

#include <cmath>
#include <limits>

#include "adjoint/graph/checkpoint.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/pad.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/slice.h"
#include "adjoint/ops/statistics.h"
#include "autograd/kernels/normalization/standardize.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

/// Mean and variance of each group, float64.
struct Statistics {
  Tensor mean, variance;
};

/// (x - mean) / sqrt(variance + eps) for x [outer,groups,inner] over outer and inner.
Tensor standardized(const char* op, const Tensor& x, double eps, Statistics* statistics = nullptr) {
  const kernels::Groups groups{x.size(0), x.size(1), x.size(2)};
  Values y(x.dtype(), x.shape()), mean(DType::float64, {groups.groups}),
      variance(DType::float64, {groups.groups});
  visit_floating(x.dtype(), [&]<class T>() {
    kernels::standardize(groups, eps, x.values().row_major<T>(), y.writable<T>(), mean.writable<double>(),
                         variance.writable<double>());
  });
  if (statistics != nullptr) *statistics = {Tensor(std::move(mean)), Tensor(variance)};
  return record(
      op, std::move(y), {x},
      [groups, eps, x = Saved(x), variance = std::move(variance)](const Tensor& dy, const Tensor& y,
                                                                  Needs) -> Grads {
        if (grad_enabled()) {
          const Tensor spread = sqrt(var(x, {0, 2}, {.correction = 0, .keepdim = true}) + eps);
          const auto mean_of = [](const Tensor& t) { return adjoint::mean(t, {0, 2}, {.keepdim = true}); };
          return {(dy - mean_of(dy) - y * mean_of(dy * y)) / spread};
        }
        Values dx(dy.dtype(), dy.shape());
        visit_floating(dy.dtype(), [&]<class T>() {
          kernels::standardize_grad(groups, eps, variance.row_major<double>(), dy.values().row_major<T>(),
                                    y.values().row_major<T>(), dx.writable<T>());
        });
        return {Tensor(std::move(dx))};
      });
}

void check_factor(const char* op, const Tensor& x, const char* name, const Tensor& factor,
                  const Shape& shape) {
  if (!factor.defined()) return;
  ops::check_same_dtype(op, "x", x, name, factor);
  check_shape(factor.shape() == shape, "{}: {} must be {}, it is {}; x is {}", op, name, shape,
              factor.shape(), x.shape());
}

void check_eps(const char* op, double eps) {
  check(eps >= 0, "{}: eps must not be negative, it is {}", op, eps);
}

Tensor affine(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor scaled = weight.defined() ? x * weight : x;
  return bias.defined() ? scaled + bias : scaled;
}

/// channels [C] as [C,1,...], to be broadcast to x [N,C,...].
Tensor of_channels(const Tensor& x, const Tensor& channels) {
  if (!channels.defined()) return channels;
  std::int64_t sizes[Shape::kMaxRank];
  std::fill_n(sizes, x.rank() - 1, 1);
  sizes[0] = channels.size(0);
  return reshape(channels,
                 Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(x.rank() - 1))));
}

/// x [N,C,...] and its per-channel arguments, checked.
void check_channels(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  ops::check_floating(op, "x", x);
  check_shape(x.rank() >= 2, "{}: x must be [N,C,...], it is {}", op, x.shape());
  check_factor(op, x, "weight", weight, {x.size(1)});
  check_factor(op, x, "bias", bias, {x.size(1)});
  check_eps(op, eps);
}

/// Elements of one channel of one image.
std::int64_t pixels(const Shape& shape) {
  std::int64_t count = 1;
  for (int i = 2; i < shape.rank(); ++i) count *= shape[i];
  return count;
}

void check_running(const char* op, const Tensor& x, const Tensor& mean, const Tensor& variance) {
  check(mean.defined() == variance.defined(), "{}: running_mean and running_var must be given together", op);
  check_factor(op, x, "running_mean", mean, {x.size(1)});
  check_factor(op, x, "running_var", variance, {x.size(1)});
  check<GraphError>(!mean.defined() || (mean.is_leaf() && variance.is_leaf()),
                    "{}: running_mean and running_var must be leaves", op);
}

/// Moves the running statistics towards those of a batch, where n values were behind each variance.
void update_running(Tensor mean, Tensor variance, const Statistics& batch, std::int64_t n, double momentum) {
  const NoGrad values_only;
  const auto towards = [&](const Tensor& old, const Tensor& target) {
    return old.to(float64) * (1 - momentum) + target * momentum;
  };
  const double unbiased = static_cast<double>(n) / static_cast<double>(n - 1);
  const Tensor new_mean = towards(mean, batch.mean).to(mean.dtype());
  const Tensor new_variance = towards(variance, batch.variance * unbiased).to(variance.dtype());
  mean.prepare_assign(new_mean);
  variance.prepare_assign(new_variance);
  mean.assign(new_mean);
  variance.assign(new_variance);
}

/// (x - mean) / sqrt(variance + eps) weight + bias with the statistics given.
Tensor by_running(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& mean, const Tensor& variance, double eps) {
  check(mean.defined(), "{}: running_mean and running_var are needed to normalize by them", op);
  const Tensor spread = sqrt(variance + eps);
  const Tensor scale = weight.defined() ? weight / spread : 1 / spread;
  return affine(x - of_channels(x, mean), of_channels(x, scale), of_channels(x, bias));
}

/// The number of elements in the last axes of x, which must have the sizes `normalized`.
std::int64_t last_elements(const char* op, const Tensor& x, const Shape& normalized) {
  ops::check_floating(op, "x", x);
  const int first = x.rank() - normalized.rank();
  bool fits = first >= 0 && normalized.rank() > 0;
  for (int i = 0; fits && i < normalized.rank(); ++i) fits = x.size(first + i) == normalized[i];
  check_shape(fits, "{}: the last axes of x must be {}, x is {}", op, normalized, x.shape());
  return normalized.numel();
}

std::int64_t rows_of(const Tensor& x, std::int64_t row) { return row == 0 ? 0 : x.numel() / row; }

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const BatchNormOptions& options) {
  const char* op = "batch_norm";
  check_channels(op, x, weight, bias, options.eps);
  check_running(op, x, options.running_mean, options.running_var);
  if (!options.training)
    return by_running(op, x, weight, bias, options.running_mean, options.running_var, options.eps);
  Tensor batches = options.batches_tracked;
  const bool counted = batches.defined(), running = options.running_mean.defined();
  check(!running || options.momentum || counted, "{}: without momentum, batches_tracked is needed", op);
  check<DTypeError>(!counted || batches.dtype() == DType::int64, "{}: batches_tracked must be int64", op);
  check_shape(!counted || batches.rank() == 0, "{}: batches_tracked must be [], it is {}", op,
              counted ? batches.shape() : Shape());
  const std::int64_t n = x.size(0) * pixels(x.shape());
  check(n != 1, "{}: training needs more than one value for each channel, x is {}", op, x.shape());
  Statistics batch;
  const Tensor y =
      standardized(op, reshape(x, {x.size(0), x.size(1), pixels(x.shape())}), options.eps, &batch);
  Tensor result = affine(reshape(y, x.shape()), of_channels(x, weight), of_channels(x, bias));
  if (n == 0 || is_recomputing()) return result;
  const double seen = counted ? batches.item() + 1 : 0;
  if (counted) batches.prepare_update();
  if (running)
    update_running(options.running_mean, options.running_var, batch, n, options.momentum.value_or(1 / seen));
  if (counted) batches.mutable_data<std::int64_t>()[0] += 1;
  return result;
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const InstanceNormOptions& options) {
  const char* op = "instance_norm";
  check_channels(op, x, weight, bias, options.eps);
  check_running(op, x, options.running_mean, options.running_var);
  if (!options.use_input_stats)
    return by_running(op, x, weight, bias, options.running_mean, options.running_var, options.eps);
  const std::int64_t n = pixels(x.shape()), images = x.size(0), channels = x.size(1);
  check(n != 1, "{}: each channel of an image needs more than one value, x is {}", op, x.shape());
  Statistics batch;
  const Tensor y = standardized(op, reshape(x, {1, images * channels, n}), options.eps, &batch);
  Tensor result = affine(reshape(y, x.shape()), of_channels(x, weight), of_channels(x, bias));
  if (options.running_mean.defined() && images * n != 0 && !is_recomputing()) {
    const auto over_images = [&](const Tensor& t) { return mean(reshape(t, {images, channels}), 0); };
    update_running(options.running_mean, options.running_var,
                   {over_images(batch.mean), over_images(batch.variance)}, n, options.momentum);
  }
  return result;
}

Tensor layer_norm(const Tensor& x, const Shape& normalized, const Tensor& weight, const Tensor& bias,
                  const NormalizationOptions& options) {
  const std::int64_t row = last_elements("layer_norm", x, normalized);
  check_factor("layer_norm", x, "weight", weight, normalized);
  check_factor("layer_norm", x, "bias", bias, normalized);
  check_eps("layer_norm", options.eps);
  const Tensor y = standardized("layer_norm", reshape(x, {1, rows_of(x, row), row}), options.eps);
  return affine(reshape(y, x.shape()), weight, bias);
}

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                  const NormalizationOptions& options) {
  check_channels("group_norm", x, weight, bias, options.eps);
  check(groups > 0 && x.size(1) % groups == 0,
        "group_norm: groups must divide the channels of x {}, it is {}", x.shape(), groups);
  const std::int64_t size = x.size(1) / groups * pixels(x.shape());
  const Tensor y = standardized("group_norm", reshape(x, {1, x.size(0) * groups, size}), options.eps);
  return affine(reshape(y, x.shape()), of_channels(x, weight), of_channels(x, bias));
}

Tensor rms_norm(const Tensor& x, const Shape& normalized, const Tensor& weight,
                const RmsNormOptions& options) {
  const std::int64_t row = last_elements("rms_norm", x, normalized);
  check_factor("rms_norm", x, "weight", weight, normalized);
  const double next = x.dtype() == DType::float32 ? std::numeric_limits<float>::epsilon()
                                                  : std::numeric_limits<double>::epsilon();
  const double eps = options.eps.value_or(next);
  check_eps("rms_norm", eps);
  const Tensor rows = reshape(x, {rows_of(x, row), row});
  const Tensor y = rows / sqrt(mean(square(rows), 1, {.keepdim = true}) + eps);
  return affine(reshape(y, x.shape()), weight, {});
}

Tensor local_response_norm(const Tensor& x, std::int64_t size, const LocalResponseNormOptions& options) {
  const char* op = "local_response_norm";
  check_channels(op, x, {}, {}, 0);
  check(size > 0, "{}: size must be positive, it is {}", op, size);
  const std::int64_t channels = x.size(1);
  // Channels further away than the last one do not exist.
  const std::int64_t before = std::min(size / 2, channels), after = std::min((size - 1) / 2, channels);
  const Tensor flat = reshape(x, {x.size(0), channels, pixels(x.shape())});
  const Tensor padded = pad(square(flat), {0, 0, before, after});
  Tensor total = narrow(padded, 1, 0, channels);
  for (std::int64_t j = 1; j <= before + after; ++j) total = total + narrow(padded, 1, j, channels);
  const Tensor base = total * (options.alpha / static_cast<double>(size)) + options.k;
  return reshape(flat / pow(base, options.beta), x.shape());
}

Tensor normalize(const Tensor& x, const NormalizeOptions& options) {
  ops::check_floating("normalize", "x", x);
  check(options.eps > 0, "normalize: eps must be positive, it is {}", options.eps);
  const int axis = ops::checked_axis("normalize", x, options.axis);
  const Tensor size = norm(x, axis, {.p = options.p, .keepdim = true});
  return x / where(size < options.eps, options.eps, size);
}

}  // namespace adjoint
