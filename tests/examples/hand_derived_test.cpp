// The hand-derived formulas of the documented CNN against central differences of the hand-written loss, at
// every parameter and every stage. The note's compact forms (x) rot180 against its sums.
#include "examples/documented_cnn/hand_derived.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <gtest/gtest.h>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/random_values.h"

namespace documented_cnn::hand_derived {

void PrintTo(Activation activation, std::ostream* out) {
  constexpr const char* kNames[] = {"sigmoid", "tanh", "relu"};
  *out << kNames[static_cast<int>(activation)];
}

namespace {

using adjoint::Rng;
using adjoint::support::fill_random;

Parameters random_parameters(Rng& rng) {
  Parameters parameters;
  const double bound[] = {0.4, 0.3, 0.25, 0.3, 0.4, 0.3, 0.6, 0.3};
  const auto tensor = tensors(parameters);
  for (std::size_t t = 0; t < tensor.size(); ++t)
    fill_random<double>(tensor[t].values, rng, -bound[t], bound[t]);
  return parameters;
}

Example random_example(Rng& rng, int digit) {
  Example example{.image = {}, .y = one_hot(digit)};
  fill_random<double>(example.image.values, rng, 0, 1);
  return example;
}

// The loss from every stage on.
struct Rest {
  const Parameters& p;
  const Example& example;
  Activation f;

  double from_a1(const Vector<50>& a1) const {
    return cross_entropy(output_forward(a1, p.W2, p.b2_prime), example.y);
  }
  double from_flat(const Vector<96>& flat) const {
    return from_a1(hidden_forward(flat, p.W1, p.b1_prime, f));
  }
  double from_P2(const Maps<6, 4, 4>& P2) const { return from_flat(flatten(P2)); }
  double from_C2(const Maps<6, 8, 8>& C2) const { return from_P2(pool2_forward(C2)); }
  double from_P1(const Maps<4, 12, 12>& P1) const { return from_C2(conv2_forward(P1, p.K2, p.b2, f)); }
  double from_C1(const Maps<4, 24, 24>& C1) const { return from_P1(pool1_forward(C1)); }
  double from_image() const { return from_C1(conv1_forward(example.image, p.K1, p.b1, f)); }
};

// d loss / d x by the five-point difference, whose error is h^4 where the loss is smooth.
double difference(double& x, double h, const std::function<double()>& loss) {
  const double kept = x;
  const auto at = [&](double step) {
    x = kept + step;
    return loss();
  };
  const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  x = kept;
  return slope;
}

double one(double) { return 1; }

// Every hand-derived value is dL/dx times factor(x), to 1e-7 of the largest of them. Looks at every
// stride-th.
void expect_differences(std::span<double> x, std::span<const double> by_hand, double h,
                        const std::string& name, const std::function<double()>& loss,
                        const std::function<double(double)>& factor = one, std::size_t stride = 1) {
  ASSERT_EQ(x.size(), by_hand.size()) << name;
  double largest = 0;
  for (const double value : by_hand) largest = std::max(largest, std::abs(value));
  ASSERT_GT(largest, 1e-4) << name << ": too small to tell right from wrong";
  for (std::size_t i = 0; i < x.size(); i += stride)
    ASSERT_NEAR(by_hand[i], difference(x[i], h, loss) * factor(x[i]), 1e-7 * largest)
        << name << "[" << i << "]";
}

constexpr unsigned kReluSeed = 6;

class HandDerived : public testing::TestWithParam<Activation> {
 protected:
  HandDerived() : HandDerived(Rng(GetParam() == Activation::relu ? kReluSeed : 1)) {}

  Activation f = GetParam();
  // A relu's loss bends where a pre-activation is 0, so the step is small there and the seed keeps clear of
  // it (see KeepsClearOfTheBend).
  double h = f == Activation::relu ? 1e-5 : 1e-3;
  Parameters parameters;
  Example example;
  Forward pass;
  Backward back;

