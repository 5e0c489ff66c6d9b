// Module: names, handles, snapshots, what is refused; Layer and Sequential.

#include "adjoint/modules/module.h"

#include <gtest/gtest.h>
#include <type_traits>

#include "adjoint/graph/node.h"
#include "adjoint/modules/sequential.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "tests/layers/modules/scale.h"
#include "tests/support/expect_close.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using support::expect_error;
using support::numbers;
using Names = std::vector<std::string>;

using support::Scale;

/// Two scales and a shift.
class Affine : public Module {
 public:
  Affine() : first(2), second(3) {
    register_child("first", first);
    shift_ = register_parameter("shift", full({2}, 5, {.dtype = float64}));
    register_child("second", second);
  }
  Tensor forward(const Tensor& x) override { return second(first(x)) + shift_; }
  using Module::register_child;
  using Module::register_parameter;

  Scale first, second;

 private:
  Tensor shift_;
};

class Outer : public Module {
 public:
  Outer() { register_child("inner", inner); }
  Tensor forward(const Tensor& x) override { return inner(x); }
  using Module::register_child;

  Affine inner;
};

static_assert(std::is_move_constructible_v<Scale> && !std::is_copy_constructible_v<Scale>);
static_assert(!std::is_move_constructible_v<Affine> && !std::is_copy_constructible_v<Affine>);
static_assert(!std::is_move_constructible_v<Sequential>);

Names names_of(const std::vector<NamedTensor>& list) {
  Names names;
  for (const auto& [name, tensor] : list) names.push_back(name);
  return names;
}

std::vector<std::vector<double>> values_of(const std::vector<NamedTensor>& list) {
  std::vector<std::vector<double>> values;
  for (const auto& [name, tensor] : list) values.push_back(numbers(tensor));
  return values;
}

Tensor pair(double a, double b) { return tensor({a, b}, {.dtype = float64}); }

TEST(Module, ParametersHaveFullNamesOwnOnesFirst) {
  const Outer net;
  const Names expected{"inner.shift", "inner.first.scale", "inner.second.scale"};
  EXPECT_EQ(names_of(net.named_parameters()), expected);
  EXPECT_EQ(names_of(net.state_dict()), expected);
  for (const auto& [name, parameter] : net.named_parameters()) {
    EXPECT_EQ(parameter.name(), name);
    EXPECT_TRUE(parameter.requires_grad());
  }
  EXPECT_EQ(net.parameters().size(), 3u);
}

TEST(Module, ParametersAreHandles) {
  Outer net;
  for (Tensor& parameter : net.parameters()) parameter.assign(pair(7, -1));
  EXPECT_EQ(numbers(net(pair(1, 2))), (std::vector<double>{7 * 7 + 7, 2 - 1}));
  sum(net(pair(1, 2))).backward();
  EXPECT_EQ(numbers(net.inner.second.scale().grad()), (std::vector<double>{7, -2}));
  EXPECT_TRUE(net.parameters()[2].grad().defined());
}

TEST(Module, ErrorsOfTheGraphNameTheParameter) {
  Outer net;
  const Tensor y = sum(net(pair(1, 2)));
  net.inner.second.scale().assign(pair(0, 0));
  expect_error<GraphError>(
      "mul: inner.second.scale was changed after it was used in this graph (updates since: 1)",
      [&] { y.backward(); });
}

TEST(Module, StateDictIsASnapshot) {
  Outer net;
  const StateDict before = net.state_dict();
  const auto values = values_of(before);
  for (Tensor& parameter : net.parameters()) parameter.mutable_data<double>()[0] = 100;
  EXPECT_EQ(values_of(before), values);
  EXPECT_NE(values_of(net.state_dict()), values);
  for (const auto& [name, tensor] : before) EXPECT_FALSE(tensor.requires_grad());

  net.load_state_dict(before);
  EXPECT_EQ(values_of(net.state_dict()), values);
  for (Tensor& parameter : net.parameters()) parameter.mutable_data<double>()[1] = 50;
  EXPECT_EQ(values_of(before), values) << "loading must not tie the snapshot to the module";
}

