#include "adjoint/ops/dropout.h"

#include <cmath>
#include <gtest/gtest.h>

#include "adjoint/graph/grad.h"
#include "adjoint/modules/dropout.h"
#include "adjoint/ops/arithmetic.h"
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

/// Whether each of `count` elements is kept: its number is below 1 - p of all.
std::vector<bool> kept(std::size_t count, double p, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<bool> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(rng() < (1 - p) * 0x1p32);
  return result;
}

TEST(Dropout, KeepsWhatTheGeneratorSays) {
  for (const double p : {.1, .5, .9}) {
    const Tensor x = random_tensor({13, 17}, default_rng(), -1, 1).set_requires_grad();
    Rng rng(7);
    const Tensor y = dropout(x, {.p = p}, rng);
    const std::vector<bool> keep = kept(13 * 17, p, 7);
    Numbers expected, slopes;
    const Numbers xs = numbers(x);
    for (std::size_t i = 0; i < xs.size(); ++i) {
      slopes.push_back(keep[i] ? 1 / (1 - p) : 0);
      expected.push_back(keep[i] ? xs[i] / (1 - p) : 0);
    }
    expect_close(y, expected, 1e-15);
    for (int pass = 0; pass < 2; ++pass)  // Both passes use the mask of the one forward.
      expect_close(grad(sum(y), x, {.retain_graph = true}), slopes, 1e-15);
    Rng other(7);
    for (std::size_t i = 0; i < xs.size(); ++i) other();
    EXPECT_EQ(rng(), other());  // It has drawn one number for each element.
  }
}

TEST(Dropout, ItsMaskIsNotGuessedFromZeros) {
  const Tensor x = zeros({1000}, kDouble).set_requires_grad();
  Rng rng(3);
  const std::vector<bool> keep = kept(1000, .25, 3);
  const Numbers dx = numbers(grad(sum(dropout(x, {.p = .25}, rng)), x));
  for (std::size_t i = 0; i < 1000; ++i) ASSERT_NEAR(dx[i], keep[i] ? 4.0 / 3 : 0, 1e-15);
}

TEST(Dropout, TakesTheEndsOfP) {
  const Tensor x = tensor({1, kNaN, kInfinity, -2}, {2, 2}, kDouble).set_requires_grad();
  using Op = Tensor (*)(const Tensor&, const DropoutOptions&, Rng&);
  for (const Op op : {Op(dropout), Op(channel_dropout), Op(alpha_dropout)}) {
    Rng rng(1);
    const Tensor none = op(x, {.p = 1}, rng);
    expect_close(none, {0, 0, 0, 0}, 0);
    expect_close(grad(sum(none), x), {0, 0, 0, 0}, 0);
    Rng fresh(1);
    for (const DropoutOptions& options :
         {DropoutOptions{.p = 0}, DropoutOptions{.p = 1, .training = false}}) {
      const Tensor same = op(x, options, fresh);
      expect_close(same, {1, kNaN, kInfinity, -2}, 0);
      expect_close(grad(sum(same), x), {1, 1, 1, 1}, 0);
    }
    EXPECT_EQ(fresh(), Rng(1)());  // Nothing was drawn.
  }
}

TEST(Dropout, DropsWholeChannels) {
  const Tensor x = ones({3, 5, 2, 2}, kDouble);
  Rng rng(11);
  const std::vector<bool> keep = kept(15, .4, 11);
  Numbers expected;
  for (std::size_t i = 0; i < 60; ++i) expected.push_back(keep[i / 4] ? 1 / .6 : 0);
  expect_close(channel_dropout(x, {.p = .4}, rng), expected, 1e-15);
}

TEST(Dropout, AlphaKeepsMeanAndVariance) {
  const Tensor x = random_tensor({400, 500}, default_rng(), -std::sqrt(3.0), std::sqrt(3.0));
  Rng rng(5);
  const Numbers y = numbers(alpha_dropout(x, {.p = .3}, rng));
  const std::vector<bool> keep = kept(y.size(), .3, 5);
  // a^2 ((1 - p) + p (1 - p) s^2) = 1 and b = -a p s, so that the mean stays 0.
  const double s = -1.7580993408473766, a = 1 / std::sqrt(.7 * (1 + .3 * s * s)), b = -a * .3 * s;
  const Numbers xs = numbers(x);
  double total = 0, squares = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], a * (keep[i] ? xs[i] : s) + b, 1e-14);
    total += y[i];
    squares += y[i] * y[i];
  }
  const auto n = static_cast<double>(y.size());
  EXPECT_NEAR(total / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 10 / std::sqrt(n));
}

TEST(Dropout, HasRightDerivatives) {
  Rng draws(1);
  const Tensor x = random_tensor({3, 4}, draws);
  const auto with_seed = [](auto op) {
    return [op](auto in) {
      Rng rng(2);
      return op(in[0], DropoutOptions{.p = .4}, rng) * in[0];
    };
  };
  expect_gradients(with_seed(dropout), {x});
  expect_gradients(with_seed(channel_dropout), {x});
  expect_gradients(with_seed(alpha_dropout), {x});
}

TEST(Dropout, SameBitsForAnyNumberOfThreads) {
  const Tensor x = ones({300001});
  expect_same_bits_for_any_number_of_threads([&] {
    Rng rng(9);
    rng();  // So that blocks of the generator and elements do not start together.
    return numbers(dropout(x, {}, rng));
  });
}

TEST(Dropout, IsALayer) {
  manual_seed(3);
  Dropout layer(.5);
  const Tensor x = ones({100});
  Rng rng(3);
  expect_close(layer(x), numbers(dropout(x, {}, rng)), 0);
  layer.eval();
  expect_close(layer(x), Numbers(100, 1), 0);
}

TEST(Dropout, RefusesWhatDoesNotFit) {
  expect_error<Error>("dropout: p must be in [0, 1], it is 1.5", [] { dropout(ones({2}), {.p = 1.5}); });
  expect_error<Error>("alpha_dropout: p must be in [0, 1], it is -1",
                      [] { alpha_dropout(ones({2}), {.p = -1, .training = false}); });
  expect_error<ShapeError>("channel_dropout: x must be [N,C,...], it is [2]",
                           [] { channel_dropout(ones({2})); });
  expect_error<DTypeError>("dropout: x must be float32 or float64, it is int64", [] { dropout(arange(3)); });
}

}  // namespace
}  // namespace adjoint