 private:
  explicit HandDerived(Rng rng)
      : parameters(random_parameters(rng)),
        example(random_example(rng, 3)),
        pass(forward(parameters, example, f)),
        back(backward(parameters, example, pass, f)) {}
};

INSTANTIATE_TEST_SUITE_P(Activations, HandDerived,
                         testing::Values(Activation::sigmoid, Activation::tanh, Activation::relu),
                         testing::PrintToStringParamName());

// ---- The gradient ----

TEST_P(HandDerived, EveryParameterAgreesWithDifferences) {
  const Rest rest{parameters, example, f};
  const auto from_image = [&] { return rest.from_image(); };
  const auto from_P1 = [&] { return rest.from_P1(pass.P1); };
  const auto from_flat = [&] { return rest.from_flat(pass.flat); };
  const auto from_a1 = [&] { return rest.from_a1(pass.a1); };
  const std::function<double()> loss[] = {from_image, from_image, from_P1, from_P1,
                                          from_flat,  from_flat,  from_a1, from_a1};

  const auto x = tensors(parameters);
  const auto by_hand = tensors(std::as_const(back.gradient));
  for (std::size_t t = 0; t < x.size(); ++t)
    expect_differences(x[t].values, by_hand[t].values, h, x[t].name, loss[t]);
}

TEST_P(HandDerived, DeltasAgreeWithDifferences) {
  const Rest rest{parameters, example, f};
  // dL/dX of a stage without an activation is delta_X as it is, else f' times that.
  const auto f_prime = [&](double a) { return slope(f, a); };
  const auto expect = [&](auto& X, const auto& delta, const char* name, auto loss_from, const auto& factor,
                          int stride) {
    expect_differences(
        X.values, delta.values, h, name, [&] { return (rest.*loss_from)(X); }, factor, stride);
  };
  expect(pass.a1, back.delta_1, "delta_1", &Rest::from_a1, f_prime, 1);
  expect(pass.flat, back.delta_flat, "delta_flatten", &Rest::from_flat, one, 1);
  expect(pass.P2, back.delta_P2, "delta_P2", &Rest::from_P2, one, 1);
  expect(pass.C2, back.delta_C2, "delta_C2", &Rest::from_C2, f_prime, 1);
  expect(pass.P1, back.delta_P1, "delta_P1", &Rest::from_P1, one, 1);
  expect(pass.C1, back.delta_C1, "delta_C1", &Rest::from_C1, f_prime, 7);  // 2304 would be slow
}

// The differences above step over no bend of relu: |z| = relu(z) + relu(-z) is never small.
TEST(HandDerivedRelu, KeepsClearOfTheBend) {
  Rng rng(kReluSeed);
  const Parameters p = random_parameters(rng);
  const Example example = random_example(rng, 3);
  Parameters minus;
  sgd_step(minus, p, 1);
  const Activation relu = Activation::relu;
  const Forward pass = forward(p, example, relu);

  const auto smallest = [](const auto& positive, const auto& negative) {
    double result = INFINITY;
    for (std::size_t i = 0; i < positive.values.size(); ++i)
      result = std::min(result, positive.values[i] + negative.values[i]);
    return result;
  };
  EXPECT_GT(smallest(pass.C1, conv1_forward(example.image, minus.K1, minus.b1, relu)), 1e-4);
  EXPECT_GT(smallest(pass.C2, conv2_forward(pass.P1, minus.K2, minus.b2, relu)), 1e-3);
  EXPECT_GT(smallest(pass.a1, hidden_forward(pass.flat, minus.W1, minus.b1_prime, relu)), 1e-2);
}

TEST_P(HandDerived, OutputDeltaIsTheFullJacobianProduct) {
  Target smooth;  // any y that sums to 1 will do
  for (int k = 1; k <= 10; ++k) smooth(k) = k / 55.0;
  for (const Target& y : {example.y, smooth}) {
    const Vector<10> short_way = output_delta(pass.S, y);
    const Vector<10> long_way = output_delta_by_jacobian(pass.S, y);
    for (int k = 1; k <= 10; ++k) EXPECT_NEAR(short_way(k), long_way(k), 1e-15);
  }
}

// ---- The note's compact forms ----

using Grid = std::vector<std::vector<double>>;

template <class Reader>
Grid grid_of(int first, int last, const Reader& read) {
  Grid grid;
  for (int i = first; i <= last; ++i) {
    grid.emplace_back();
    for (int j = first; j <= last; ++j) grid.back().push_back(read(i, j));
  }
  return grid;
}

Grid rot180(Grid grid) {
  std::reverse(grid.begin(), grid.end());
  for (auto& row : grid) std::reverse(row.begin(), row.end());
  return grid;
}

// x (x)full y: every sum x[i] y[j] lands at i + j. All square.
Grid full_convolution(const Grid& x, const Grid& y) {
  const std::size_t size = x.size() + y.size() - 1;
  Grid result(size, std::vector<double>(size));
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j)
      for (std::size_t u = 0; u < y.size(); ++u)
        for (std::size_t v = 0; v < y.size(); ++v) result[i + u][j + v] += x[i][j] * y[u][v];
  return result;
}

// x (x) y: the part of the full convolution where the smaller lies wholly on the larger.
Grid convolution(const Grid& x, const Grid& y) {
  const Grid full = full_convolution(x, y);
  const std::size_t margin = std::min(x.size(), y.size()) - 1;
  const std::size_t size = std::max(x.size(), y.size()) - margin;
  Grid result(size, std::vector<double>(size));
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) result[i][j] = full[margin + i][margin + j];
  return result;
}

