// Modules in use: a part that was not registered is noticed when it runs, parameters can be frozen, networks
// may have many parts.

#include <algorithm>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "adjoint/graph/grad_mode.h"
#include "adjoint/modules/activations.h"
#include "adjoint/modules/dense.h"
#include "adjoint/modules/module.h"
#include "adjoint/modules/sequential.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/layers/modules/scale.h"
#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace module_use {

using namespace adjoint;

using support::Scale;

/// Two scales, the second of which may be registered or not.
class Two : public Module {
 public:
  explicit Two(bool registers = false) {
    register_child("first", first);
    if (registers) register_child("second", second);
  }
  Tensor forward(const Tensor& x) override { return second(relu(first(x))); }

  Scale first{2}, second{3};
  Relu relu;  // has no parameters, so it need not be registered
};

class Outer : public Module {
 public:
  explicit Outer(bool registers = false) : inner(registers) { register_child("inner", inner); }
  Tensor forward(const Tensor& x) override { return inner(x); }

  Two inner;
};

/// Registers another module's parameter as its own and runs that module.
class Borrowing : public Module {
 public:
  explicit Borrowing(Scale& scale) : scale_(scale) { register_parameter("borrowed", scale.scale()); }
  Tensor forward(const Tensor& x) override { return scale_(x); }

 private:
  Scale& scale_;
};

/// Runs a module that is registered in another module, or in none.
class Using : public Module {
 public:
  explicit Using(Module& used) : used_(used) {}
  Tensor forward(const Tensor& x) override { return used_(x); }

 private:
  Module& used_;
};

/// Has a parameter that one of its children runs, in a module that is not registered.
class Owner : public Module {
 public:
  explicit Owner(Scale& scale) : using_(scale) {
    register_parameter("borrowed", scale.scale());
    register_child("using", using_);
  }
  Tensor forward(const Tensor& x) override { return using_(x); }

 private:
  Using using_;
};

namespace {

using support::expect_error;
using support::numbers;
using testing::ElementsAre;

const Tensor kX = tensor({1, 2}, {.dtype = float64});

constexpr const char* kForgotten =
    "forward: adjoint::support::Scale runs inside module_use::Two, which does not know it: its scale [2] "
    "would be "
    "neither "
    "trained nor saved; call register_child(\"name\", member) in the constructor of module_use::Two";

TEST(UnregisteredModule, IsNoticedWhenItRuns) {
  Two net;
  Outer deeper;
  expect_error<Error>(kForgotten, [&] { net(kX); });
  expect_error<Error>(kForgotten, [&] { deeper(kX); });
  expect_error<Error>(kForgotten, [&] { Sequential(std::make_unique<Outer>())(kX); });
  EXPECT_THAT(numbers(Two(true)(kX)), ElementsAre(6, 12));
  EXPECT_THAT(numbers(Outer(true)(kX)), ElementsAre(6, 12));
  EXPECT_THAT(numbers(net.second(kX)), ElementsAre(3, 6)) << "on its own it may run, after an error too";
}

TEST(UnregisteredModule, WithChildrenIsNamedToo) {
  Two used(true);
  Using net(used);
  expect_error<Error>(
      "forward: module_use::Two runs inside module_use::Using, which does not know it: its first.scale "
      "[2] would be neither trained nor saved; call register_child(\"name\", member) in the "
      "constructor of module_use::Using",
      [&] { net(kX); });
}

TEST(UnregisteredModule, IsFineWhereItsParametersAreNotTrained) {
  Two net;
  {
    const NoGrad no_grad;
    EXPECT_THAT(numbers(net(kX)), ElementsAre(6, 12));
  }
  net.second.scale().set_requires_grad(false);
  EXPECT_THAT(numbers(net(kX)), ElementsAre(6, 12));
}

TEST(UnregisteredModule, IsFineWhereItBelongsToAnotherOrItsParametersDo) {
  Outer owner(true);
  Using sharing_encoder(owner.inner);
  EXPECT_THAT(numbers(sharing_encoder(kX)), ElementsAre(6, 12));
  Scale scale(5);
  Borrowing borrowing(scale);
  EXPECT_THAT(numbers(borrowing(kX)), ElementsAre(5, 10));
  EXPECT_THAT(numbers(Owner(scale)(kX)), ElementsAre(5, 10));
  Using around(borrowing);
  expect_error<Error>(
      "forward: module_use::Borrowing runs inside module_use::Using, which does not know it: its "
      "borrowed [2] would be neither trained nor saved; call register_child(\"name\", member) in "
      "the constructor of module_use::Using",
      [&] { around(kX); });
}

TEST(FrozenParameter, KeepsItsName) {
  Outer net(true);
  Tensor scale = net.inner.first.scale();
  scale.set_requires_grad(false);
  EXPECT_EQ(scale.name(), "inner.first.scale");
  EXPECT_EQ(net.named_parameters()[0].tensor.name(), "inner.first.scale");
  scale.set_requires_grad();
  EXPECT_EQ(scale.name(), "inner.first.scale");
}

TEST(FrozenParameter, GetsItsFullNameWhenItsModuleBecomesAPart) {
  Scale frozen(3);
  frozen.scale().set_requires_grad(false);
  Tensor scale = frozen.scale();
  const Sequential net(std::move(frozen));
  EXPECT_EQ(scale.name(), "0.scale");
}

TEST(FrozenParameter, TrainsAgainAfterwards) {
  Scale net(3);
  Tensor scale = net.scale();
  scale.set_requires_grad(false);
  EXPECT_FALSE(net(kX).requires_grad());
  scale.set_requires_grad();
  sum(net(kX)).backward();
  EXPECT_THAT(numbers(scale.grad()), ElementsAre(1, 2));
}

TEST(Sequential, MayHaveManyLayers) {
  constexpr std::size_t kLayers = 50'000;  // minutes, if each were compared with all others
  Sequential net;
  for (std::size_t i = 0; i < kLayers; ++i) net.add(Scale(1 + static_cast<double>(i)));
  const auto parameters = net.named_parameters();
  ASSERT_EQ(parameters.size(), kLayers);
  EXPECT_EQ(parameters.back().name, "49999.scale");
  EXPECT_EQ(parameters.back().tensor.name(), "49999.scale");

  StateDict state = net.state_dict();
  std::reverse(state.begin(), state.end());
  for (auto& [name, tensor] : state) tensor = tensor * 2.0;
  net.load_state_dict(state);
  EXPECT_THAT(numbers(net.parameters()[7]), ElementsAre(16, 16));
}

TEST(LoadStateDict, ListsAFewOfManyProblems) {
  Scale net;
  StateDict state;
  for (int i = 0; i < 10'000; ++i) state.push_back({fmt::format("w{}", i), kX});
  const std::string text = support::error_of<Error>([&] { net.load_state_dict(state); });
  EXPECT_LT(text.size(), 1000u);
  EXPECT_THAT(text, testing::StartsWith(R"(load_state_dict: "scale" is missing; "w0" is not a parameter; )"));
  EXPECT_THAT(text, testing::EndsWith("; and 9981 more"));
}

}  // namespace
}  // namespace module_use
