// Losses of single elements, and losses with a margin: values by the formula in plain numbers, gradients,
// special values, errors.
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <numeric>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/loss.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;
using Numbers = std::vector<double>;

constexpr TensorOptions kDouble{.dtype = float64};

struct Case {
  const char* name;
  std::function<Tensor(const Tensor&, const Tensor&, Reduction)> op;
  double (*expected)(double x, double t);
  double low = -3, high = 3;                ///< The interval of x.
  double target_low = -3, target_high = 3;  ///< That of the target.
  bool signs = false;                       ///< The targets are 1 or -1.
};

const Case kCases[] = {
    {"mse", [](auto x, auto t, Reduction r) { return mse(x, t, {r}); },
     [](double x, double t) { return (x - t) * (x - t); }},
    {"l1_loss", [](auto x, auto t, Reduction r) { return l1_loss(x, t, {r}); },
     [](double x, double t) { return std::abs(x - t); }},
    {"smooth_l1_loss",
     [](auto x, auto t, Reduction r) { return smooth_l1_loss(x, t, {.beta = 0.5, .reduction = r}); },
     [](double x, double t) { return std::abs(x - t) < 0.5 ? (x - t) * (x - t) : std::abs(x - t) - 0.25; }},
    {"huber_loss",
     [](auto x, auto t, Reduction r) { return huber_loss(x, t, {.delta = 1.5, .reduction = r}); },
     [](double x, double t) {
       return std::abs(x - t) < 1.5 ? (x - t) * (x - t) / 2 : 1.5 * (std::abs(x - t) - 0.75);
     }},
    {"binary_cross_entropy",
     [](auto x, auto t, Reduction r) { return binary_cross_entropy(x, t, {.reduction = r}); },
     [](double x, double t) { return -t * std::log(x) - (1 - t) * std::log(1 - x); }, 0.1, 0.9, 0, 1},
    {"binary_cross_entropy_with_logits",
     [](auto x, auto t, Reduction r) { return binary_cross_entropy_with_logits(x, t, {.reduction = r}); },
     [](double x, double t) { return t * std::log1p(std::exp(-x)) + (1 - t) * std::log1p(std::exp(x)); }, -3,
     3, 0, 1},
    {"kl_div", [](auto x, auto t, Reduction r) { return kl_div(x, t, {.reduction = r}); },
     [](double x, double t) { return t * (std::log(t) - x); }, -3, 0, 0.1, 1},
    {"kl_div of logarithms",
     [](auto x, auto t, Reduction r) { return kl_div(x, t, {.log_target = true, .reduction = r}); },
     [](double x, double t) { return std::exp(t) * (t - x); }, -3, 0, -3, 0},
    {"poisson_nll_loss", [](auto x, auto t, Reduction r) { return poisson_nll_loss(x, t, {.reduction = r}); },
     [](double x, double t) { return std::exp(x) - t * x; }, -2, 2, 0, 4},
    {"poisson_nll_loss, full",
     [](auto x, auto t, Reduction r) {
       return poisson_nll_loss(x, t, {.log_input = false, .full = true, .eps = 1e-3, .reduction = r});
     },
     [](double x, double t) {
       const double stirling = t * std::log(t) - t + std::log(2 * std::acos(-1.0) * t) / 2;
       return x - t * std::log(x + 1e-3) + (t > 1 ? stirling : 0);
     },
     0.2, 3, 0, 4},
    {"soft_margin_loss", [](auto x, auto t, Reduction r) { return soft_margin_loss(x, t, {r}); },
     [](double x, double t) { return std::log1p(std::exp(-t * x)); }},
    {"hinge_embedding_loss",
     [](auto x, auto t, Reduction r) { return hinge_embedding_loss(x, t, {.margin = 1.25, .reduction = r}); },
     [](double x, double t) { return t > 0 ? x : std::max(0.0, 1.25 - x); }, -3, 3, -3, 3, true},
    {"margin_ranking_loss",
     [](auto x, auto t, Reduction r) {
       return margin_ranking_loss(x, x * x, t, {.margin = 0.25, .reduction = r});
     },
     [](double x, double t) { return std::max(0.0, 0.25 - t * (x - x * x)); }, -3, 3, -3, 3, true},
};

