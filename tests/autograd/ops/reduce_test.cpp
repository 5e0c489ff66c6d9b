#include "adjoint/ops/reduce.h"

#include <cmath>
#include <numeric>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/naive/reduce.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;
using Reduce = Tensor (*)(const Tensor&, const Axes&, const ReduceOptions&);

const Shape kShapes[] = {{},     {1},       {5},       {17},          {3, 4},          {0, 3},
                         {3, 0}, {2, 3, 5}, {1, 2, 1}, {17, 3, 2, 2}, {2, 1, 3, 1, 2}, {9, 2, 1, 3}};

/// Values and gradients of sum, mean and max over one set of axes against plain loops.
void expect_reductions(const Tensor& rows, unsigned set, bool keepdim) {
  const Shape kept = without(rows.shape(), set, true);
  const std::vector<double> x = numbers(rows);
  const auto size = static_cast<std::size_t>(kept.numel());
  std::vector<double> sums(size), means(size), maxima(size, -kInfinity), counts(size);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t to = source_of(i, rows.shape(), kept);
    sums[to] += x[i];
    maxima[to] = std::max(maxima[to], x[i]);
    ++counts[to];
  }
  for (std::size_t i = 0; i < size; ++i) means[i] = sums[i] / counts[i];
  Rng rng(7);
  const Shape y_shape = without(rows.shape(), set, keepdim);
  const Tensor dy = random_tensor(y_shape, rng, -1, 1, rows.dtype());
  const std::vector<double> dys = numbers(dy);
  std::vector<double> dsum, dmean, dmax;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t from = source_of(i, rows.shape(), kept);
    dsum.push_back(dys[from]);
    dmean.push_back(dys[from] / counts[from]);
    dmax.push_back(x[i] == maxima[from] ? dys[from] : 0);
  }

  const std::vector<int> axes = axes_of(set, rows.rank());
  const double tolerance = tolerance_of(rows.dtype());
  const auto expect = [&](Reduce reduce, const std::vector<double>& y, const std::vector<double>& dx) {
    for (const Tensor& x : {rows, as_interleaved(rows)}) {
      const Tensor found = reduce(x, axes, {.keepdim = keepdim});
      EXPECT_EQ(found.shape(), y_shape);
      expect_close(found, y, tolerance);
      expect_close(grad(found, x, {.gradient = dy, .retain_graph = true}), dx, tolerance);
      expect_close(grad(found, x, {.gradient = as_interleaved(dy)}), dx, tolerance);
    }
  };
  expect(sum, sums, dsum);
  expect(mean, means, dmean);
  if (rows.numel() == 0 && y_shape.numel() != 0) {
    EXPECT_THROW(max(rows, axes), ShapeError);
  } else {
    expect(max, maxima, dmax);
  }
}

TEST(Reduce, EverySetOfAxes) {
  Rng rng(1);
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : kShapes) {
      const Tensor x = random_tensor(shape, rng, -1, 1, dtype).set_requires_grad();
      for (unsigned set = 0; set < 1u << shape.rank(); ++set) {
        for (const bool keepdim : {false, true}) {
          SCOPED_TRACE(to_string(shape) + " axes " + std::to_string(set) + (keepdim ? " keepdim" : ""));
          expect_reductions(x, set, keepdim);
        }
      }
    }
  }
}

TEST(Reduce, OverAll) {
  Rng rng(2);
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(to_string(shape));
    const Tensor x = random_tensor(shape, rng);
    const std::vector<double> xs = numbers(x);
    const double total = std::accumulate(xs.begin(), xs.end(), 0.0);
    for (const Tensor& held : {x, as_interleaved(x)}) {
      EXPECT_EQ(sum(held).shape(), Shape{});
      expect_close(sum(held), {total}, 1e-12);
      expect_close(mean(held), {total / static_cast<double>(xs.size())}, 1e-12);
      if (!xs.empty()) expect_close(max(held), {*std::max_element(xs.begin(), xs.end())}, 0);
    }
  }
  EXPECT_EQ(sum(ones({1001, 999})).item(), 1001 * 999);
  EXPECT_EQ(mean(ones({7, 7})).item(), 1);
  EXPECT_EQ(numbers(mean(full({49, 3}, 0.25), {0}))[2], 0.25);
}

TEST(Reduce, GradientsAndTheirs) {
  Rng rng(3);
  const Reduce reductions[] = {sum, mean, max};
  for (const Shape& shape : {Shape{5}, Shape{3, 4}, Shape{2, 3, 5}, Shape{9, 2, 3}, Shape{0, 3}}) {
    const Tensor x = random_tensor(shape, rng);
    for (const Reduce reduce : reductions) {
      for (unsigned set = 0; set < 1u << shape.rank(); ++set) {
        const std::vector<int> axes = axes_of(set, shape.rank());
        if (x.numel() == 0 && reduce == reductions[2]) continue;
        SCOPED_TRACE(to_string(shape) + " axes " + std::to_string(set));
        expect_gradients([&](auto in) { return reduce(in[0], axes, {}); }, {x});
        expect_gradients(
            [&](auto in) { return as_interleaved(reduce(as_interleaved(in[0]), axes, {.keepdim = true})); },
            {x});
      }
    }
    if (x.numel() > 0) {
      expect_gradients([](auto in) { return sum(in[0]) * mean(in[0] * in[0]) + max(in[0]); }, {x});
    }
  }
}

