// Normalization: values by the formula in plain numbers, running statistics, gradients, special values.
#include "adjoint/ops/normalization.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>

#include "adjoint/graph/checkpoint.h"
#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;
using Numbers = std::vector<double>;

constexpr TensorOptions kDouble{.dtype = float64};

/// (x - mean) / sqrt(variance + eps) over all elements that group_of maps to the same number.
Numbers standardized(const Numbers& x, double eps, const std::function<std::size_t(std::size_t)>& group_of) {
  Numbers y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    double sum = 0, squares = 0, count = 0;
    for (std::size_t j = 0; j < x.size(); ++j)
      if (group_of(j) == group_of(i)) sum += x[j], ++count;
    const double mean = sum / count;
    for (std::size_t j = 0; j < x.size(); ++j)
      if (group_of(j) == group_of(i)) squares += (x[j] - mean) * (x[j] - mean);
    y.push_back((x[i] - mean) / std::sqrt(squares / count + eps));
  }
  return y;
}

struct Sizes {
  std::size_t channels, pixels;
  std::size_t channel(std::size_t i) const { return i / pixels % channels; }
  std::size_t image(std::size_t i) const { return i / pixels / channels; }
};

Sizes sizes_of(const Shape& shape) {
  const auto pixels = static_cast<std::size_t>(shape.numel() / shape[0] / shape[1]);
  return {static_cast<std::size_t>(shape[1]), pixels};
}

TEST(Normalization, FollowsItsFormulas) {
  Rng rng(1);
  const double eps = 1e-3;
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape :
         {Shape{3, 4}, Shape{2, 4, 3}, Shape{3, 2, 5, 7}, Shape{1, 2, 40}, Shape{2, 6, 1, 2, 2}}) {
      SCOPED_TRACE(to_string(shape));
      const std::int64_t channels = shape[1];
      const Sizes sizes = sizes_of(shape);
      const Tensor x = random_tensor(shape, rng, 1, 3, dtype),
                   w = random_tensor({channels}, rng, .5, 2, dtype),
                   b = random_tensor({channels}, rng, -1, 1, dtype);
      const Numbers xs = numbers(x), ws = numbers(w), bs = numbers(b);
      const auto by_channel = [&](Numbers y) {
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = y[i] * ws[sizes.channel(i)] + bs[sizes.channel(i)];
        return y;
      };
      const double tolerance = 10 * tolerance_of(dtype);
      const auto of_channel = [&](std::size_t i) { return sizes.channel(i); };
      expect_close(batch_norm(x, w, b, {.training = true, .eps = eps}),
                   by_channel(standardized(xs, eps, of_channel)), tolerance);
      expect_close(batch_norm(as_interleaved(x), {}, {}, {.training = true, .eps = eps}),
                   standardized(xs, eps, of_channel), tolerance);
      for (const std::size_t groups : {1, 2}) {
        const auto of_group = [&](std::size_t i) {
          return sizes.image(i) * groups + sizes.channel(i) / (sizes.channels / groups);
        };
        expect_close(group_norm(x, static_cast<std::int64_t>(groups), w, b, {eps}),
                     by_channel(standardized(xs, eps, of_group)), tolerance);
      }
      if (sizes.pixels > 1) {
        const auto own = [&](std::size_t i) { return i / sizes.pixels; };
        expect_close(instance_norm(x, w, b, {.eps = eps}), by_channel(standardized(xs, eps, own)), tolerance);
      }
      const Shape last{shape[-1]}, all_but_first(shape.sizes().subspan(1));
      for (const Shape& normalized : {last, all_but_first}) {
        const auto row = static_cast<std::size_t>(normalized.numel());
        const Tensor weight = random_tensor(normalized, rng, .5, 2, dtype),
                     bias = random_tensor(normalized, rng, -1, 1, dtype);
        const Numbers weights = numbers(weight), biases = numbers(bias);
        Numbers y = standardized(xs, eps, [&](std::size_t i) { return i / row; }), rms;
        for (std::size_t i = 0; i < y.size(); ++i) {
          y[i] = y[i] * weights[i % row] + biases[i % row];
          double squares = 0;
          for (std::size_t j = i / row * row; j < (i / row + 1) * row; ++j) squares += xs[j] * xs[j];
          rms.push_back(xs[i] / std::sqrt(squares / static_cast<double>(row) + eps) * weights[i % row]);
        }
        expect_close(layer_norm(x, normalized, weight, bias, {eps}), y, tolerance);
        expect_close(rms_norm(x, normalized, weight, {.eps = eps}), rms, tolerance);
      }
    }
  }
}

