#pragma once
// Functions that make tensors. All of them throw DTypeError when requires_grad is set for an int64 or boolean
// tensor. Numbers for an int64 tensor lose their fraction. NaN and numbers outside [-2^63, 2^63) throw Error.
// For a boolean tensor, every number but 0 is true.

#include <initializer_list>
#include <span>

#include "adjoint/tensor/random.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct TensorOptions {
  DType dtype = DType::float32;
  bool requires_grad = false;
};

Tensor zeros(const Shape& shape, const TensorOptions& options = {});
Tensor ones(const Shape& shape, const TensorOptions& options = {});
/// Every element is value.
Tensor full(const Shape& shape, double value, const TensorOptions& options = {});
/// [0, 1, ... n-1], shape [n]. Throws ShapeError when n is negative, and DTypeError on boolean.
Tensor arange(std::int64_t n, const TensorOptions& options = {.dtype = DType::int64});

/// A copy of row-major data, with the dtype of T. Throws ShapeError unless shape has data.size() elements.
template <class T>
Tensor from_data(std::span<const T> data, const Shape& shape, bool requires_grad = false);
/// The given numbers in row-major order: tensor({1, 2, 3, 4}, {2, 2}). Throws ShapeError unless shape has as
/// many elements.
Tensor tensor(std::initializer_list<double> values, const Shape& shape, const TensorOptions& options = {});
/// A vector of the given numbers.
Tensor tensor(std::initializer_list<double> values, const TensorOptions& options = {});
/// One number, shape [].
Tensor scalar(double value, const TensorOptions& options = {});

/// Elements uniform in [low, high), drawn in row-major order. If low == high, all of them are low. Throws
/// DTypeError on int64 and boolean. Throws Error when a bound or high - low is not finite, when low is above
/// high, and when no number of the dtype lies in the interval.
Tensor uniform(const Shape& shape, double low, double high, const TensorOptions& options = {},
               Rng& rng = default_rng());
/// Elements normal with this mean and standard deviation, in row-major order. Throws DTypeError on int64 and
/// boolean, and Error when mean or deviation is not finite or deviation is negative.
Tensor normal(const Shape& shape, double mean, double deviation, const TensorOptions& options = {},
              Rng& rng = default_rng());

}  // namespace adjoint