TEST(Reduce, MaximaThatTieShareTheGradient) {
  const Tensor x = tensor({2, 2, 1, 5, 5, 5}, {2, 3}, {.dtype = float64, .requires_grad = true});
  const Tensor dy = tensor({6, 9}, {.dtype = float64});
  expect_close(grad(max(x, {1}), x, {.gradient = dy}), {3, 3, 0, 3, 3, 3}, 1e-15);
  expect_close(grad(max(x), x), {0, 0, 0, 1 / 3., 1 / 3., 1 / 3.}, 1e-15);
  const Tensor same = full({4, 2}, -kInfinity, {.dtype = float64, .requires_grad = true});
  expect_close(grad(max(same), same), std::vector<double>(8, 0.125), 0);
}

TEST(Reduce, SpecialValues) {
  const Tensor x = tensor({1, kNaN, 3, 1, kInfinity, 3, kInfinity, -kInfinity, 3}, {3, 3});
  expect_close(max(x, {1}), {kNaN, kInfinity, kInfinity}, 0);
  expect_close(sum(x, {1}), {kNaN, kInfinity, kNaN}, 0);
  EXPECT_TRUE(std::isnan(max(x).item()));
  const Tensor nothing = zeros({0, 3});
  expect_close(sum(nothing, {0}), {0, 0, 0}, 0);
  expect_close(mean(nothing, {0}), {kNaN, kNaN, kNaN}, 0);
  EXPECT_EQ(max(nothing, {1}).shape(), Shape{0});
  EXPECT_EQ(sum(nothing).item(), 0);
  EXPECT_TRUE(std::isnan(mean(nothing).item()));
}

// The expected results are the processor's own quotients.
TEST(Reduce, MeansDivide) {
  for (std::int64_t n = 1; n <= 200; ++n) {
    const Tensor narrow = full({n}, 0, {.requires_grad = true}),
                 wide = narrow.detach().to(float64).set_requires_grad();
    expect_bits(grad(mean(narrow), narrow, {.gradient = scalar(3)}),
                std::vector<float>(static_cast<std::size_t>(n), 3.0f / static_cast<float>(n)));
    expect_bits(grad(mean(wide, {0}), wide, {.gradient = scalar(3, {.dtype = float64})}),
                std::vector<double>(static_cast<std::size_t>(n), 3.0 / static_cast<double>(n)));
    const Tensor first = arange(n, {.dtype = float64});  // its sum is exact
    expect_bits(mean(first),
                std::vector<double>{static_cast<double>(n * (n - 1) / 2) / static_cast<double>(n)});
    expect_bits(mean(as_interleaved(full({3, n}, 5)), {1}), std::vector<float>(3, 5));
  }
}

TEST(Reduce, TheGradientOfAMaximumThatIsNotANumberIsNone) {
  const Tensor x = tensor({1, kNaN, 3, 4}, {2, 2}).set_requires_grad();
  expect_close(grad(max(x, {1}), x, {.gradient = ones({2})}), {kNaN, kNaN, 0, 1}, 0);
}

TEST(Reduce, GradientsOfNothingAreZero) {
  const Tensor nothing = zeros({0, 3}, {.requires_grad = true}), dy = ones({3}, {.requires_grad = true});
  for (const Reduce reduce : {Reduce{sum}, Reduce{mean}}) {
    const std::vector<int> first = {0};
    const Tensor dx = grad(reduce(nothing, first, {}), nothing, {.gradient = dy, .create_graph = true});
    EXPECT_EQ(dx.shape(), Shape({0, 3}));
    expect_close(grad(sum(dx), dy), {0, 0, 0}, 0);
  }
}

TEST(Reduce, BroadcastToAndSumToOnEveryPairOfShapes) {
  Rng rng(4);
  for (const Shape& small : all_shapes(3, {0, 1, 2, 3})) {
    for (const Shape& large : all_shapes(3, {0, 1, 2, 3})) {
      if (small.rank() > large.rank() || !shapes_broadcast(small, large) ||
          broadcast_shape("test", small, large) != large)
        continue;
      SCOPED_TRACE(to_string(small) + " to " + to_string(large));
      const Tensor x = random_tensor(small, rng).set_requires_grad();
      const Tensor dy = random_tensor(large, rng).set_requires_grad();
      std::vector<double> repeated(static_cast<std::size_t>(large.numel()));
      std::vector<double> summed(static_cast<std::size_t>(small.numel()));
      for (std::size_t i = 0; i < repeated.size(); ++i) {
        const std::size_t from = source_of(i, large, small);
        repeated[i] = x.data<double>()[from];
        summed[from] += dy.data<double>()[i];
      }
      expect_close(broadcast_to(x, large), repeated, 0);
      expect_close(broadcast_to(as_interleaved(x), large), repeated, 0);
      expect_close(sum_to(dy, small), summed, 1e-14);
      expect_close(sum_to(as_interleaved(dy), small), summed, 1e-14);
      expect_close(grad(broadcast_to(x, large), x, {.gradient = dy}), summed, 1e-14);
      expect_close(grad(sum_to(dy, small), dy, {.gradient = x}), repeated, 0);
    }
  }
  expect_gradients([](auto in) { return broadcast_to(in[0], {4, 2, 3}); }, {random_tensor({2, 1}, rng)});
  expect_gradients([](auto in) { return sum_to(in[0], {2, 1}); }, {random_tensor({4, 2, 3}, rng)});
  expect_close(broadcast_to(tensor({1, 2}, {.dtype = int64}), {2, 2}), {1, 2, 1, 2}, 0);
}