TEST(Normalization, HasRightDerivatives) {
  Rng rng(2);
  for (const Shape& shape : {Shape{3, 2}, Shape{2, 2, 3}}) {
    const Tensor x = random_tensor(shape, rng), w = random_tensor({2}, rng), b = random_tensor({2}, rng);
    const Tensor mean = random_tensor({2}, rng), variance = random_tensor({2}, rng, .5, 2);
    expect_gradients([](auto in) { return batch_norm(in[0], in[1], in[2], {.training = true}); }, {x, w, b});
    expect_gradients(
        [&](auto in) {
          return batch_norm(in[0], in[1], in[2], {.running_mean = mean, .running_var = variance});
        },
        {x, w, b});
    expect_gradients([](auto in) { return group_norm(in[0], 1, in[1], in[2]); }, {x, w, b});
    if (shape.rank() > 2)
      expect_gradients([](auto in) { return instance_norm(in[0], in[1], in[2]); }, {x, w, b});
    const Tensor weight = random_tensor({shape[-1]}, rng), bias = random_tensor({shape[-1]}, rng);
    const Shape last = weight.shape();
    expect_gradients([&](auto in) { return layer_norm(in[0], last, in[1], in[2], {.1}); }, {x, weight, bias});
    expect_gradients([&](auto in) { return rms_norm(in[0], last, in[1]); }, {x, weight});
    expect_gradients([](auto in) { return local_response_norm(in[0], 2, {.alpha = 1, .beta = .5, .k = .5}); },
                     {x});
    for (const double p : {1., 2., 3.})
      expect_gradients([&](auto in) { return normalize(in[0], {.p = p}); }, {x});
  }
  expect_third_derivatives([](auto in) { return batch_norm(in[0], {}, {}, {.training = true}); },
                           {random_tensor({3, 2}, rng)});
}

TEST(BatchNorm, UpdatesItsRunningStatistics) {
  for (const DType dtype : {float32, float64}) {
    const TensorOptions options{.dtype = dtype};
    const Tensor x = tensor({1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7}, {4, 4}, options);
    const BatchNormOptions training{.running_mean = zeros({4}, options),
                                    .running_var = ones({4}, options),
                                    .batches_tracked = scalar(0, {.dtype = int64}),
                                    .training = true};
    const Tensor y = batch_norm(x, zeros({4}, options) + 1, zeros({4}, options), training);
    // Each channel is 1, 2, 3, 4 or this plus a number: variance 1.25, unbiased 5/3.
    expect_close(y,
                 {-1.341635, -1.341635, -1.341635, -1.341635, -.447212, -.447212, -.447212, -.447212,  //
                  .447212, .447212, .447212, .447212, 1.341635, 1.341635, 1.341635, 1.341635},
                 2e-6);
    expect_close(training.running_mean, {.25, .35, .45, .55}, 1e-6);
    const double variance = .9 + .1 * 5 / 3;
    expect_close(training.running_var, {variance, variance, variance, variance}, 1e-6);
    expect_close(training.batches_tracked, {1}, 0);
  }
  // Rows 1 to 4, 2 to 5, 3 to 6 and 4 to 7 as one channel.
  const Tensor x = tensor({1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7}, {4, 1, 4}, kDouble);
  const BatchNormOptions training{
      .running_mean = zeros({1}, kDouble), .running_var = ones({1}, kDouble), .training = true};
  const Tensor y = batch_norm(x, {}, {}, training);
  EXPECT_NEAR(y.data<double>()[0], -1.897363, 1e-6);
  expect_close(training.running_mean, {.4}, 1e-15);
  expect_close(training.running_var, {1.166667}, 1e-6);
}

