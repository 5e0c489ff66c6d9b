// The layers: that each is the op it stands for, with its options and its parameters, and that they learn.

#include <cmath>
#include <gtest/gtest.h>

#include "adjoint/modules/activations.h"
#include "adjoint/modules/conv2d.h"
#include "adjoint/modules/dense.h"
#include "adjoint/modules/pooling.h"
#include "adjoint/modules/sequential.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/loss.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/optim/adam.h"
#include "adjoint/optim/sgd.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

TEST(Dense, IsTheOpWithItsParameters) {
  Rng rng(1);
  Dense layer(3, 2, {.dtype = float64}, rng);
  EXPECT_EQ(layer.weight().shape(), (Shape{2, 3}));
  EXPECT_EQ(numbers(layer.bias()), (std::vector<double>{0, 0}));
  layer.weight().assign(tensor({1, 2, 3, 4, 5, 6}, {2, 3}, {.dtype = float64}));
  layer.bias().assign(tensor({10, 20}, {.dtype = float64}));
  expect_close(layer(tensor({1, 1, 1, 1, 0, -1}, {2, 3}, {.dtype = float64})), {16, 35, 8, 18}, 0);
  expect_close(layer(tensor({1, 1, 1, 1, 0, -1}, {2, 1, 3}, {.dtype = float64})),
               tensor({16, 35, 8, 18}, {2, 1, 2}, {.dtype = float64}), 0);
  const auto names = layer.named_parameters();
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(names[0].name, "weight");
  EXPECT_EQ(names[1].name, "bias");
}

TEST(Dense, WithoutABias) {
  Dense layer(3, 2, {.bias = false});
  EXPECT_FALSE(layer.bias().defined());
  EXPECT_EQ(layer.parameters().size(), 1u);
  layer.weight().assign(tensor({1, 2, 3, 4, 5, 6}, {2, 3}));
  expect_close(layer(tensor({1, 1, 1}, {1, 3})), {6, 15}, 0);
}

TEST(Dense, StartsWithinItsInitializersBound) {
  Rng rng(2);
  const auto largest = [](const Tensor& weight) {
    double bound = 0;
    for (const double value : numbers(weight)) bound = std::max(bound, std::abs(value));
    return bound;
  };
  EXPECT_NEAR(largest(Dense(100, 50, {}, rng).weight()), 0.1, 0.001);
  EXPECT_NEAR(largest(Dense(100, 50, {.init = glorot_uniform}, rng).weight()), 0.2, 0.002);
  EXPECT_NEAR(largest(Conv2d(4, 25, 5, {}, rng).weight()), 0.1, 0.001);
  EXPECT_NEAR(largest(Conv2d(8, 24, 5, {.groups = 2, .init = glorot_uniform}, rng).weight()),
              std::sqrt(6.0 / (16 * 25)), 0.002);
  const Initializer mine = [](const Shape& shape, const InitOptions& options, Rng&) {
    return full(shape, 7, {.dtype = options.dtype});
  };
  EXPECT_EQ(numbers(Dense(1, 2, {.init = mine}).weight()), (std::vector<double>{7, 7}));
}

TEST(Dense, EqualSeedsEqualWeights) {
  Rng a(3), b(3);
  EXPECT_EQ(numbers(Dense(5, 4, {}, a).weight()), numbers(Dense(5, 4, {}, b).weight()));
  EXPECT_NE(numbers(Dense(5, 4, {}, a).weight()), numbers(Dense(6, 4, {}, b).weight()));
}

TEST(Dense, Refuses) {
  expect_error<ShapeError>("Dense: both sizes must be positive, got 0 to 3", [] { Dense(0, 3); });
  expect_error<ShapeError>("Dense: both sizes must be positive, got 3 to -1", [] { Dense(3, -1); });
  expect_error<DTypeError>("uniform: the dtype must be floating, it is int64",
                           [] { Dense(3, 1, {.dtype = int64}); });
  EXPECT_THROW(Dense(1LL << 40, 1LL << 40), ShapeError);
}

