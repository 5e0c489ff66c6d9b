#include "autograd/create.h"

#include <algorithm>

namespace adjoint {
namespace {

/// A tensor whose elements, in row-major order, are what next() returns.
template <class Next>
Tensor generate(const Shape& shape, const TensorOptions& options, Next next) {
  Values values(options.dtype, shape);
  visit(options.dtype, [&]<class T>() {
    std::generate_n(values.writable<T>(), shape.numel(), [&] { return static_cast<T>(next()); });
  });
  return Tensor(std::move(values)).set_requires_grad(options.requires_grad);
}

}  // namespace

Tensor full(const Shape& shape, double value, const TensorOptions& options) {
  return generate(shape, options, [=] { return value; });
}
Tensor zeros(const Shape& shape, const TensorOptions& options) { return full(shape, 0, options); }
Tensor ones(const Shape& shape, const TensorOptions& options) { return full(shape, 1, options); }
Tensor scalar(double value, const TensorOptions& options) { return full({}, value, options); }

Tensor arange(std::int64_t n, const TensorOptions& options) {
  return generate(Shape{n}, options, [i = std::int64_t{0}]() mutable { return i++; });
}

template <class T>
Tensor from_data(std::span<const T> data, const Shape& shape, bool requires_grad) {
  check_shape(std::cmp_equal(data.size(), shape.numel()), "from_data: {} elements do not fill shape {}",
              data.size(), shape);
  Values values(dtype_of<T>, shape);
  std::copy(data.begin(), data.end(), values.writable<T>());
  return Tensor(std::move(values)).set_requires_grad(requires_grad);
}
template Tensor from_data(std::span<const float>, const Shape&, bool);
template Tensor from_data(std::span<const double>, const Shape&, bool);
template Tensor from_data(std::span<const std::int64_t>, const Shape&, bool);

Tensor tensor(std::initializer_list<double> values, const Shape& shape, const TensorOptions& options) {
  check_shape(std::cmp_equal(values.size(), shape.numel()), "tensor: {} values do not fill shape {}",
              values.size(), shape);
  return generate(shape, options, [next = values.begin()]() mutable { return *next++; });
}
Tensor tensor(std::initializer_list<double> values, const TensorOptions& options) {
  return tensor(values, Shape{static_cast<std::int64_t>(values.size())}, options);
}

Tensor uniform(const Shape& shape, double low, double high, const TensorOptions& options, Rng& rng) {
  check<DTypeError>(is_floating(options.dtype), "uniform: the dtype must be floating, it is {}",
                    options.dtype);
  return generate(shape, options, [&] { return low + (high - low) * rng.uniform(); });
}

Tensor normal(const Shape& shape, double mean, double deviation, const TensorOptions& options, Rng& rng) {
  check<DTypeError>(is_floating(options.dtype), "normal: the dtype must be floating, it is {}",
                    options.dtype);
  return generate(shape, options, [&] { return mean + deviation * rng.normal(); });
}

}  // namespace adjoint