// Three steps, each as checkpoint() and plainly: the statistics move once in a step.
TEST(BatchNorm, ACheckpointUpdatesItsRunningStatisticsOnce) {
  Rng rng(8);
  const auto statistics = [] {
    return BatchNormOptions{.running_mean = zeros({2}, kDouble),
                            .running_var = ones({2}, kDouble),
                            .batches_tracked = scalar(0, {.dtype = int64}),
                            .training = true};
  };
  const BatchNormOptions plain = statistics(), kept = statistics();
  for (int step = 0; step < 3; ++step) {
    Tensor x = random_tensor({5, 2, 3}, rng).set_requires_grad();
    sum(square(batch_norm(x, {}, {}, plain))).backward();
    sum(square(checkpoint([&](auto in) { return batch_norm(in[0], {}, {}, kept); }, {x}))).backward();
  }
  expect_close(kept.running_mean, numbers(plain.running_mean), 0);
  expect_close(kept.running_var, numbers(plain.running_var), 0);
  expect_close(kept.batches_tracked, {3}, 0);
}

TEST(BatchNorm, AveragesAllBatchesWithoutMomentum) {
  const BatchNormOptions training{.running_mean = full({1}, 99, kDouble),
                                  .running_var = full({1}, 99, kDouble),
                                  .batches_tracked = scalar(0, {.dtype = int64}),
                                  .training = true,
                                  .momentum = {}};
  batch_norm(tensor({1, 3}, {2, 1}, kDouble), {}, {}, training);  // Mean 2, variance 2.
  batch_norm(tensor({5, 5}, {2, 1}, kDouble), {}, {}, training);  // Mean 5, variance 0.
  batch_norm(tensor({1, 9}, {2, 1}, kDouble), {}, {}, training);  // Mean 5, variance 32.
  expect_close(training.running_mean, {4}, 1e-15);
  expect_close(training.running_var, {34.0 / 3}, 1e-14);
  expect_close(training.batches_tracked, {3}, 0);
}

TEST(BatchNorm, ItsGradientKnowsWhetherItTrains) {
  const Tensor x = tensor({1, 2, 4}, {3, 1}, kDouble).set_requires_grad(),
               pick = tensor({1, 0, 0}, {3, 1}, kDouble);
  const BatchNormOptions evaluation{
      .running_mean = zeros({1}, kDouble), .running_var = full({1}, 4, kDouble), .eps = 0};
  for (const bool create_graph : {false, true}) {
    const Tensor trained = batch_norm(x, {}, {}, {.training = true, .eps = 0});
    expect_close(grad(trained, x, {.gradient = pick, .create_graph = create_graph}),
                 {.229081, -.343622, .114541}, 2e-6);
    const Tensor evaluated = batch_norm(x, {}, {}, evaluation);
    expect_close(evaluated, {.5, 1, 2}, 0);
    expect_close(grad(evaluated, x, {.gradient = pick, .create_graph = create_graph}), {.5, 0, 0}, 0);
  }
}

TEST(BatchNorm, AnEmptyBatchChangesNothing) {
  const BatchNormOptions training{.running_mean = full({3}, 2, kDouble),
                                  .running_var = full({3}, 5, kDouble),
                                  .batches_tracked = scalar(7, {.dtype = int64}),
                                  .training = true};
  const Tensor x = zeros({0, 3, 2}, kDouble).set_requires_grad(), w = ones({3}, kDouble).set_requires_grad();
  const Tensor y = batch_norm(x, w, {}, training);
  EXPECT_EQ(y.shape(), (Shape{0, 3, 2}));
  expect_close(grad(sum(y), w), {0, 0, 0}, 0);
  expect_close(training.running_mean, {2, 2, 2}, 0);
  expect_close(training.running_var, {5, 5, 5}, 0);
  expect_close(training.batches_tracked, {7}, 0);
}

TEST(InstanceNorm, TracksTheMeanOfItsStatistics) {
  const Tensor x = tensor({2, 4, 0, 8}, {2, 1, 2}, kDouble);
  InstanceNormOptions options{
      .running_mean = zeros({1}, kDouble), .running_var = ones({1}, kDouble), .eps = 0};
  expect_close(instance_norm(x, {}, {}, options), {-1, 1, -1, 1}, 1e-15);
  expect_close(options.running_mean, {.35}, 1e-15);
  expect_close(options.running_var, {2.6}, 1e-15);
  options.use_input_stats = false;
  const double s = std::sqrt(2.6);
  expect_close(instance_norm(x, {}, {}, options), {1.65 / s, 3.65 / s, -.35 / s, 7.65 / s}, 1e-15);
  expect_close(options.running_mean, {.35}, 1e-15);
}

