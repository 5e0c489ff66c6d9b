#include "adjoint/tensor/sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint {
namespace {

constexpr std::int64_t kWorkOfALogarithm = 32;

/// The next `count` numbers of a generator.
class Numbers {
 public:
  Numbers(std::int64_t count, Rng& rng) : numbers_(count) {
    rng.fill({numbers_.get(), static_cast<std::size_t>(count)});
  }
  const std::uint32_t* get() const { return numbers_.get(); }
  std::uint32_t operator[](std::int64_t i) const { return numbers_.get()[i]; }
  /// 64 bits of the numbers 2i and 2i + 1.
  std::uint64_t pair(std::int64_t i) const {
    return std::uint64_t{(*this)[2 * i]} << 32 | (*this)[2 * i + 1];
  }
  /// Exponentially distributed with rate 1.
  double exponential(std::int64_t i) const { return -std::log1p(-uniform(i)); }
  /// Uniform in [0, 1), as Rng::uniform().
  double uniform(std::int64_t i) const { return static_cast<double>(pair(i) >> 11) * 0x1p-53; }

 private:
  kernels::Scratch<std::uint32_t> numbers_;
};

/// A tensor with each(i) for element i; work of one element, counted as for parallel_for.
template <class Each>
Tensor generate(const Shape& shape, const TensorOptions& options, std::int64_t work, const Each& each) {
  Values values(options.dtype, shape);
  visit(options.dtype, [&]<class T>() {
    T* y = values.writable<T>();
    kernels::for_chunks(shape.numel(), shape.numel() * work, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t i = first; i < first + count; ++i) y[i] = static_cast<T>(each(i));
    });
  });
  return Tensor(std::move(values)).set_requires_grad(options.requires_grad);
}

/// The sum of one row of weights. Throws unless as many samples can be drawn by them.
double checked_total(const double* weights, std::int64_t classes, std::int64_t row, std::int64_t samples,
                     bool replacement) {
  double total = 0;
  std::int64_t positive = 0;
  for (std::int64_t k = 0; k < classes; ++k) {
    check(weights[k] >= 0 && std::isfinite(weights[k]),
          "multinomial: weights must be finite and not negative, class {} of row {} has {}", k, row,
          weights[k]);
    total += weights[k];
    positive += weights[k] > 0 ? 1 : 0;
  }
  check(samples == 0 || (total > 0 && std::isfinite(total)),
        "multinomial: the weights of a row must have a positive and finite sum, row {} has {}", row, total);
  check(replacement || positive >= samples,
        "multinomial: without replacement, row {} with {} positive weights cannot give {} samples", row,
        positive, samples);
  return total;
}

/// Classes of one row, drawn independently, where pair `first` + i belongs to sample i.
void draw_with_replacement(const double* weights, std::int64_t classes, double total, const Numbers& numbers,
                           std::int64_t first, std::span<std::int64_t> result) {
  const kernels::Scratch<double> sums(classes);
  std::partial_sum(weights, weights + classes, sums.get());
  std::int64_t last = classes - 1;
  while (last > 0 && weights[last] == 0) --last;
  for (std::int64_t& sample : result) {
    // The product may be rounded up to the total.
    const double* found =
        std::upper_bound(sums.get(), sums.get() + classes, numbers.uniform(first++) * total);
    sample = std::min<std::int64_t>(found - sums.get(), last);
  }
}

/// The classes with the smallest of exponential variables whose rates are the weights.
void draw_without_replacement(const double* weights, std::int64_t classes, const Numbers& numbers,
                              std::int64_t first, std::span<std::int64_t> result) {
  const kernels::Scratch<double> arrival(classes);
  const kernels::Scratch<std::int64_t> order(classes);
  for (std::int64_t k = 0; k < classes; ++k)
    arrival.get()[k] = weights[k] > 0 ? numbers.exponential(first + k) / weights[k] : INFINITY;
  std::iota(order.get(), order.get() + classes, 0);
  const auto earlier = [&](std::int64_t a, std::int64_t b) {
    const double first = arrival.get()[a], second = arrival.get()[b];
    // A very small weight may arrive at infinity, too.
    if (first != second) return first < second;
    return (weights[a] > 0) != (weights[b] > 0) ? weights[a] > 0 : a < b;
  };
  std::partial_sort(order.get(), order.get() + result.size(), order.get() + classes, earlier);
  std::copy_n(order.get(), result.size(), result.begin());
}

}  // namespace