Tensor targets(const Case& c, const Shape& shape, Rng& rng, DType dtype) {
  const Tensor t = random_tensor(shape, rng, c.target_low, c.target_high, dtype);
  return c.signs ? where(t > 0, 1, zeros(shape, {.dtype = dtype}) - 1) : t;
}

TEST(ElementLosses, FollowTheirFormulas) {
  Rng rng(1);
  for (const Case& c : kCases) {
    for (const DType dtype : {float32, float64}) {
      for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{3, 4}, Shape{2, 1, 5}, Shape{0, 3}}) {
        SCOPED_TRACE(std::string(c.name) + " of " + to_string(shape));
        const Tensor x = random_tensor(shape, rng, c.low, c.high, dtype), t = targets(c, shape, rng, dtype);
        Numbers expected, xs = numbers(x), ts = numbers(t);
        for (std::size_t i = 0; i < xs.size(); ++i) expected.push_back(c.expected(xs[i], ts[i]));
        const double total = std::accumulate(expected.begin(), expected.end(), 0.0),
                     count = static_cast<double>(xs.size()), tolerance = 5 * tolerance_of(dtype);
        const Tensor each = c.op(x, t, Reduction::none);
        ASSERT_EQ(each.shape(), shape);
        expect_close(each, expected, tolerance);
        expect_close(c.op(x, t, Reduction::sum), {total}, tolerance);
        if (count == 0) continue;
        expect_close(c.op(x, t, Reduction::mean), {total / count}, tolerance);
        if (shape.rank() > 0)
          expect_close(c.op(x, t, Reduction::batch_mean), {total / static_cast<double>(shape[0])}, tolerance);
      }
    }
  }
}

TEST(ElementLosses, HaveRightDerivatives) {
  Rng rng(2);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const Tensor x = random_tensor({2, 3}, rng, c.low, c.high), t = targets(c, {2, 3}, rng, float64);
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::none, Reduction::batch_mean}) {
      if (c.signs) {
        expect_gradients([&](auto in) { return c.op(in[0], t, reduction); }, {x});
      } else {
        expect_gradients([&](auto in) { return c.op(in[0], in[1], reduction); }, {x, t});
      }
    }
    if (!c.signs && c.target_low == c.low && c.target_high == c.high)  // The difference is always 0.
      expect_close(c.op(x, x, Reduction::none), Numbers(6, c.expected(0, 0)),
                   std::string(c.name) == "soft_margin_loss" ? 10 : 0);
  }
}

TEST(ElementLosses, RefuseMeansOverNothingAndShapesThatDiffer) {
  for (const Case& c : kCases) {
    const Tensor none = zeros({0, 3}), ones_ = ones({3});
    const std::string text = error_of<ShapeError>([&] { c.op(none, none, Reduction::mean); });
    EXPECT_NE(text.find(": the mean over nothing is undefined, x"), std::string::npos) << c.name << text;
    EXPECT_NE(text.find(" is [0,3]; Reduction::sum gives 0"), std::string::npos) << c.name << text;
    EXPECT_NE(error_of<ShapeError>([&] { c.op(ones_, ones({1}), Reduction::mean); }), "no error") << c.name;
    EXPECT_NE(error_of<DTypeError>([&] { c.op(arange(3), arange(3), Reduction::mean); }), "no error")
        << c.name;
    const std::string scalar_text =
        error_of<ShapeError>([&] { c.op(ones({}) / 2, ones({}), Reduction::batch_mean); });
    EXPECT_NE(scalar_text.find(": Reduction::batch_mean needs a batch axis, x"), std::string::npos)
        << c.name << scalar_text;
  }
}

// ---- Special values