TEST(Module, LoadTakesAnyOrder) {
  Outer net;
  net.load_state_dict(
      {{"inner.second.scale", pair(1, 2)}, {"inner.first.scale", pair(3, 4)}, {"inner.shift", pair(5, 6)}});
  EXPECT_EQ(values_of(net.state_dict()), (std::vector<std::vector<double>>{{5, 6}, {3, 4}, {1, 2}}));
}

TEST(Module, LoadIsAllOrNothingAndListsEverything) {
  Outer net;
  const auto before = values_of(net.state_dict());
  expect_error<Error>(
      R"(load_state_dict: "inner.shift" is given twice; "bias" is undefined; "inner.first.scale" must be )"
      R"(float64 [2], it is float32 [2,1]; "inner.second.scale" is missing; "bias" is not a parameter; )"
      R"("inner.first.scales" is not a parameter)",
      [&] {
        net.load_state_dict({{"inner.shift", pair(9, 9)},
                             {"inner.first.scale", zeros({2, 1})},
                             {"inner.first.scales", zeros({2})},
                             {"inner.shift", pair(8, 8)},
                             {"bias", Tensor()}});
      });
  expect_error<Error>(R"(load_state_dict: "inner.shift" is missing; "inner.first.scale" is missing; )"
                      R"("inner.second.scale" is missing)",
                      [&] { net.load_state_dict({}); });
  StateDict undefined = net.state_dict();
  undefined[1].tensor = Tensor();
  expect_error<Error>(R"(load_state_dict: "inner.first.scale" is undefined)",
                      [&] { net.load_state_dict(undefined); });
  EXPECT_EQ(values_of(net.state_dict()), before);
}