Tensor bernoulli(const Shape& shape, double p, const TensorOptions& options, Rng& rng) {
  check(p >= 0 && p <= 1, "bernoulli: p must be in [0, 1], it is {}", p);
  const Numbers numbers(shape.numel(), rng);
  const double limit = std::nearbyint(p * 0x1p32);
  const bool always = limit == 0x1p32;  // More than 32 bits hold.
  return generate(shape, options, 2,
                  [numbers = numbers.get(), always, below = always ? 0 : static_cast<std::uint32_t>(limit)](
                      std::int64_t i) { return (numbers[i] < below) | always; });
}

Tensor bernoulli(const Tensor& p, Rng& rng) {
  check<DTypeError>(is_floating(p.dtype()), "bernoulli: p must be float32 or float64, it is {}", p.dtype());
  const Tensor probabilities = p.to(float64);
  const auto* at = probabilities.values().row_major<double>();
  for (std::int64_t i = 0; i < p.numel(); ++i)
    check(at[i] >= 0 && at[i] <= 1, "bernoulli: p must be in [0, 1], p[{}] is {} in row-major order", i,
          at[i]);
  const Numbers numbers(p.numel(), rng);
  return generate(p.shape(), {.dtype = p.dtype()}, 2,
                  [&](std::int64_t i) { return numbers[i] < std::nearbyint(at[i] * 0x1p32); });
}

Tensor randint(const Shape& shape, std::int64_t low, std::int64_t high, const TensorOptions& options,
               Rng& rng) {
  check<DTypeError>(options.dtype != DType::boolean, "randint: the dtype must be that of numbers, it is {}",
                    options.dtype);
  check(low < high, "randint: low must be below high, they are {} and {}", low, high);
  const auto least = static_cast<std::uint64_t>(low), range = static_cast<std::uint64_t>(high) - least;
  const Numbers numbers(2 * shape.numel(), rng);
  return generate(shape, options, 8,
                  [&](std::int64_t i) { return static_cast<std::int64_t>(least + numbers.pair(i) % range); });
}

Tensor randperm(std::int64_t n, Rng& rng) {
  Values order(DType::int64, Shape{n});
  auto* items = order.writable<std::int64_t>();
  std::iota(items, items + n, 0);
  rng.shuffle({items, static_cast<std::size_t>(n)});
  return Tensor(std::move(order));
}

Tensor exponential(const Shape& shape, double rate, const TensorOptions& options, Rng& rng) {
  check<DTypeError>(is_floating(options.dtype), "exponential: the dtype must be floating, it is {}",
                    options.dtype);
  check(rate > 0 && std::isfinite(rate), "exponential: rate must be positive and finite, it is {}", rate);
  const Numbers numbers(2 * shape.numel(), rng);
  return generate(shape, options, kWorkOfALogarithm,
                  [&](std::int64_t i) { return numbers.exponential(i) / rate; });
}

Tensor multinomial(const Tensor& weights, std::int64_t samples, const MultinomialOptions& options, Rng& rng) {
  check<DTypeError>(is_floating(weights.dtype()), "multinomial: weights must be float32 or float64, it is {}",
                    weights.dtype());
  check_shape(weights.rank() == 1 || weights.rank() == 2,
              "multinomial: weights must be [K] or [N,K], it is {}", weights.shape());
  check_shape(samples >= 0, "multinomial: samples must not be negative, it is {}", samples);
  const std::int64_t classes = weights.size(-1), rows = weights.rank() == 1 ? 1 : weights.size(0);
  const Tensor exact = weights.to(float64);
  const auto* w = exact.values().row_major<double>();
  const kernels::Scratch<double> totals(rows);
  for (std::int64_t row = 0; row < rows; ++row)
    totals.get()[row] = checked_total(w + row * classes, classes, row, samples, options.replacement);
  const std::int64_t draws = options.replacement ? samples : classes;
  const Numbers numbers(2 * rows * draws, rng);
  Values y(DType::int64, weights.shape().with(-1, samples));
  auto* result = y.writable<std::int64_t>();
  for (std::int64_t row = 0; row < rows && samples > 0; ++row) {
    const std::span<std::int64_t> place(result + row * samples, static_cast<std::size_t>(samples));
    const double* own = w + row * classes;
    if (options.replacement) {
      draw_with_replacement(own, classes, totals.get()[row], numbers, row * draws, place);
    } else {
      draw_without_replacement(own, classes, numbers, row * draws, place);
    }
  }
  return Tensor(std::move(y));
}

}  // namespace adjoint