TEST(SmoothL1Loss, MeetsItsPartsAtBeta) {
  const Tensor x = tensor({1, .2, .5, -.5, 0}, kDouble).set_requires_grad(), zero = zeros({5}, kDouble);
  const Tensor smooth = smooth_l1_loss(x, zero, {.beta = .5, .reduction = Reduction::none});
  expect_close(smooth, {.75, .04, .25, .25, 0}, 1e-15);
  expect_close(grad(sum(smooth), x), {1, .4, 1, -1, 0}, 1e-15);
  const Tensor huber = huber_loss(x, zero, {.delta = .5, .reduction = Reduction::none});
  expect_close(huber, {.375, .02, .125, .125, 0}, 1e-15);
  expect_close(grad(sum(huber), x), {.5, .2, .5, -.5, 0}, 1e-15);
  // The curvature at equality is that of the parabola.
  const Tensor dx = grad(sum(huber_loss(x, zero, {.reduction = Reduction::sum})), x, {.create_graph = true});
  expect_close(grad(sum(dx), x), {0, 1, 1, 1, 1}, 1e-15);
}

TEST(SmoothL1Loss, IsL1WithBetaZero) {
  const Tensor x = tensor({2, -3, 0}, kDouble).set_requires_grad(), zero = zeros({3}, kDouble);
  const Tensor loss = smooth_l1_loss(x, zero, {.beta = 0, .reduction = Reduction::sum});
  expect_close(loss, {5}, 0);
  expect_close(grad(loss, x), {1, -1, 0}, 0);
}

TEST(BinaryCrossEntropyWithLogits, DoesNotOverflow) {
  const auto loss = [](const Tensor& x, double t) {
    return binary_cross_entropy_with_logits(x, full({1}, t));
  };
  const Tensor extreme = tensor({0, -120}), targets = tensor({0, 1}), one = ones({2});
  expect_close(binary_cross_entropy_with_logits(extreme, targets, {.pos_weight = one}), {60.34657}, 1e-6);
  expect_close(loss(tensor({-100}), 0), {0}, 1e-40);
  const Tensor x = tensor({100}).set_requires_grad();
  const Tensor far = loss(x, 0);
  expect_close(far, {100}, 0);
  expect_close(grad(far, x), {1}, 0);
  const double small = std::log1p(std::exp(-10.0));  // Not lost in 10 - 10.
  EXPECT_NEAR(loss(tensor({-10}), 0).item(), small, 1e-6 * small);
  EXPECT_NEAR(loss(tensor({10}), 1).item(), small, 1e-6 * small);
}

TEST(BinaryCrossEntropyWithLogits, TakesWeights) {
  Rng rng(3);
  const Tensor x = random_tensor({2, 3}, rng), t = random_tensor({2, 3}, rng, 0, 1),
               weight = random_tensor({2, 1}, rng, 0, 2), positive = random_tensor({3}, rng, 1, 3);
  const Numbers xs = numbers(x), ts = numbers(t), ws = numbers(weight), ps = numbers(positive);
  Numbers expected, unscaled;
  for (std::size_t i = 0; i < 6; ++i) {
    const double s = 1 / (1 + std::exp(-xs[i]));
    expected.push_back(-ws[i / 3] * (ps[i % 3] * ts[i] * std::log(s) + (1 - ts[i]) * std::log(1 - s)));
    unscaled.push_back(-ws[i / 3] * (ts[i] * std::log(s) + (1 - ts[i]) * std::log(1 - s)));
  }
  const auto op = [](auto x, auto t, auto w, auto p) {
    return binary_cross_entropy_with_logits(x, t,
                                            {.weight = w, .pos_weight = p, .reduction = Reduction::none});
  };
  expect_close(op(x, t, weight, positive), expected, 1e-13);
  expect_gradients([&](auto in) { return op(in[0], in[1], in[2], in[3]); }, {x, t, weight, positive});
  const auto plain = [](auto x, auto t, auto w) {
    return binary_cross_entropy(x, t, {.weight = w, .reduction = Reduction::none});
  };
  const Tensor p = 1 / (exp(-x) + 1);
  expect_close(plain(p, t, weight), unscaled, 1e-13);
  expect_gradients([&](auto in) { return plain(in[0], in[1], in[2]); }, {p, t, weight});
  expect_error<ShapeError>(
      "binary_cross_entropy: weight must broadcast to the shape of x [2,3], it is [4,2,3]", [&] {
        plain(p, t, ones({4, 2, 3}, kDouble));
      });
  expect_error<DTypeError>(
      "binary_cross_entropy: x and weight must have the same dtype; x is float64, weight is float32",
      [&] { plain(p, t, ones({3})); });
}