TEST(Module, ErrorsOfLoadingStayOnOneReadableLine) {
  Scale net;
  const std::string name = "a\n\x1b[31m";
  for (const auto& [state, problem] : {std::pair(StateDict{{name, pair(1, 2)}}, "is not a parameter"),
                                       {{{name, Tensor()}}, "is undefined"},
                                       {{{name, pair(1, 2)}, {name, pair(1, 2)}}, "is given twice"}}) {
    const std::string text = support::error_of<Error>([&, &state = state] { net.load_state_dict(state); });
    EXPECT_NE(text.find(std::string(R"("a\x0a\x1b[31m" )") + problem), text.npos) << text;
    EXPECT_EQ(text.find_first_of("\n\x1b"), text.npos) << text;
  }
}

TEST(Module, TrainAndEvalReachEveryChild) {
  Outer net;
  EXPECT_TRUE(net.is_training() && net.inner.first.is_training());
  net.eval();
  EXPECT_FALSE(net.is_training() || net.inner.is_training() || net.inner.second.is_training());
  net.inner.first.train();
  EXPECT_FALSE(net.is_training());
  net.train();
  EXPECT_TRUE(net.is_training() && net.inner.second.is_training());
}

TEST(Module, AFrozenParameterStaysInTheState) {
  Scale frozen(3);
  frozen.scale().set_requires_grad(false);
  Sequential net(std::move(frozen));
  EXPECT_EQ(names_of(net.state_dict()), Names{"0.scale"});
  EXPECT_FALSE(net.parameters()[0].requires_grad());
}

TEST(Module, RefusesBadNames) {
  Affine net;
  Scale child;
  const auto parameter = [&](const char* name) {
    return [&net, name] { net.register_parameter(name, pair(1, 2)); };
  };
  expect_error<Error>("register_parameter: a name must have a character and no dot, got ''", parameter(""));
  expect_error<Error>("register_parameter: a name must have a character and no dot, got 'a.b'",
                      parameter("a.b"));
  expect_error<Error>("register_parameter: the name shift is taken", parameter("shift"));
  expect_error<Error>("register_parameter: the name first is taken", parameter("first"));
  expect_error<Error>("register_child: a name must have a character and no dot, got ''",
                      [&] { net.register_child("", child); });
  expect_error<Error>("register_child: the name shift is taken", [&] { net.register_child("shift", child); });
  EXPECT_EQ(net.parameters().size(), 3u);
}

TEST(Module, RefusesWhatIsNoParameter) {
  Scale layer;
  expect_error<Error>("register_parameter: w must be a floating leaf, it is undefined",
                      [&] { layer.register_parameter("w", Tensor()); });
  expect_error<Error>("register_parameter: w must be a floating leaf, it is int64",
                      [&] { layer.register_parameter("w", arange(3)); });
  expect_error<Error>("register_parameter: w must be a floating leaf, it is mul",
                      [&] { layer.register_parameter("w", layer.scale() * 2.0); });
  expect_error<Error>("register_parameter: w is already registered as scale",
                      [&] { layer.register_parameter("w", layer.scale()); });
  EXPECT_EQ(names_of(layer.named_parameters()), Names{"scale"});
}

TEST(Module, RefusesCyclesAndSharedParts) {
  Affine net;
  Outer outer;
  expect_error<Error>("register_child: self is the module itself", [&] { net.register_child("self", net); });
  expect_error<Error>(
      "register_child: inner is already part of adjoint::(anonymous namespace)::Outer as inner",
      [&] { net.register_child("inner", outer.inner); });
  expect_error<Error>(
      "register_child: outer comes too late, the module is already part of adjoint::(anonymous "
      "namespace)::Outer as inner; register in the constructor",
      [&] { outer.inner.register_child("outer", outer); });
  expect_error<Error>(
      "register_parameter: w comes too late, the module is already part of adjoint::(anonymous "
      "namespace)::Outer as inner; register in the constructor",
      [&] { outer.inner.register_parameter("w", pair(1, 2)); });

  Affine tied;
  Scale sharing;
  sharing.register_parameter("tied", net.first.scale());
  expect_error<Error>("register_child: sharing.tied is already registered as first.scale",
                      [&] { net.register_child("sharing", sharing); });
}

TEST(Layer, MovesUntilItIsAChild) {
  Scale layer(4);
  const Tensor before = layer.scale();
  Scale moved = std::move(layer);
  EXPECT_EQ(&moved.parameters().at(0).values(), &before.values());
  EXPECT_EQ(numbers(moved(pair(1, 2))), (std::vector<double>{4, 8}));

  Affine net;
  expect_error<Error>(
      "move: the adjoint::support::Scale is part of adjoint::(anonymous "
      "namespace)::Affine as first, which would lose it",
      [&] { Scale stolen = std::move(net.first); });
  EXPECT_EQ(numbers(net(pair(1, 2))), (std::vector<double>{11, 17}));
}

TEST(Sequential, AppliesItsModulesInOrder) {
  Sequential net(std::make_unique<Affine>(), Scale(10));
  net.add(Scale(0.5)).add(std::make_unique<Sequential>(Scale(2)));
  EXPECT_EQ(net.size(), 4u);
  EXPECT_EQ(numbers(net(pair(1, 2))), (std::vector<double>{110, 170}));
  EXPECT_EQ(names_of(net.named_parameters()),
            (Names{"0.shift", "0.first.scale", "0.second.scale", "1.scale", "2.scale", "3.0.scale"}));
  EXPECT_EQ(net.named_parameters()[5].tensor.name(), "3.0.scale");
  EXPECT_EQ(numbers(net[1](pair(1, 2))), (std::vector<double>{10, 20}));
  EXPECT_EQ(numbers(Sequential()(pair(1, 2))), (std::vector<double>{1, 2}));
}

TEST(Sequential, Refuses) {
  Sequential net{Scale()};
  expect_error<Error>("Sequential: module 1 is null", [&] { net.add(std::unique_ptr<Module>()); });
  expect_error<Error>("Sequential: module 1 was asked for, there are 1", [&] { net[1]; });
  auto inner = std::make_unique<Sequential>(Scale());
  Sequential& child = *inner;
  net.add(std::move(inner));
  expect_error<Error>(
      "register_child: 1 comes too late, the module is already part of adjoint::Sequential as 1; register in "
      "the constructor",
      [&] { child.add(Scale()); });
  EXPECT_EQ(child.size(), 1u);
}

TEST(Module, NothingIsLeftBehind) {
  const std::int64_t before = live_nodes();
  {
    Outer net;
    sum(net(pair(1, 2))).backward();
    EXPECT_EQ(live_nodes(), before + 3);
  }
  EXPECT_EQ(live_nodes(), before);
}

}  // namespace
}  // namespace adjoint