TEST(Normalization, ALargeMeanCostsNoDigits) {
  const Tensor x = tensor({2000, 2001, 2002, 2003}, {1, 4});
  expect_close(layer_norm(x, {4}), {-1.34164, -.44721, .44721, 1.34164}, 1e-4);
  for (const double constant : {100., 100.1, 1e6 + 1. / 3}) {
    const Tensor level = full({2, 3, 1000}, constant);
    const Numbers zero(6000, 0);
    expect_close(batch_norm(level, {}, {}, {.training = true}), zero, 1e-3);
    expect_close(group_norm(level, 3), zero, 1e-3);
    expect_close(instance_norm(level), zero, 1e-3);
    expect_close(layer_norm(level, {1000}), zero, 1e-3);
  }
}

TEST(Normalization, PassesNotANumberOn) {
  const Tensor y = layer_norm(tensor({1, kNaN, 1, 3}, {2, 2}), {2});
  expect_close(y, {kNaN, kNaN, -1, 1}, 1e-4);
}

TEST(LocalResponseNorm, FollowsItsFormula) {
  Rng rng(3);
  const Tensor x = random_tensor({2, 5, 3}, rng, -2, 2);
  const Numbers xs = numbers(x);
  for (const int size : {1, 2, 3, 5, 20}) {
    Numbers expected;
    for (int i = 0; i < 30; ++i) {
      double total = 0;
      const int c = i / 3 % 5;
      for (int j = std::max(0, c - size / 2); j <= std::min(4, c + (size - 1) / 2); ++j)
        total += std::pow(xs[static_cast<std::size_t>(i + 3 * (j - c))], 2);
      expected.push_back(xs[static_cast<std::size_t>(i)] / std::pow(.5 + 2 * total / size, .7));
    }
    expect_close(local_response_norm(x, size, {.alpha = 2, .beta = .7, .k = .5}), expected, 1e-14);
  }
}

TEST(Normalize, FollowsItsFormulaAndKeepsZeros) {
  const Tensor x = tensor({3, 4, 0, 0, -5, 12}, {3, 2}, kDouble).set_requires_grad();
  const Tensor y = normalize(x);
  expect_close(y, {.6, .8, 0, 0, -5 / 13.0, 12 / 13.0}, 1e-15);
  expect_close(normalize(x, {.p = 1, .axis = 0}), {.375, .25, 0, 0, -.625, .75}, 1e-15);
  const Numbers dx = numbers(grad(sum(y), x));
  EXPECT_EQ(dx[2], 1e12);  // The slope of x / eps.
  EXPECT_NEAR(dx[0], (1 - .6 * 1.4) / 5, 1e-15);
}

TEST(Normalization, SameBitsForAnyNumberOfThreads) {
  Rng rng(4);
  for (const Shape& shape : {Shape{4, 37, 1000}, Shape{3000, 37}}) {
    const Tensor x = random_tensor(shape, rng, -1, 1, float32).set_requires_grad();
    const Tensor dy = random_tensor(shape, rng, -1, 1, float32);
    expect_same_bits_for_any_number_of_threads([&] {
      std::vector<std::vector<double>> results;
      for (const Tensor& y : {batch_norm(x, {}, {}, {.training = true}), layer_norm(x, {shape[-1]})}) {
        results.push_back(numbers(y));
        results.push_back(numbers(grad(y, x, {.gradient = dy})));
      }
      return results;
    });
  }
}

