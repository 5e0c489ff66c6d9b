#pragma once
// Normalization: numbers moved and scaled so that a group of them has mean 0 and variance 1, or norm 1.
// Defaults are PyTorch's.
//
// A variance is computed from the differences to the mean, so a large mean costs no digits. weight and bias,
// where an op takes them, may be left undefined; they stand for 1 and 0. All tensors of a call have one
// floating dtype. All ops throw DTypeError when dtypes do not fit, ShapeError when shapes do not, and Error
// when an option is out of range. They are differentiable any number of times.

#include <cstdint>
#include <optional>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct BatchNormOptions {
  /// [C], leaves. Training updates them if they are given; evaluation needs both.
  Tensor running_mean = {}, running_var = {};
  /// Int64 [], a leaf: the number of batches that training has seen. Needed for the average of all of them.
  Tensor batches_tracked = {};
  bool training = false;
  /// The weight of a new batch in the running statistics. Without it, they are the average of all batches.
  std::optional<double> momentum = 0.1;
  double eps = 1e-5;
};
/// y = (x - m) / sqrt(v + eps) weight + bias for each channel: x [N,C,...], weight and bias [C]. In training,
/// m and v are mean and variance (divided by the number n of values) of the channel in this batch, and
/// gradients flow through them. running_mean and running_var then move towards m and v n / (n - 1). In
/// evaluation, m and v are the running ones. A batch without values leaves the running statistics as they
/// are, and so does the second computation in a checkpoint(). If anything is thrown, they have not changed.
/// Throws Error in training when a channel has one value only.
Tensor batch_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                  const BatchNormOptions& options = {});

struct InstanceNormOptions {
  /// [C], leaves: updated if they are given, by the mean over the batch of each image's statistics.
  Tensor running_mean = {}, running_var = {};
  bool use_input_stats = true;  ///< Otherwise the running statistics are used, as in evaluation.
  double momentum = 0.1;        ///< The weight of a new batch in the running statistics.
  double eps = 1e-5;
};
/// The same for each channel of each image by itself: x [N,C,...], weight and bias [C]. Throws Error when a
/// channel of an image has one value only, unless the running statistics are used.
Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                     const InstanceNormOptions& options = {});

struct NormalizationOptions {
  double eps = 1e-5;
};
/// y = (x - m) / sqrt(v + eps) weight + bias over the last axes, which have the sizes of `normalized`: so
/// have weight and bias. layer_norm(x, {64}, weight, bias) for x [...,64].
Tensor layer_norm(const Tensor& x, const Shape& normalized, const Tensor& weight = {},
                  const Tensor& bias = {}, const NormalizationOptions& options = {});
/// The same for each image's channels in `groups` groups of equal size: x [N,C,...], weight and bias [C].
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = {}, const Tensor& bias = {},
                  const NormalizationOptions& options = {});

struct RmsNormOptions {
  std::optional<double> eps = {};  ///< The default is the dtype's distance from 1 to the next number.
};
/// y = x / sqrt(mean(x^2) + eps) weight over the last axes, which have the sizes of `normalized`: so has
/// weight. Zhang, Sennrich: Root mean square layer normalization, 2019.
Tensor rms_norm(const Tensor& x, const Shape& normalized, const Tensor& weight = {},
                const RmsNormOptions& options = {});

struct LocalResponseNormOptions {
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1;
};
/// y[n,c] = x[n,c] / (k + alpha / size sum_j x[n,j]^2)^beta, where j runs over the channels from c - size / 2
/// to c + (size - 1) / 2 that exist: x [N,C,...]. Krizhevsky, Sutskever, Hinton, 2012.
Tensor local_response_norm(const Tensor& x, std::int64_t size, const LocalResponseNormOptions& options = {});

struct NormalizeOptions {
  double p = 2;  ///< See norm().
  int axis = 1;
  double eps = 1e-12;  ///< Smaller norms count as this one.
};
/// y = x / max(norm(x), eps) along an axis. Zeros stay zeros.
Tensor normalize(const Tensor& x, const NormalizeOptions& options = {});

}  // namespace adjoint