// The bound of the logarithm, and PyTorch's gradient at it.
TEST(BinaryCrossEntropy, IsBoundedAtCertainty) {
  const Tensor x = tensor({0, 0, 1, 1}, kDouble).set_requires_grad(), t = tensor({0, 1, 0, 1}, kDouble);
  const Tensor loss = binary_cross_entropy(x, t, {.reduction = Reduction::none});
  expect_close(loss, {0, 100, 100, 0}, 0);
  expect_close(grad(sum(loss), x), {0, -1e12, 1e12, 0}, 1e-12);
  EXPECT_TRUE(std::isnan(binary_cross_entropy(tensor({kNaN}), tensor({1})).item()));
  expect_error<Error>("binary_cross_entropy: x must be in [0, 1], x[1] is 1.5 in row-major order", [] {
    binary_cross_entropy(tensor({.5, 1.5}), tensor({1, 1}));
  });
  expect_error<Error>("binary_cross_entropy: x must be in [0, 1], x[0] is -0.5 in row-major order", [] {
    binary_cross_entropy(tensor({-.5, .5}), tensor({1, 1}));
  });
}

TEST(KlDiv, IsZeroWhereTheTargetIs) {
  const Tensor x = tensor({-kInfinity, -1, -2, -kInfinity}, {2, 2}, kDouble).set_requires_grad();
  const Tensor t = tensor({0, .5, .25, 0}, {2, 2}, kDouble);
  const double first = .5 * (std::log(.5) + 1), second = .25 * (std::log(.25) + 2);
  const Tensor each = kl_div(x, t, {.reduction = Reduction::none});
  expect_close(each, {0, first, second, 0}, 1e-15);
  expect_close(grad(sum(each), x), {0, -.5, -.25, 0}, 0);
  expect_close(kl_div(x, t, {.reduction = Reduction::batch_mean}), {(first + second) / 2}, 1e-15);
  const Tensor logs = tensor({-kInfinity, std::log(.5), std::log(.25), -kInfinity}, {2, 2}, kDouble);
  const Tensor by_logs = kl_div(x, logs, {.log_target = true, .reduction = Reduction::none});
  expect_close(by_logs, {0, first, second, 0}, 1e-15);
  expect_close(grad(sum(by_logs), x), {0, -.5, -.25, 0}, 1e-15);
}

TEST(GaussianNllLoss, FollowsItsFormula) {
  Rng rng(4);
  const Tensor x = random_tensor({2, 3}, rng), t = random_tensor({2, 3}, rng);
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 1}, Shape{3}, Shape{}}) {
    const Tensor v = random_tensor(shape, rng, .2, 2);
    const Tensor every = broadcast_to(v, x.shape());
    const Numbers xs = numbers(x), ts = numbers(t), vs = numbers(every);
    for (const bool full : {false, true}) {
      Numbers expected;
      for (std::size_t i = 0; i < 6; ++i) {
        const double d = xs[i] - ts[i];
        expected.push_back((std::log(vs[i]) + d * d / vs[i] + (full ? std::log(2 * std::acos(-1.0)) : 0)) /
                           2);
      }
      const auto op = [&](auto x, auto t, auto v) {
        return gaussian_nll_loss(x, t, v, {.full = full, .reduction = Reduction::none});
      };
      expect_close(op(x, t, v), expected, 1e-13);
      expect_gradients([&](auto in) { return op(in[0], in[1], in[2]); }, {x, t, v});
    }
  }
  // A variance below eps counts as eps, and still gets a gradient: (1 / eps - d^2 / eps^2) / 2.
  const Tensor v = tensor({0}, kDouble).set_requires_grad(), one = ones({1}, kDouble);
  const Tensor loss = gaussian_nll_loss(one, one * 3, v, {.eps = .5});
  expect_close(loss, {(std::log(.5) + 8) / 2}, 1e-15);
  expect_close(grad(loss, v), {(2 - 16.0) / 2}, 1e-15);
  expect_close(gaussian_nll_loss(one, one, one * kInfinity), {kInfinity}, 0);
  expect_error<Error>(
      "gaussian_nll_loss: variance must not be negative, variance[0] is -1 in row-major order",
      [&] { gaussian_nll_loss(one, one, -one); });
  expect_error<ShapeError>("gaussian_nll_loss: variance must broadcast to the shape of x [1], it is [2]",
                           [&] { gaussian_nll_loss(one, one, ones({2}, kDouble)); });
}