TEST(Normalization, RefusesWhatDoesNotFit) {
  const Tensor x = ones({2, 3}), c = ones({3});
  expect_error<Error>("batch_norm: training needs more than one value for each channel, x is [1,3]", [] {
    batch_norm(ones({1, 3}), {}, {}, {.training = true});
  });
  expect_error<Error>("instance_norm: each channel of an image needs more than one value, x is [2,3]",
                      [&] { instance_norm(x); });
  expect_error<Error>("batch_norm: running_mean and running_var are needed to normalize by them",
                      [&] { batch_norm(x); });
  expect_error<Error>("batch_norm: running_mean and running_var must be given together",
                      [&] { batch_norm(x, {}, {}, {.running_mean = c}); });
  expect_error<Error>("batch_norm: without momentum, batches_tracked is needed", [&] {
    batch_norm(x, {}, {}, {.running_mean = c, .running_var = c, .training = true, .momentum = {}});
  });
  expect_error<DTypeError>("batch_norm: batches_tracked must be int64",
                           [&] { batch_norm(x, {}, {}, {.batches_tracked = scalar(0), .training = true}); });
  expect_error<ShapeError>("batch_norm: batches_tracked must be [], it is [1]", [&] {
    batch_norm(x, {}, {}, {.batches_tracked = zeros({1}, {.dtype = int64}), .training = true});
  });
  expect_error<ShapeError>("batch_norm: running_mean must be [3], it is [2]; x is [2,3]",
                           [&] { batch_norm(x, {}, {}, {.running_mean = ones({2}), .running_var = c}); });
  const Tensor leaf = ones({3}).set_requires_grad(), result = leaf * 2;
  expect_error<GraphError>("batch_norm: running_mean and running_var must be leaves",
                           [&] { batch_norm(x, {}, {}, {.running_mean = result, .running_var = c}); });
  expect_error<ShapeError>("batch_norm: weight must be [3], it is [2]; x is [2,3]",
                           [&] { batch_norm(x, ones({2})); });
  expect_error<DTypeError>("batch_norm: x and bias must have the same dtype; x is float32, bias is float64",
                           [&] { batch_norm(x, c, ones({3}, kDouble)); });
  expect_error<ShapeError>("batch_norm: x must be [N,C,...], it is [3]", [&] { batch_norm(c); });
  expect_error<Error>("batch_norm: eps must not be negative, it is -1",
                      [&] { batch_norm(x, {}, {}, {.training = true, .eps = -1}); });
  expect_error<ShapeError>("layer_norm: the last axes of x must be [2], x is [2,3]",
                           [&] { layer_norm(x, {2}); });
  expect_error<ShapeError>("layer_norm: the last axes of x must be [], x is [2,3]",
                           [&] { layer_norm(x, {}); });
  expect_error<ShapeError>("layer_norm: weight must be [3], it is [2]; x is [2,3]",
                           [&] { layer_norm(x, {3}, ones({2})); });
  expect_error<ShapeError>("rms_norm: the last axes of x must be [1,2,3], x is [2,3]", [&] {
    rms_norm(x, {1, 2, 3});
  });
  expect_error<Error>("group_norm: groups must divide the channels of x [2,3], it is 2",
                      [&] { group_norm(x, 2); });
  expect_error<Error>("group_norm: groups must divide the channels of x [2,3], it is 0",
                      [&] { group_norm(x, 0); });
  expect_error<Error>("local_response_norm: size must be positive, it is 0",
                      [&] { local_response_norm(x, 0); });
  expect_error<Error>("normalize: eps must be positive, it is 0", [&] { normalize(x, {.eps = 0}); });
  expect_error<DTypeError>("layer_norm: x must be float32 or float64, it is int64",
                           [] { layer_norm(arange(3), {3}); });
}

TEST(Normalization, TakesEmptyTensors) {
  EXPECT_EQ(layer_norm(zeros({0, 3}), {3}).shape(), (Shape{0, 3}));
  EXPECT_EQ(layer_norm(zeros({3, 0}), {0}).shape(), (Shape{3, 0}));
  EXPECT_EQ(rms_norm(zeros({0, 3}), {3}).shape(), (Shape{0, 3}));
  EXPECT_EQ(group_norm(zeros({0, 4, 2}), 2).shape(), (Shape{0, 4, 2}));
  EXPECT_EQ(instance_norm(zeros({2, 3, 0})).shape(), (Shape{2, 3, 0}));
  EXPECT_EQ(local_response_norm(zeros({2, 0, 3}), 3).shape(), (Shape{2, 0, 3}));
  EXPECT_EQ(normalize(zeros({0, 3})).shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace adjoint