TEST(Reduce, EqualShapesAreLeftAlone) {
  const Tensor x = ones({2, 3});
  const Tensor summed = sum_to(x, {2, 3}), repeated = broadcast_to(x, {2, 3});
  EXPECT_EQ(summed.data<float>().data(), x.data<float>().data());
  EXPECT_EQ(repeated.data<float>().data(), x.data<float>().data());
}

TEST(Reduce, ReadsInterleavedWithoutMakingRowMajor) {
  Rng rng(5);
  const Tensor images = as_interleaved(random_tensor({17, 3, 2, 5}, rng)).set_requires_grad();
  const Tensor features = as_interleaved(random_tensor({17, 6}, rng)).set_requires_grad();
  sum(images, {0, 2, 3});
  sum(images, {0});
  sum(images);
  mean(images, {-1, -2, 0}, {.keepdim = true});
  sum_to(images, {3, 1, 1});
  sum_to(features, {6});
  EXPECT_FALSE(sum(images, {2, 3}).values().has(Layout::row_major));
  EXPECT_FALSE(max(images, {1}, {.keepdim = true}).values().has(Layout::row_major));
  EXPECT_FALSE(mean(features, {1}).values().has(Layout::row_major));
  EXPECT_FALSE(
      broadcast_to(as_interleaved(zeros({17, 3, 1, 1})), {17, 3, 2, 5}).values().has(Layout::row_major));
  EXPECT_FALSE(grad(mean(images), images).values().has(Layout::row_major));
  EXPECT_FALSE(grad(sum(images, {0}), images, {.gradient = zeros({3, 2, 5}, {.dtype = float64})})
                   .values()
                   .has(Layout::row_major));
  EXPECT_FALSE(images.values().has(Layout::row_major));
  EXPECT_FALSE(features.values().has(Layout::row_major));
}

TEST(Reduce, EightAxesCannotBeInterleaved) {
  Rng rng(6);
  const Tensor x = random_tensor({3, 1, 2, 2, 1, 1, 1, 2}, rng);
  for (unsigned set = 0; set < 256; ++set) {
    const std::vector<int> axes = axes_of(set, 8);
    expect_close(sum(as_interleaved(x), axes), sum(x, axes), 1e-14);
    expect_close(max(as_interleaved(x), axes), max(x, axes), 0);
  }
}

TEST(Reduce, Errors) {
  const Tensor x = zeros({2, 3}), whole = zeros({2}, {.dtype = int64});
  expect_error<ShapeError>("sum: axis 2 is out of range; x is [2,3]", [&] { sum(x, {2}); });
  expect_error<ShapeError>("mean: axis -3 is out of range; x is [2,3]", [&] { mean(x, {-3}); });
  expect_error<ShapeError>("max: axis -1 is given twice; x is [2,3]", [&] { max(x, {1, -1}); });
  expect_error<ShapeError>("max: there must be elements to choose from; x is [0,3]", [] {
    max(zeros({0, 3}));
  });
  expect_error<ShapeError>("max: there must be elements to choose from; x is [0,3]", [] {
    max(zeros({0, 3}), {0});
  });
  expect_error<DTypeError>("mean: x must be float32 or float64, it is int64", [&] { mean(whole, {0}); });
  expect_error<ShapeError>("axes: a tensor has at most 8 axes, 9 are given",
                           [&] { sum(x, std::vector<int>(9)); });
  expect_error<DTypeError>("sum_to: x must be float32 or float64, it is int64", [&] { sum_to(whole, {}); });
  expect_error<ShapeError>("sum_to: the shape must broadcast to x's; x is [2,3], the shape [2]",
                           [&] { sum_to(x, {2}); });
  EXPECT_THROW(sum_to(x, {1, 2, 3}), ShapeError);
  expect_error<ShapeError>("broadcast_to: x does not broadcast to the shape; x is [2,3], the shape [3,2]",
                           [&] {
                             broadcast_to(x, {3, 2});
                           });
  EXPECT_THROW(broadcast_to(x, {3}), ShapeError);
  EXPECT_THROW(broadcast_to(zeros({2}), {1}), ShapeError);
}

}  // namespace
}  // namespace adjoint
