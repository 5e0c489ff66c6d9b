// References into a tensor: how long they are valid, and which ones do not compile because they would outlive
// their tensor. The address sanitizer checks the former, because memory is not recycled under it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "adjoint/data/batches.h"
#include "adjoint/graph/node.h"
#include "adjoint/modules/sequential.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/optim/adam.h"
#include "adjoint/optim/sgd.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/threads/scratch.h"

namespace adjoint {
namespace {

using testing::ElementsAre;

// Each of these takes the expression's value category: T& is something with a name, T a temporary.
// clang-format off
template <class T> concept GivesData = requires(T&& t) { std::forward<T>(t).template data<float>(); };
template <class T> concept GivesMutableData = requires(T&& t) { std::forward<T>(t).template mutable_data<float>(); };
template <class T> concept GivesRowMajor = requires(T&& t) { std::forward<T>(t).template row_major<float>(); };
template <class T> concept GivesInterleaved = requires(T&& t) { std::forward<T>(t).template interleaved<float>(); };
template <class T> concept GivesIn = requires(T&& t) { std::forward<T>(t).template in<float>(Layout::row_major); };
template <class T> concept GivesOuterProduct = requires(T&& t) { std::forward<T>(t).template outer_product<float>(); };
template <class T> concept GivesWritable = requires(T&& t) { std::forward<T>(t).template writable<float>(); };
template <class T> concept GivesSizes = requires(T&& t) { std::forward<T>(t).sizes(); };
template <class T> concept GivesBegin = requires(T&& t) { std::forward<T>(t).begin(); };
template <class T> concept GivesEnd = requires(T&& t) { std::forward<T>(t).end(); };
template <class T> concept GivesElement = requires(T&& t) { std::forward<T>(t)[0]; };
template <class T> concept GivesGet = requires(T&& t) { std::forward<T>(t).get(); };
// clang-format on

static_assert(GivesData<Tensor&> && GivesData<const Tensor&>);
static_assert(!GivesData<Tensor> && !GivesData<const Tensor>);
static_assert(GivesMutableData<Tensor&> && !GivesMutableData<Tensor>);
static_assert(GivesRowMajor<Values&> && !GivesRowMajor<Values> && !GivesRowMajor<const Values>);
static_assert(GivesInterleaved<Values&> && !GivesInterleaved<Values> && !GivesInterleaved<const Values>);
static_assert(GivesIn<Values&> && !GivesIn<Values> && !GivesIn<const Values>);
static_assert(GivesOuterProduct<Values&> && !GivesOuterProduct<Values> && !GivesOuterProduct<const Values>);
static_assert(GivesWritable<Values&> && !GivesWritable<Values>);
static_assert(GivesSizes<const Shape&> && !GivesSizes<Shape> && !GivesSizes<const Shape>);
static_assert(GivesBegin<const Shape&> && !GivesBegin<Shape> && !GivesBegin<const Shape>);
static_assert(GivesEnd<const Shape&> && !GivesEnd<Shape> && !GivesEnd<const Shape>);
static_assert(GivesBegin<Batches&> && !GivesBegin<Batches>);
static_assert(GivesElement<Sequential&> && !GivesElement<Sequential>);
using Scratch = kernels::Scratch<float>;
static_assert(GivesGet<Scratch&> && GivesGet<const Scratch&>);
static_assert(!GivesGet<Scratch> && !GivesGet<const Scratch>);
static_assert(!std::is_constructible_v<Batches::Iterator, Batches> &&
              std::is_constructible_v<Batches::Iterator, Batches&>);
static_assert(!std::is_constructible_v<Batches, LabeledImages> &&
              std::is_constructible_v<Batches, const LabeledImages&>);
static_assert(std::is_convertible_v<const Saved&, const Tensor&> &&
              !std::is_convertible_v<Saved, const Tensor&> &&
              !std::is_convertible_v<const Saved, const Tensor&>);
static_assert(std::is_constructible_v<Input, Tensor&> && !std::is_constructible_v<Input, Tensor>);

// Calls on a temporary return small objects as copies.
static_assert(std::is_same_v<decltype(std::declval<Tensor>().shape()), Shape>);
static_assert(std::is_same_v<decltype(std::declval<Tensor>().values()), Values>);
static_assert(std::is_same_v<decltype(std::declval<Tensor>().node()), Ref<Node>>);
static_assert(std::is_same_v<decltype(std::declval<Tensor>().name()), std::string>);
static_assert(std::is_same_v<decltype(std::declval<Values>().shape()), Shape>);
static_assert(std::is_same_v<decltype(std::declval<Grads>()[0]), Tensor>);

TEST(Lifetime, WhatATemporaryGivesIsACopy) {
  const Tensor x = ones({2, 3}, {.requires_grad = true});
  const auto doubled = [&] { return x * 2.0; };
  const Shape& shape = doubled().shape();
  const Values& values = doubled().values();
  const Ref<Node>& node = doubled().node();
  std::vector<Tensor> others;
  for (int i = 0; i < 10; ++i) others.push_back(zeros({2, 3}) + 5.0);
  EXPECT_EQ(shape, (Shape{2, 3}));
  EXPECT_EQ(values.row_major<float>()[5], 2);
  EXPECT_STREQ(node->op, "mul");
}

/// Objects that take the memory of freed ones.
std::vector<Tensor> junk() {
  std::vector<Tensor> tensors;
  for (int i = 0; i < 20; ++i) tensors.push_back(full({2}, -1));
  return tensors;
}

TEST(Lifetime, DataLivesOverAnUpdateOfSharedMemory) {
  Tensor w = tensor({1, 2});
  Tensor snapshot = w.detach();
  const auto span = w.data<float>();
  w.mutable_data<float>()[0] = 5;
  snapshot = Tensor();
  const auto others = junk();
  EXPECT_THAT(span, ElementsAre(1, 2));
  EXPECT_THAT(w.data<float>(), ElementsAre(5, 2));
}

TEST(Lifetime, MutableDataLivesOverAnUpdateToo) {
  Tensor w = tensor({1, 2});
  const auto span = w.mutable_data<float>();
  {
    const Tensor snapshot = w.detach();
    w.mutable_data<float>()[0] = 5;
  }
  const auto others = junk();
  EXPECT_THAT(span, ElementsAre(1, 2));
}

TEST(Lifetime, DataLivesOverAssign) {
  Tensor w = tensor({1, 2});
  const auto span = w.data<float>();
  w.assign(tensor({3, 4}));
  const auto others = junk();
  EXPECT_THAT(span, ElementsAre(3, 4)) << "nobody shared it";
  EXPECT_EQ(w.data<float>().data(), span.data());

  Tensor snapshot = w.detach();
  w.assign(tensor({5, 6}));
  EXPECT_THAT(snapshot.data<float>(), ElementsAre(3, 4));
  snapshot = Tensor();
  const auto more = junk();
  EXPECT_THAT(span, ElementsAre(3, 4));
  EXPECT_THAT(w.data<float>(), ElementsAre(5, 6));
}

TEST(Lifetime, AssigningATensorsOwnValuesChangesNothing) {
  Tensor w = tensor({1, 2});
  const auto span = w.data<float>();
  w.assign(w);
  const Tensor sharing = w.detach();
  w.assign(sharing);
  w.assign(w);
  EXPECT_THAT(w.data<float>(), ElementsAre(1, 2));
  EXPECT_THAT(span, ElementsAre(1, 2));
}

/// A layer with one weight.
class Weight : public Layer {
 public:
  Weight() { register_parameter("w", tensor({1, 2})); }
  Tensor forward(const Tensor& x) override { return x; }
};

TEST(Lifetime, DataLivesOverStepsAndLoading) {
  for (const bool adam : {false, true}) {
    Weight net;
    Tensor w = net.parameters()[0];
    Sgd sgd({w}, {.learning_rate = 1});
    Adam other({w}, {.learning_rate = 1});
    Optimizer& optimizer = adam ? static_cast<Optimizer&>(other) : sgd;
    const auto span = w.data<float>();
    StateDict state = net.state_dict();
    w.backward(ones({2}));
    optimizer.step();
    const std::vector<float> stepped(w.data<float>().begin(), w.data<float>().end());
    EXPECT_NEAR(stepped[0], 0, 1e-6);
    const auto second_span = w.data<float>();
    net.load_state_dict(state);
    state.clear();
    const auto others = junk();
    EXPECT_THAT(span, ElementsAre(1, 2));
    EXPECT_THAT(second_span, ElementsAre(1, 2)) << "loaded into the tensor's own memory";
    EXPECT_THAT(w.data<float>(), ElementsAre(1, 2));
  }
}

TEST(Lifetime, AnImageThatIsUpdatedKeepsItsRowsAndDropsTheOtherLayout) {
  Tensor image = ones({16, 1, 2, 2});
  const auto span = image.data<float>();
  image.values().interleaved<float>();  // as a convolution asks for them
  image.mutable_data<float>()[0] = 5;
  const auto others = junk();
  EXPECT_EQ(image.data<float>().data(), span.data());
  EXPECT_EQ(span[0], 5);
  EXPECT_FALSE(image.values().has(Layout::interleaved));
  EXPECT_EQ(image.values().interleaved<float>()[0], 5);

  const Tensor snapshot = image.detach();  // shares both
  image.mutable_data<float>()[0] = 7;
  EXPECT_EQ(image.values().interleaved<float>()[0], 7);
  EXPECT_EQ(snapshot.values().interleaved<float>()[0], 5);
}

TEST(Lifetime, MemoryLeftBehindIsUsedAgain) {
  Weight net;
  Tensor w = net.parameters()[0];
  Sgd sgd({w}, {.learning_rate = 1});
  std::set<const float*> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(w.data<float>().data());
    const StateDict state = net.state_dict();
    w.backward(ones({2}));
    sgd.step();
    sgd.zero_grad();
    ASSERT_EQ(w.data<float>()[0], -static_cast<float>(i));
    ASSERT_EQ(state[0].tensor.data<float>()[0], 1 - static_cast<float>(i));
  }
  EXPECT_LE(seen.size(), 2u);
}

TEST(Lifetime, MemoryLeftBehindIsBoundedByTheTensorsThatSharedItAtOnce) {
  Tensor w = tensor({0, 2});
  std::set<const float*> seen;
  for (int round = 0; round < 100; ++round) {
    std::vector<Tensor> snapshots;
    for (int i = 0; i < 10; ++i) {
      seen.insert(w.data<float>().data());
      snapshots.push_back(w.detach());
      w.mutable_data<float>()[0] = static_cast<float>(i + 1);
    }
    for (int i = 1; i < 10; ++i) ASSERT_EQ(snapshots[static_cast<std::size_t>(i)].data<float>()[0], i);
  }
  EXPECT_LE(seen.size(), 11u);
}

TEST(Lifetime, MemoryUsedAgainIsKeptAgain) {
  Tensor w = tensor({1, 2});
  const auto span = w.data<float>();
  const auto update = [&](float value) {
    static_cast<float*>(w.start_update())[0] = value;
  };  // as an optimizer
  std::vector<Tensor> snapshots = {w.detach()};
  update(3);
  snapshots = {w.detach()};
  update(4);
  EXPECT_EQ(span[0], 4) << "nobody else had the first memory any more";
  snapshots = {w.detach()};
  update(5);
  snapshots.clear();
  const auto others = junk();
  EXPECT_THAT(span, ElementsAre(4, 2));
  EXPECT_THAT(w.data<float>(), ElementsAre(5, 2));
}

TEST(Lifetime, MemoryThatWasNotHandedOutIsNotKept) {
  Weight net;
  Tensor w = net.parameters()[0];
  Sgd sgd({w}, {.learning_rate = 1});
  w.backward(ones({2}));
  sgd.step();
  const Tensor snapshot = w.detach();
  EXPECT_THAT(snapshot.data<float>(), ElementsAre(0, 1));
  sgd.step();
  EXPECT_TRUE(snapshot.is_unique());
}

}  // namespace
}  // namespace adjoint
