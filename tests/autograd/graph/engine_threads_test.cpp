// Backward passes in several threads at once, over graphs and leaves that they share.

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "adjoint/graph/grad.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"
#include "tests/support/expect_close.h"
#include "tests/support/graphs.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

TEST(Backward, OtherThreadsKeepOutOfANodeThatIsBeingFreed) {
  const Tensor x = leaf(2);
  std::atomic<int> entered = 0;
  std::atomic<bool> others_are_done = false;
  const Tensor trunk = identity(x, [&](const Tensor& dy, Needs) -> Grads {
    const bool is_first = ++entered == 1;
    while (is_first && !others_are_done) std::this_thread::yield();
    return {dy};
  });
  const Tensor first = trunk * 3.0, freeing = trunk * 5.0, retaining = trunk * 7.0;
  std::thread other([&] {
    while (entered == 0) std::this_thread::yield();
    const char* const kMessage =
        "backward: another thread's backward is freeing identity; pass {.retain_graph = true} to both";
    expect_error<GraphError>(kMessage, [&] { freeing.backward(); });
    expect_error<GraphError>(kMessage, [&] { retaining.backward({.retain_graph = true}); });
    others_are_done = true;
  });
  first.backward();
  other.join();
  EXPECT_EQ(entered, 1);
  EXPECT_EQ(x.grad().item(), 3);
}

TEST(Backward, OneOfTwoThreadsThatFreeASharedPartGetsThrough) {
  for (int round = 0; round < 200; ++round) {
    const Tensor x = leaf(2);
    Tensor trunk = x;
    for (int i = 0; i < 50; ++i) trunk = trunk * 1.0;
    const Tensor heads[] = {trunk * 3.0, trunk * 5.0};
    std::atomic<int> ready = 0;
    bool is_through[2] = {};
    const auto go = [&](std::size_t i) {
      ++ready;
      while (ready < 2) std::this_thread::yield();
      is_through[i] = error_of<GraphError>([&] { heads[i].backward(); }) == "no error";
    };
    std::thread other([&] { go(1); });
    go(0);
    other.join();
    ASSERT_NE(is_through[0], is_through[1]);
    ASSERT_EQ(x.grad().item(), is_through[0] ? 3 : 5);
  }
}

TEST(Backward, ThreadsAddToALeafOneAfterTheOther) {
  constexpr std::int64_t kElements = 20'000;
  const Tensor x = zeros({kElements}, {.dtype = float64, .requires_grad = true});
  const Tensor dy = ones({kElements}, {.dtype = float64});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) (x * 3.0).backward(dy);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(numbers(x.grad()), testing::Each(4 * 200 * 3));
}

TEST(Backward, ThreadsMayShareLeaves) {  // burn 5573, pytorch 17566
  const Tensor x = leaf(1);
  const auto train = [&] {
    for (int i = 0; i < 500; ++i) {
      Tensor y = x;
      for (int k = 0; k < 20; ++k) y = y * x;
      y.backward();
    }
  };
  std::thread first(train), second(train);
  first.join();
  second.join();
  EXPECT_EQ(x.grad().item(), 2 * 500 * 21);
}

TEST(Backward, ThreadsMayShareARetainedGraph) {
  const Tensor x = leaf(1);
  Tensor y = x;
  for (int k = 0; k < 200; ++k) y = y * x + y;
  const double expected = grad(y, x, {.retain_graph = true}).item();
  std::vector<double> found(2);
  const auto differentiate = [&](std::size_t i) {
    for (int round = 0; round < 20; ++round) found[i] = grad(y, x, {.retain_graph = true}).item();
  };
  std::thread first(differentiate, 0), second(differentiate, 1);
  first.join();
  second.join();
  EXPECT_THAT(found, testing::ElementsAre(expected, expected));
}

}  // namespace
}  // namespace adjoint