// ---- Vectors

double size_of_vector(const Numbers& v, double p = 2) {
  double total = 0;
  for (const double x : v) total += std::pow(std::abs(x), p);
  return std::pow(total, 1 / p);
}

TEST(CosineSimilarity, FollowsItsFormula) {
  Rng rng(5);
  const Tensor a = random_tensor({2, 3, 4}, rng), b = random_tensor({3, 1}, rng);
  const Numbers as = numbers(a), bs = numbers(b);
  Numbers expected;
  for (std::size_t n = 0; n < 2; ++n) {
    for (std::size_t k = 0; k < 4; ++k) {
      Numbers u, v;
      for (std::size_t j = 0; j < 3; ++j) u.push_back(as[(n * 3 + j) * 4 + k]), v.push_back(bs[j]);
      expected.push_back(std::inner_product(u.begin(), u.end(), v.begin(), 0.0) / size_of_vector(u) /
                         size_of_vector(v));
    }
  }
  const Tensor y = cosine_similarity(a, b);
  EXPECT_EQ(y.shape(), (Shape{2, 4}));
  expect_close(y, expected, 1e-13);
  expect_close(cosine_similarity(a, b, {.axis = -2}), expected, 1e-13);
  expect_gradients([](auto in) { return cosine_similarity(in[0], in[1]); }, {a, b});
  expect_close(cosine_similarity(a, a), Numbers(8, 1), 1e-13);
}

TEST(CosineSimilarity, IsZeroForZeros) {
  for (const DType dtype : {float32, float64}) {
    const Tensor zero = zeros({1, 3}, {.dtype = dtype, .requires_grad = true}),
                 other = tensor({3, 0, 4}, {1, 3}, {.dtype = dtype}).set_requires_grad();
    for (const double eps : {1e-8, 1e-30}) {
      const Tensor none = cosine_similarity(zero, zero, {.eps = eps});
      expect_close(none, {0}, 0);
      expect_close(grad(none, zero), {0, 0, 0}, 0);
    }
    const Tensor one = cosine_similarity(zero, other);
    expect_close(one, {0}, 0);
    expect_close(grad(one, zero), {.6e8, 0, .8e8}, 1e-6);
    expect_close(grad(cosine_similarity(zero, other), other), {0, 0, 0}, 0);
  }
  expect_error<ShapeError>("cosine_similarity: axis 1 is out of range; x is [3]",
                           [] { cosine_similarity(ones({3}), ones({3})); });
  expect_error<Error>("cosine_similarity: eps must be positive, it is 0", [] {
    cosine_similarity(ones({1, 3}), ones({1, 3}), {.eps = 0});
  });
}

TEST(CosineEmbeddingLoss, FollowsItsFormula) {
  const Tensor a = tensor({3, 4, 3, 4, 1, 0}, {3, 2}, kDouble),
               b = tensor({4, 3, 4, 3, 0, 1}, {3, 2}, kDouble);
  const Tensor t = tensor({1, -1, -1}, {.dtype = int64});
  const auto op = [](auto a, auto b, auto t) {
    return cosine_embedding_loss(a, b, t, {.margin = .5, .reduction = Reduction::none});
  };
  expect_close(op(a, b, t), {1 - .96, .96 - .5, 0}, 1e-15);
  expect_gradients([&](auto in) { return op(in[0], in[1], t); }, {a, b});
  expect_close(cosine_embedding_loss(tensor({3, 4}), tensor({4, 3}), scalar(1)), {.04}, 1e-6);
  expect_error<Error>("cosine_embedding_loss: each target must be 1 or -1, target[2] is 0 in row-major order",
                      [&] {
                        op(a, b, tensor({1, 1, 0}));
                      });
  expect_error<ShapeError>("cosine_embedding_loss: target must be [3], it is [1]",
                           [&] { op(a, b, ones({1})); });
}