void expect_same(const Grid& a, const Grid& b, const char* name) {
  ASSERT_EQ(a.size(), b.size()) << name;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < a.size(); ++j)
      ASSERT_NEAR(a[i][j], b[i][j], 1e-12) << name << " " << i << "," << j;
}

TEST_P(HandDerived, KernelGradientsAreConvolutionsWithTheTurnedInput) {
  const Grid image = grid_of(1, 28, [&](int i, int j) { return example.image(i, j); });
  for (int m = 1; m <= 4; ++m) {
    const Grid delta_C1 = grid_of(1, 24, [&](int i, int j) { return back.delta_C1(m, i, j); });
    const Grid dK1 = grid_of(-2, 2, [&](int u, int v) { return back.gradient.K1(1, m, u, v); });
    expect_same(convolution(delta_C1, rot180(image)), dK1, "dK1");

    const Grid P1 = grid_of(1, 12, [&](int i, int j) { return pass.P1(m, i, j); });
    for (int n = 1; n <= 6; ++n) {
      const Grid delta_C2 = grid_of(1, 8, [&](int i, int j) { return back.delta_C2(n, i, j); });
      const Grid dK2 = grid_of(-2, 2, [&](int u, int v) { return back.gradient.K2(m, n, u, v); });
      expect_same(convolution(delta_C2, rot180(P1)), dK2, "dK2");
    }
  }
}

TEST_P(HandDerived, PoolDeltaIsTheFullConvolutionWithTheTurnedKernels) {
  for (int m = 1; m <= 4; ++m) {
    Grid sum(12, std::vector<double>(12));
    for (int n = 1; n <= 6; ++n) {
      const Grid delta_C2 = grid_of(1, 8, [&](int i, int j) { return back.delta_C2(n, i, j); });
      const Grid K2 = grid_of(-2, 2, [&](int u, int v) { return parameters.K2(m, n, u, v); });
      const Grid part = full_convolution(delta_C2, rot180(K2));
      for (std::size_t i = 0; i < 12; ++i)
        for (std::size_t j = 0; j < 12; ++j) sum[i][j] += part[i][j];
    }
    expect_same(sum, grid_of(1, 12, [&](int i, int j) { return back.delta_P1(m, i, j); }), "delta_P1");
  }
}

// ---- Forward ----

TEST_P(HandDerived, ForwardConvolvesTruly) {
  const Grid image = grid_of(1, 28, [&](int i, int j) { return example.image(i, j); });
  for (int m = 1; m <= 4; ++m) {
    Grid expected =
        convolution(image, grid_of(-2, 2, [&](int u, int v) { return parameters.K1(1, m, u, v); }));
    for (auto& row : expected)
      for (double& z : row) z = apply(f, z + parameters.b1(m));
    expect_same(grid_of(1, 24, [&](int i, int j) { return pass.C1(m, i, j); }), expected, "C1");
  }
}

TEST_P(HandDerived, SlopeIsTheDerivativeToldFromTheValue) {
  for (double z : {-2.0, -0.5, 0.25, 1.5}) {
    const double a = apply(f, z);
    EXPECT_NEAR(slope(f, a), difference(z, 1e-3, [&] { return apply(f, z); }), 1e-10);
  }
}

TEST(HandDerivedForward, KernelsLieAsWeightsOutInHeightWidth) {
  Parameters p;
  p.K2(3, 5, -1, 2) = 7;
  EXPECT_EQ(p.K2.values[((5 - 1) * 4 + (3 - 1)) * 25 + 1 * 5 + 4], 7);
  p.K1(1, 4, 2, -2) = 7;
  EXPECT_EQ(p.K1.values[(4 - 1) * 25 + 4 * 5 + 0], 7);
}

