#include "adjoint/tensor/create.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

bool can_hold(DType dtype, double value) { return dtype != DType::int64 || fits_int64(value); }

Tensor constant(const char* op, const Shape& shape, double value, const TensorOptions& options) {
  check(can_hold(options.dtype, value), "{}: the value is {}, which int64 cannot hold", op, value);
  return generate(shape, options, [=] { return value; });
}

/// The numbers of type T from least to most.
template <class T>
struct Interval {
  T least, most;
};

/// The numbers of type T in [low, high), or low alone if both are equal.
template <class T>
Interval<T> numbers_in(double low, double high) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  T least = static_cast<T>(low), most = static_cast<T>(high);
  if (low == high) return {least, most};
  if (least < low) least = std::nextafter(least, kInfinity);
  if (most >= high) most = std::nextafter(most, -kInfinity);
  return {least, most};
}

/// Throws unless dtype is floating and both numbers are finite in it.
void check_finite(const char* op, DType dtype, const char* names, double a, double b) {
  check<DTypeError>(is_floating(dtype), "{}: the dtype must be floating, it is {}", op, dtype);
  const double largest = dtype == DType::float32 ? std::numeric_limits<float>::max()  //
                                                 : std::numeric_limits<double>::max();
  check(std::abs(a) <= largest && std::abs(b) <= largest, "{}: {} must be finite as {}, they are {} and {}",
        op, names, dtype, a, b);
}

}  // namespace

Tensor full(const Shape& shape, double value, const TensorOptions& options) {
  return constant("full", shape, value, options);
}
Tensor zeros(const Shape& shape, const TensorOptions& options) { return full(shape, 0, options); }
Tensor ones(const Shape& shape, const TensorOptions& options) { return full(shape, 1, options); }
Tensor scalar(double value, const TensorOptions& options) { return constant("scalar", {}, value, options); }

Tensor arange(std::int64_t n, const TensorOptions& options) {
  check<DTypeError>(options.dtype != DType::boolean, "arange: the dtype must be that of numbers, it is {}",
                    options.dtype);
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
template Tensor from_data(std::span<const bool>, const Shape&, bool);

Tensor tensor(std::initializer_list<double> values, const Shape& shape, const TensorOptions& options) {
  check_shape(std::cmp_equal(values.size(), shape.numel()), "tensor: {} values do not fill shape {}",
              values.size(), shape);
  for (const double& value : values) {
    check(can_hold(options.dtype, value), "tensor: element {} is {}, which int64 cannot hold",
          &value - values.begin(), value);
  }
  return generate(shape, options, [next = values.begin()]() mutable { return *next++; });
}
Tensor tensor(std::initializer_list<double> values, const TensorOptions& options) {
  return tensor(values, Shape{static_cast<std::int64_t>(values.size())}, options);
}

Tensor uniform(const Shape& shape, double low, double high, const TensorOptions& options, Rng& rng) {
  check_finite("uniform", options.dtype, "low and high", low, high);
  check(low <= high, "uniform: low must be at most high, they are {} and {}", low, high);
  const double width = high - low;
  check(std::isfinite(width), "uniform: high - low must be finite, low is {} and high {}", low, high);
  Values values(options.dtype, shape);
  visit_floating(options.dtype, [&]<class T>() {
    const auto [least, most] = numbers_in<T>(low, high);
    check(least <= most, "uniform: there must be a {} from low to below high, they are {} and {}",
          options.dtype, low, high);
    // Rounding may leave the interval.
    std::generate_n(values.writable<T>(), shape.numel(), [&, least = least, most = most] {
      return std::clamp(static_cast<T>(low + width * rng.uniform()), least, most);
    });
  });
  return Tensor(std::move(values)).set_requires_grad(options.requires_grad);
}

Tensor normal(const Shape& shape, double mean, double deviation, const TensorOptions& options, Rng& rng) {
  check_finite("normal", options.dtype, "mean and deviation", mean, deviation);
  check(deviation >= 0, "normal: deviation must not be negative, it is {}", deviation);
  return generate(shape, options, [&] { return mean + deviation * rng.normal(); });
}

}  // namespace adjoint