TEST(Conv2d, PassesEveryOptionOn) {
  Rng rng(4);
  const Conv2dLayerOptions options{.stride = {2, 1},
                                   .padding = {1, 2},
                                   .dilation = {1, 2},
                                   .groups = 2,
                                   .flip_kernel = true,
                                   .dtype = float64};
  Conv2d layer(4, 6, {3, 2}, options, rng);
  EXPECT_EQ(layer.weight().shape(), (Shape{6, 2, 3, 2}));
  EXPECT_EQ(numbers(layer.bias()), std::vector<double>(6, 0));
  layer.bias().assign(random_tensor({6}, rng));
  const Tensor x = random_tensor({2, 4, 9, 7}, rng);
  const Conv2dOptions op{
      .stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2, .flip_kernel = true};
  expect_close(layer(x), conv2d(x, layer.weight(), layer.bias(), op), 0);

  Conv2d bare(4, 6, 3, {.bias = false, .dtype = float64}, rng);
  EXPECT_EQ(bare.parameters().size(), 1u);
  EXPECT_FALSE(bare.bias().defined());
  expect_close(bare(x), conv2d(x, bare.weight()), 0);
}

TEST(Conv2d, Refuses) {
  expect_error<ShapeError>("Conv2d: all sizes must be positive, got 0 to 4 channels with a 5x5 kernel",
                           [] { Conv2d(0, 4, 5); });
  expect_error<ShapeError>("Conv2d: all sizes must be positive, got 1 to 4 channels with a 5x0 kernel", [] {
    Conv2d(1, 4, {5, 0});
  });
  expect_error<ShapeError>("Conv2d: the groups must divide 4 input and 6 output channels, got 4 groups",
                           [] { Conv2d(4, 6, 5, {.groups = 4}); });
  expect_error<ShapeError>("Conv2d: the groups must divide 4 input and 6 output channels, got 0 groups",
                           [] { Conv2d(4, 6, 5, {.groups = 0}); });
  Conv2d layer(1, 1, 3, {.stride = 0});
  EXPECT_THROW(layer(zeros({1, 1, 5, 5})), Error);
}

TEST(Layers, WithoutParametersAreTheirOps) {
  Rng rng(5);
  const Tensor x = random_tensor({2, 3, 5, 7}, rng, -2, 2);
  expect_close(Sigmoid()(x), sigmoid(x), 0);
  expect_close(Tanh()(x), tanh(x), 0);
  expect_close(Relu()(x), relu(x), 0);
  expect_close(LeakyRelu()(x), leaky_relu(x), 0);
  expect_close(LeakyRelu({.slope = 0.3})(x), leaky_relu(x, {.slope = 0.3}), 0);
  expect_close(Softplus()(x), softplus(x), 0);
  expect_close(Softplus({.beta = 2, .threshold = 1})(x), softplus(x, {.beta = 2, .threshold = 1}), 0);
  expect_close(Silu()(x), silu(x), 0);
  expect_close(Relu6()(x * 5), relu6(x * 5), 0);
  expect_close(Threshold({.threshold = 0.5, .value = 3})(x), threshold(x, {.threshold = 0.5, .value = 3}), 0);
  expect_close(Hardtanh()(x), hardtanh(x), 0);
  expect_close(Hardtanh({.min = -0.5, .max = 1.5})(x), hardtanh(x, {.min = -0.5, .max = 1.5}), 0);
  expect_close(Hardsigmoid()(x * 3), hardsigmoid(x * 3), 0);
  expect_close(Hardswish()(x * 3), hardswish(x * 3), 0);
  expect_close(Softsign()(x), softsign(x), 0);
  expect_close(LogSigmoid()(x), log_sigmoid(x), 0);
  expect_close(Mish()(x), mish(x), 0);
  expect_close(Gelu()(x), gelu(x), 0);
  expect_close(Gelu({.tanh = true})(x), gelu(x, {.tanh = true}), 0);
  expect_close(Elu({.alpha = 2})(x), elu(x, {.alpha = 2}), 0);
  expect_close(Celu({.alpha = 2})(x), celu(x, {.alpha = 2}), 0);
  expect_close(Selu()(x), selu(x), 0);
  const Tensor even = reshape(x, {2, 5, 21});
  expect_close(Glu(0)(even), glu(even, 0), 0);
  expect_close(Softmin(1)(x), softmin(x, 1), 0);
  expect_close(Flatten()(x), flatten(x), 0);
  expect_close(Flatten({.start_axis = 2})(x), flatten(x, {.start_axis = 2}), 0);
  const AvgPool2dOptions average{
      .window = {2, 3}, .stride = {1, 2}, .padding = {1, 0}, .count_include_pad = false};
  expect_close(AvgPool2d(average)(x), avg_pool2d(x, average), 0);
  const MaxPool2dOptions maximum{.window = {2, 3}, .stride = {1, 2}, .padding = {1, 0}};
  expect_close(MaxPool2d(maximum)(x), max_pool2d(x, maximum), 0);
  EXPECT_TRUE(Flatten().parameters().empty());
}