TEST(HandDerivedForward, AKernelOfOneOneShiftsAgainstItsIndex) {
  Rng rng(7);
  const Example example = random_example(rng, 0);
  Kernels<1, 4> K1;
  K1(1, 2, 1, -2) = 1;  // C1_2(i,j) = I(i-1, j+2), which is pixel (i+2-1, j+2+2) from the corner
  const Maps<4, 24, 24> C1 = conv1_forward(example.image, K1, {}, Activation::relu);
  for (int i = 1; i <= 24; ++i)
    for (int j = 1; j <= 24; ++j) ASSERT_EQ(C1(2, i, j), example.image(i + 1, j + 4));
}

TEST(HandDerivedForward, FlattensMapThenRowThenColumn) {
  Maps<6, 4, 4> P2;
  P2(3, 2, 4) = 5;
  EXPECT_EQ(flatten(P2)(2 * 16 + 1 * 4 + 4), 5);
  EXPECT_EQ(flatten(P2).values, P2.values);
}

TEST(HandDerivedForward, SoftmaxOfLargeInputsStaysFinite) {
  Vector<10> b2_prime;
  b2_prime(1) = 5000;
  b2_prime(2) = 5000 + std::log(3);
  b2_prime(3) = -5000;
  const Vector<10> S = output_forward({}, {}, b2_prime);
  EXPECT_NEAR(S(1), 0.25, 1e-12);
  EXPECT_NEAR(S(2), 0.75, 1e-12);
  EXPECT_EQ(S(3), 0);
  EXPECT_NEAR(cross_entropy(S, one_hot(0)), std::log(4), 1e-12);
}

TEST(HandDerivedForward, OneHotCountsDigitsFromZero) {
  EXPECT_EQ(one_hot(0)(1), 1);
  EXPECT_EQ(one_hot(9)(10), 1);
  EXPECT_THROW(one_hot(10), std::out_of_range);
  EXPECT_THROW(one_hot(-1), std::out_of_range);
}

// ---- Parameters, batches and steps ----

TEST(HandDerivedTraining, ListsTheEightTensorsInOrder) {
  Parameters p;
  const char* names[] = {"K1", "b1", "K2", "b2", "W1", "b1'", "W2", "b2'"};
  const std::size_t sizes[] = {100, 4, 600, 6, 4800, 50, 500, 10};
  const double* next = p.K1.values.data();
  const auto tensor = tensors(p);
  for (std::size_t t = 0; t < tensor.size(); ++t) {
    EXPECT_STREQ(tensor[t].name, names[t]);
    EXPECT_EQ(tensor[t].values.size(), sizes[t]);
    EXPECT_EQ(tensor[t].values.data(), next) << "the tensors follow one another in memory";
    next += sizes[t];
  }
  EXPECT_EQ(next - p.K1.values.data(), kParameterCount);
}

TEST_P(HandDerived, BatchTakesTheMean) {
  Rng rng(11);
  const std::vector<Example> batch = {example, random_example(rng, 8), random_example(rng, 0)};
  const LossAndGradient mean = mean_over_batch(parameters, batch, f);

  double loss = 0;
  std::vector<double> sum(kParameterCount);
  for (const Example& each : batch) {
    const LossAndGradient one = mean_over_batch(parameters, {&each, 1}, f);
    loss += one.loss;
    std::size_t i = 0;
    for (const auto& [name, values] : tensors(one.gradient))
      for (const double value : values) sum[i++] += value;
  }
  EXPECT_NEAR(mean.loss, loss / 3, 1e-14);
  std::size_t i = 0;
  for (const auto& [name, values] : tensors(mean.gradient))
    for (const double value : values) ASSERT_NEAR(value, sum[i++] / 3, 1e-14) << name;
  EXPECT_THROW(mean_over_batch(parameters, {}, f), std::invalid_argument);
}

TEST_P(HandDerived, StepsDescend) {
  const double before = pass.L;
  Parameters stepped = parameters;
  const double lambda = 1e-4;
  sgd_step(stepped, back.gradient, lambda);
  EXPECT_DOUBLE_EQ(stepped.W1(50, 96), parameters.W1(50, 96) - lambda * back.gradient.W1(50, 96));
  EXPECT_DOUBLE_EQ(stepped.b2_prime(10), parameters.b2_prime(10) - lambda * back.gradient.b2_prime(10));

  double squared_norm = 0;
  for (const auto& [name, values] : tensors(back.gradient))
    for (const double value : values) squared_norm += value * value;
  const double fall = before - forward(stepped, example, f).L;
  EXPECT_NEAR(fall / (lambda * squared_norm), 1, 0.05);  // L falls by lambda |dL/dp|^2, to first order
}

}  // namespace
}  // namespace documented_cnn::hand_derived
