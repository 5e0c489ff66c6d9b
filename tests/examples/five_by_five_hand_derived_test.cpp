// The 5x5 example's hand-derived formulas: the sums as the note writes them, and every gradient against
// central differences of the hand-written loss, for the formulas and for the picture's three readings of
// "pooling".
#include <array>
#include <cmath>
#include <fmt/core.h>
#include <functional>
#include <gtest/gtest.h>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>

#include "examples/five_by_five/hand_derived.h"
#include "tests/support/random_values.h"

namespace five_by_five::hand_derived {

void PrintTo(Pooling pooling, std::ostream* out) {
  constexpr const char* kNames[] = {"subsample", "average", "max"};
  *out << kNames[static_cast<int>(pooling)];
}

namespace {

struct Problem {
  Image a;
  Filter w;
  Dense dense;
  double y;
};

Problem random_problem(unsigned seed) {
  adjoint::Rng rng(seed);
  Problem problem;
  for (const std::span<double> values :
       {std::span<double>(problem.a.values), std::span<double>(problem.w.values),
        std::span<double>(problem.dense.v.values), std::span(&problem.dense.c, 1), std::span(&problem.y, 1)})
    adjoint::support::fill_random(values, rng, -1, 1);
  return problem;
}

// d loss / d x; exact but for rounding where the loss is a polynomial of at most degree 2 in x.
double difference(double& x, const std::function<double()>& loss) {
  const double kept = x, h = 1e-4;
  x = kept + h;
  const double above = loss();
  x = kept - h;
  const double below = loss();
  x = kept;
  return (above - below) / (2 * h);
}

template <int Size>
void expect_differences(Numbered<Size>& x, const Numbered<Size>& by_hand,
                        const std::function<double()>& loss) {
  for (int k = 1; k <= Size; ++k) EXPECT_NEAR(by_hand(k), difference(x(k), loss), 1e-10) << k;
}

// L = sin(y-hat y) is an arbitrary loss.
double other_loss(double y_hat, double y) { return std::sin(y_hat * y); }
double other_loss_gradient(double y_hat, double y) { return y * std::cos(y_hat * y); }

TEST(FiveByFiveByHand, SumsReadAsInTheNote) {
  EXPECT_EQ(gradient_text(1), "a1 dZ1 + a3 dZ2 + a11 dZ3 + a13 dZ4");
  EXPECT_EQ(gradient_text(2), "a2 dZ1 + a4 dZ2 + a12 dZ3 + a14 dZ4");
  EXPECT_EQ(gradient_text(9), "a13 dZ1 + a15 dZ2 + a23 dZ3 + a25 dZ4");
  EXPECT_THROW(gradient_text(0), std::out_of_range);
  EXPECT_THROW(gradient_text(10), std::out_of_range);
}

// Pixel a_n and dZ_q are 1, and all others are 0. Then dL/dw_k is 1 exactly where the text of w_k's sum has
// "a_n dZ_q".
TEST(FiveByFiveByHand, TextsSayWhatIsComputed) {
  for (int n = 1; n <= 25; ++n)
    for (int q = 1; q <= 4; ++q) {
      Image a;
      Pooled dZ;
      a(n) = dZ(q) = 1;
      const Filter dw = gradient(a, dZ);
      const std::string term = fmt::format(" a{} dZ{} ", n, q);
      for (int k = 1; k <= 9; ++k) {
        const bool written = fmt::format(" {} ", gradient_text(k)).find(term) != std::string::npos;
        EXPECT_EQ(dw(k), written ? 1 : 0) << term << k;
      }
    }
}

TEST(FiveByFiveByHand, GradientAgreesWithDifferences) {
  Problem p = random_problem(1);
  const auto L = [&] { return loss(predict(p.dense, forward(p.a, p.w)), p.y); };
  const Pooled Z = forward(p.a, p.w);
  const double dy_hat = loss_gradient(predict(p.dense, Z), p.y);
  expect_differences(p.w, gradient(p.a, predict_gradient(p.dense, dy_hat)), L);

  const Dense by_hand = dense_gradient(Z, dy_hat);
  expect_differences(p.dense.v, by_hand.v, L);
  EXPECT_NEAR(by_hand.c, difference(p.dense.c, L), 1e-10);
}

TEST(FiveByFiveByHand, AnyLossWillDo) {
  Problem p = random_problem(2);
  const double dy_hat = other_loss_gradient(predict(p.dense, forward(p.a, p.w)), p.y);
  const Filter by_hand = gradient(p.a, predict_gradient(p.dense, dy_hat));
  for (int k = 1; k <= 9; ++k) {
    const auto L = [&] { return other_loss(predict(p.dense, forward(p.a, p.w)), p.y); };
    EXPECT_NEAR(by_hand(k), difference(p.w(k), L), 1e-7) << k;
  }
}

TEST(FiveByFiveByHand, UpdateGoesAgainstTheGradient) {
  const auto [a, w, dense, y] = random_problem(3);
  const double dy_hat = loss_gradient(predict(dense, forward(a, w)), y);
  const Filter dw = gradient(a, predict_gradient(dense, dy_hat));
  const Filter next = updated(w, dw, 0.01);
  for (int k = 1; k <= 9; ++k) EXPECT_DOUBLE_EQ(next(k), w(k) - 0.01 * dw(k));
  EXPECT_LT(loss(predict(dense, forward(a, next)), y), loss(predict(dense, forward(a, w)), y));
}

// ---- The picture ----

class Picture : public testing::TestWithParam<Pooling> {};

INSTANTIATE_TEST_SUITE_P(Poolings, Picture,
                         testing::Values(Pooling::subsample, Pooling::average, Pooling::max),
                         testing::PrintToStringParamName());

TEST_P(Picture, GradientAgreesWithDifferences) {
  for (const unsigned seed : {4u, 5u, 6u}) {
    Problem p = random_problem(seed);
    Output O = convolve(p.a, p.w);
    const auto from_O = [&] { return loss(predict(p.dense, pool(O, GetParam())), p.y); };
    const auto from_w = [&] { return loss(predict(p.dense, pool(convolve(p.a, p.w), GetParam())), p.y); };

    const double dy_hat = loss_gradient(predict(p.dense, pool(O, GetParam())), p.y);
    const Output dO = pool_gradient(O, predict_gradient(p.dense, dy_hat), GetParam());
    expect_differences(O, dO, from_O);
    expect_differences(p.w, convolve_gradient(p.a, dO), from_w);
  }
}

TEST_P(Picture, PoolingHandsOnTheWholeGradient) {
  const auto [a, w, dense, y] = random_problem(7);
  const Output dO = pool_gradient(convolve(a, w), {{1, 10, 100, 1000}}, GetParam());
  double sum = 0;
  for (const double value : dO.values) sum += value;
  EXPECT_DOUBLE_EQ(sum, 1111);
}

TEST(PictureByHand, WithSubsamplingIsTheFormulas) {
  const auto [a, w, dense, y] = random_problem(8);
  const Output O = convolve(a, w);
  const Pooled Z = forward(a, w);
  const Pooled picked = pool(O, Pooling::subsample);
  const Pooled dZ = predict_gradient(dense, loss_gradient(predict(dense, Z), y));
  const Filter dw = gradient(a, dZ);
  const Filter picked_dw = convolve_gradient(a, pool_gradient(O, dZ, Pooling::subsample));
  for (int q = 1; q <= 4; ++q) EXPECT_DOUBLE_EQ(picked(q), Z(q));
  for (int k = 1; k <= 9; ++k) EXPECT_DOUBLE_EQ(picked_dw(k), dw(k));
}

TEST(PictureByHand, PoolsTheFourOverlappingWindows) {
  const Output O{{9, 1, 2,  //
                  3, 4, 7,  //
                  5, 8, 6}};
  EXPECT_EQ(pool(O, Pooling::max).values, (std::array<double, 4>{9, 7, 8, 8}));
  EXPECT_EQ(pool(O, Pooling::average).values, (std::array<double, 4>{17 / 4., 14 / 4., 20 / 4., 25 / 4.}));
  EXPECT_EQ(pool(O, Pooling::subsample).values, (std::array<double, 4>{9, 2, 5, 6}));

  const Output average{{.25, .75, .5, 1, 2.5, 1.5, .75, 1.75, 1}};
  EXPECT_EQ(pool_gradient(O, {{1, 2, 3, 4}}, Pooling::average).values, average.values);
  const Output max{{1, 0, 0, 0, 0, 2, 0, 7, 0}};
  EXPECT_EQ(pool_gradient(O, {{1, 2, 3, 4}}, Pooling::max).values, max.values);
}

TEST(PictureByHand, TheFirstOfEqualMaximaTakesTheGradient) {
  const Output all_equal{{5, 5, 5, 5, 5, 5, 5, 5, 5}};
  const Output first{{1, 2, 0, 3, 4, 0, 0, 0, 0}};
  EXPECT_EQ(pool_gradient(all_equal, {{1, 2, 3, 4}}, Pooling::max).values, first.values);
}

}  // namespace
}  // namespace five_by_five::hand_derived