TEST(Prelu, IsTheOpWithItsWeight) {
  Prelu one, each({.channels = 3, .init = 0.5, .dtype = float64});
  EXPECT_EQ(numbers(one.weight()), std::vector<double>{0.25});
  EXPECT_EQ(numbers(each.weight()), (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(each.named_parameters()[0].name, "weight");
  each.weight().assign(tensor({1, 2, 3}, {.dtype = float64}));
  const Tensor x = tensor({-1, -1, -1, 4, 5, -6}, {2, 3}, {.dtype = float64});
  expect_close(each(x), {-1, -2, -3, 4, 5, -18}, 0);
  sum(each(x)).backward();
  expect_close(each.weight().grad(), {-1, -1, -7}, 0);
  expect_close(one(tensor({-4, 4})), {-1, 4}, 0);
  expect_error<ShapeError>("Prelu: channels must be positive, got 0", [] { Prelu({.channels = 0}); });
}

TEST(Layers, GradientsReachEveryParameter) {
  Rng rng(6);
  Sequential net(Conv2d(1, 2, 3, {.dtype = float64}, rng), Tanh(), AvgPool2d({.window = 2}), Flatten(),
                 Dense(2 * 2 * 3, 3, {.dtype = float64}, rng));
  std::vector<Tensor> inputs{random_tensor({2, 1, 6, 8}, rng).set_requires_grad()};
  for (const Tensor& parameter : net.parameters()) inputs.push_back(parameter);
  expect_gradients(
      [&](auto in) {
        const Tensor pooled = avg_pool2d(tanh(conv2d(in[0], in[1], in[2])), {.window = 2});
        return dense(flatten(pooled), in[3], in[4]);
      },
      inputs);
  const Tensor loss = softmax_cross_entropy(net(inputs[0]), tensor({2, 0}, {.dtype = int64}));
  loss.backward();
  for (const auto& [name, parameter] : net.named_parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_EQ(parameter.grad().shape(), parameter.shape()) << name;
  }
}

/// Tells four patterns apart after some steps.
void expect_learns(Sequential& net, Optimizer& optimizer) {
  const Tensor image = tensor({1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0}, {4, 1, 2, 2});
  const Tensor label = arange(4);
  Tensor loss = softmax_cross_entropy(net(image), label);
  EXPECT_GT(loss.item(), 0.5);
  for (int step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    loss = softmax_cross_entropy(net(image), label);
    loss.backward();
    optimizer.step();
  }
  EXPECT_LT(loss.item(), 0.05);
}

TEST(Layers, Learn) {
  Rng rng(7);
  const auto make = [&] {
    return std::make_unique<Sequential>(Conv2d(1, 8, 2, {}, rng), Relu(), Flatten(), Dense(8, 8, {}, rng),
                                        Tanh(), Dense(8, 4, {}, rng));
  };
  const auto first = make(), second = make();
  Sgd sgd(first->parameters(), {.learning_rate = 0.1, .momentum = 0.9});
  expect_learns(*first, sgd);
  Adam adam(second->parameters(), {.learning_rate = 0.02});
  expect_learns(*second, adam);
}

}  // namespace
}  // namespace adjoint