TEST(TripletMarginLoss, FollowsItsFormula) {
  Rng rng(6);
  const Tensor a = random_tensor({4, 3}, rng), p = random_tensor({4, 3}, rng), n = random_tensor({4, 3}, rng);
  const Numbers as = numbers(a), ps = numbers(p), ns = numbers(n);
  for (const double power : {1., 2., 3.}) {
    for (const bool swap : {false, true}) {
      const auto distance = [&](const Numbers& u, const Numbers& v, std::size_t row) {
        Numbers d;
        for (std::size_t j = 3 * row; j < 3 * row + 3; ++j) d.push_back(u[j] - v[j] + .01);
        return size_of_vector(d, power);
      };
      Numbers expected;
      for (std::size_t row = 0; row < 4; ++row) {
        double far = distance(as, ns, row);
        if (swap) far = std::min(far, distance(ps, ns, row));
        expected.push_back(std::max(0.0, .5 + distance(as, ps, row) - far));
      }
      const auto op = [&](auto a, auto p, auto n) {
        return triplet_margin_loss(
            a, p, n, {.margin = .5, .p = power, .eps = .01, .swap = swap, .reduction = Reduction::none});
      };
      expect_close(op(a, p, n), expected, 1e-13);
      expect_gradients([&](auto in) { return op(in[0], in[1], in[2]); }, {a, p, n});
    }
  }
  expect_error<ShapeError>(
      "triplet_margin_loss: anchor and negative must have the same shape; anchor is [4,3], negative is [3]",
      [&] { triplet_margin_loss(a, p, ones({3}, kDouble)); });
}

TEST(MultiMarginLoss, FollowsItsFormula) {
  Rng rng(7);
  const std::vector<std::int64_t> labels = {2, 0, 1, 1};
  const Tensor x = random_tensor({4, 3}, rng), t = from_data<std::int64_t>(labels, {4}),
               w = random_tensor({3}, rng, .5, 2);
  const Numbers xs = numbers(x), ws = numbers(w);
  for (const int p : {1, 2}) {
    Numbers expected;
    for (std::size_t n = 0; n < 4; ++n) {
      double total = 0;
      const auto right = static_cast<std::size_t>(labels[n]);
      for (std::size_t k = 0; k < 3; ++k)
        if (k != right) total += std::pow(std::max(0.0, .5 - xs[3 * n + right] + xs[3 * n + k]), p);
      expected.push_back(ws[right] * total / 3);
    }
    const auto op = [&](auto x, auto w) {
      return multi_margin_loss(x, t, {.margin = .5, .p = p, .weight = w, .reduction = Reduction::none});
    };
    expect_close(op(x, w), expected, 1e-13);
    expect_gradients([&](auto in) { return op(in[0], in[1]); }, {x, w});
  }
  expect_close(multi_margin_loss(tensor({1, 3}), scalar(0, {.dtype = int64})), {1.5}, 0);
  expect_error<Error>("multi_margin_loss: target[1] is class 3, x [2,3] have classes 0 to 2", [] {
    multi_margin_loss(ones({2, 3}), tensor({0, 3}, {.dtype = int64}));
  });
  expect_error<Error>("multi_margin_loss: p must be 1 or 2, it is 3", [] {
    multi_margin_loss(ones({2, 3}), tensor({0, 1}, {.dtype = int64}), {.p = 3});
  });
}

TEST(ElementLosses, CheckTheirOptions) {
  const Tensor x = ones({2});
  expect_error<Error>("smooth_l1_loss: beta must not be negative, it is -1",
                      [&] { smooth_l1_loss(x, x, {.beta = -1}); });
  expect_error<Error>("huber_loss: delta must be positive, it is 0", [&] { huber_loss(x, x, {.delta = 0}); });
  expect_error<Error>("gaussian_nll_loss: eps must be positive, it is 0",
                      [&] { gaussian_nll_loss(x, x, x, {.eps = 0}); });
  expect_error<Error>(
      "hinge_embedding_loss: each target must be 1 or -1, target[0] is 0.5 in row-major order",
      [&] { hinge_embedding_loss(x, x / 2); });
}

}  // namespace
}  // namespace adjoint
