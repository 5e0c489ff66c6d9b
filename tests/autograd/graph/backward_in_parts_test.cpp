#include "adjoint/graph/backward_in_parts.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <gtest/gtest.h>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adjoint/graph/grad_mode.h"
#include "adjoint/graph/node.h"
#include "adjoint/ops/activation.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/linalg.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/tensor/create.h"
#include "adjoint/tensor/random.h"
#include "tests/support/expect_close.h"
#include "tests/support/graphs.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

TEST(BackwardInParts, IsTheBackwardOfTheSum) {
  const Tensor x = leaf(3), y = leaf(5), unused = leaf(7);
  for (const int threads : {1, 2, 3}) {
    const WithThreads with(threads);
    // 0 x + 0 x y + 1 x + 1 x y + 2 x + 2 x y + 3 x + 3 x y
    const double loss = backward_in_parts(4, [&](std::int64_t i) {
      const auto factor = static_cast<double>(i);
      return x * factor + x * y * factor;
    });
    EXPECT_EQ(loss, 6 * 3 + 6 * 15);
    EXPECT_EQ(x.grad().item(), threads * (6 + 6 * 5)) << "added to what was there";
    EXPECT_EQ(y.grad().item(), threads * 6 * 3);
    EXPECT_FALSE(unused.grad().defined());
  }
}

TEST(BackwardInParts, AddsUpEveryPart) {
  for (const int threads : {1, 2, 3}) {
    const WithThreads with(threads);
    for (const std::int64_t parts : {1, 2, 3, 5, 7, 8}) {
      // Each part has two leaves that no other part uses: one older and one younger than the shared leaf. The
      // last part has the oldest and the youngest leaf of all.
      std::vector<Tensor> older, younger;
      for (std::int64_t i = 0; i < parts; ++i) older.push_back(leaf(3));
      const Tensor x = leaf(1);
      for (std::int64_t i = 0; i < parts; ++i) younger.push_back(leaf(5));
      const double loss = backward_in_parts(parts, [&](std::int64_t i) {
        const auto k = static_cast<std::size_t>(i);
        return x * std::ldexp(1, static_cast<int>(i)) + older[older.size() - 1 - k] + younger[k] * 2.0;
      });
      const double sum = std::ldexp(1, static_cast<int>(parts)) - 1;  // 1 + 2 + 4 + ...
      EXPECT_EQ(loss, sum + 13 * static_cast<double>(parts));
      EXPECT_EQ(x.grad().item(), sum);
      for (const Tensor& y : older) EXPECT_EQ(y.grad().item(), 1);
      for (const Tensor& y : younger) EXPECT_EQ(y.grad().item(), 2);
    }
  }
}

TEST(BackwardInParts, AddsUpManyLeavesThatPartsShareInPart) {
  constexpr std::size_t kLeaves = 150'000;  // minutes, if each were looked for among all others
  std::vector<Tensor> xs;
  for (std::size_t i = 0; i <= kLeaves; ++i) xs.push_back(leaf(0));
  backward_in_parts(2, [&](std::int64_t part) {
    const std::vector<Input> inputs(xs.begin() + part, xs.end() - 1 + part);
    return record("many", scalar(0, {.dtype = float64}).values(), inputs, [](const Tensor& dy, Needs) {
      Grads grads = Grads::with_size(kLeaves);
      for (std::size_t i = 0; i < kLeaves; ++i) grads[i] = dy * static_cast<double>(i);
      return grads;
    });
  });
  for (std::size_t i = 0; i <= kLeaves; ++i) {
    const auto first = static_cast<double>(i < kLeaves ? i : 0),
               second = static_cast<double>(i > 0 ? i - 1 : 0);
    ASSERT_EQ(xs[i].grad().item(), first + second) << "leaf " << i;
  }
}

/// Which of 40 numbers dropout keeps, drawn from rng.
std::vector<double> dropout_mask(Rng& rng) {
  std::vector<double> mask(40);
  for (double& kept : mask) kept = rng.uniform() < 0.5 ? 0 : 2;
  return mask;
}

TEST(BackwardInParts, GivesEachPartRandomNumbersOfItsOwn) {
  for (const int threads : {1, 2, 3}) {
    const WithThreads with(threads);
    manual_seed(11);
    Rng caller(11);
    std::set<std::vector<double>> masks;
    for (int step = 0; step < 3; ++step) {
      const Tensor x = ones({40}, {.dtype = float64, .requires_grad = true});
      backward_in_parts(
          5, [&](std::int64_t) { return sum(x * from_data<double>(dropout_mask(default_rng()), {40})); });

      const std::uint64_t high = caller(), key = high << 32 | caller();
      std::vector<double> expected(40);
      for (std::uint64_t part = 0; part < 5; ++part) {
        Rng rng(key, part);
        const std::vector<double> mask = dropout_mask(rng);
        masks.insert(mask);
        for (std::size_t k = 0; k < 40; ++k) expected[k] += mask[k];
      }
      EXPECT_EQ(numbers(x.grad()), expected) << threads << " threads";
    }
    EXPECT_EQ(masks.size(), 15u) << "the same numbers in two parts or steps";
    EXPECT_EQ(default_rng()(), caller()) << "the caller goes on with its own";
  }
}

TEST(BackwardInParts, GivesTheCallersRandomNumbersBackAfterAFailure) {
  const WithThreads threads(1);
  manual_seed(12);
  Rng caller(12);
  caller();
  caller();
  EXPECT_THROW(backward_in_parts(3, [](std::int64_t) -> Tensor { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_EQ(default_rng()(), caller());
}

TEST(BackwardInParts, NoPartsAreNothing) {
  EXPECT_EQ(backward_in_parts(0, [](std::int64_t) { return leaf(1); }), 0);
  expect_error<Error>("backward_in_parts: parts must not be negative, it is -1",
                      [&] { backward_in_parts(-1, [](std::int64_t) { return leaf(1); }); });
}

/// The loss and the gradient of w after a pass over seven parts, one of them without w.
std::pair<double, std::vector<double>> pass(int threads) {
  const WithThreads with(threads);
  Rng rng(1);
  const Tensor x = uniform({7, 33, 20}, -1, 1, {}, rng);
  Tensor w = uniform({20, 30}, -1, 1, {.requires_grad = true}, rng);
  const Tensor other = scalar(1, {.requires_grad = true});
  const double loss = backward_in_parts(7, [&](std::int64_t i) {
    if (i == 3) return other * 1.0;
    const auto part = x.data<float>().subspan(static_cast<std::size_t>(i) * 33 * 20, 33 * 20);
    return sum(tanh(matmul(from_data<float>(part, {33, 20}), w)));
  });
  return {loss, numbers(w.grad())};
}

TEST(BackwardInParts, GivesTheSameBitsWithAnyNumberOfThreads) {
  const auto one = pass(1);
  for (const int threads : {2, 3, 8}) {
    for (int round = 0; round < 20; ++round) EXPECT_EQ(pass(threads), one) << threads << " threads";
  }
}

TEST(BackwardInParts, PartsMayShareWhatWasComputedBefore) {
  for (const int threads : {1, 2}) {
    const WithThreads with(threads);
    for (int round = 0; round < 100; ++round) {
      const Tensor x = leaf(3);
      const Tensor shared = tanh(x) * x * x;
      const double loss =
          backward_in_parts(16, [&](std::int64_t i) { return shared * static_cast<double>(i); });
      EXPECT_DOUBLE_EQ(loss, 120 * 9 * std::tanh(3.0));
      const double slope = 1 - std::tanh(3.0) * std::tanh(3.0);
      EXPECT_NEAR(x.grad().item(), 120 * (9 * slope + 6 * std::tanh(3.0)), 1e-9);
    }
  }
}

/// Returns when it was called by two threads, or after two seconds.
void meet(std::atomic<int>& there) {
  ++there;
  for (int k = 0; there < 2 && k < 2000; ++k) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST(BackwardInParts, UsesSeveralThreads) {
  const WithThreads threads(2);
  const Tensor x = leaf(1);
  std::atomic<int> there = 0;
  std::thread::id ids[2];
  backward_in_parts(2, [&](std::int64_t i) {
    ids[i] = std::this_thread::get_id();
    meet(there);
    return x * 1.0;
  });
  EXPECT_NE(ids[0], ids[1]);
}

TEST(BackwardInParts, AFailureChangesNothingAndTheFirstPartsComesOut) {
  const std::int64_t before = live_nodes();
  for (const int threads : {1, 2}) {
    const WithThreads with(threads);
    const Tensor x = leaf(3);
    backward_in_parts(2, [&](std::int64_t) { return x * 1.0; });
    expect_error<std::runtime_error>("part 2", [&] {
      backward_in_parts(5, [&](std::int64_t i) -> Tensor {
        if (i == 2 || i == 4) throw std::runtime_error("part " + std::to_string(i));
        return x * 10.0;
      });
    });
    EXPECT_EQ(x.grad().item(), 2);
    expect_error<ShapeError>("backward_in_parts: a loss must be a single number, that of part 0 is [2]", [&] {
      backward_in_parts(2, [&](std::int64_t) { return x * tensor({1, 2}, {.dtype = float64}); });
    });
    EXPECT_THROW(backward_in_parts(2, [&](std::int64_t) { return scalar(1); }), GraphError);
    EXPECT_THROW(backward_in_parts(2, [&](std::int64_t) { return Tensor(); }), Error);
    EXPECT_EQ(x.grad().item(), 2);
    EXPECT_EQ(backward_in_parts(2, [&](std::int64_t) { return x * 1.0; }), 6) << "usable as before";
    EXPECT_EQ(x.grad().item(), 4);
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(BackwardInParts, RecordsWhereItsCallerDoes) {
  const WithThreads threads(2);
  const Tensor x = leaf(3);
  for (const bool recording : {true, false}) {
    const GradMode mode(recording);
    std::atomic<int> there = 0;
    bool in_part[2] = {!recording, !recording};
    const auto run = [&] {
      return backward_in_parts(2, [&](std::int64_t i) {
        meet(there);
        in_part[i] = grad_enabled();
        return x * 1.0;
      });
    };
    if (recording) {
      EXPECT_EQ(run(), 6);
    } else {
      EXPECT_THROW(run(), GraphError);
    }
    EXPECT_EQ(in_part[0], recording);
    EXPECT_EQ(in_part[1], recording);
  }
}

TEST(BackwardInParts, Nests) {
  const WithThreads threads(2);
  const Tensor x = leaf(3), y = leaf(4);
  const double loss = backward_in_parts(2, [&](std::int64_t i) {
    const double inner = backward_in_parts(2, [&](std::int64_t) { return y * y; });
    return x * (inner + static_cast<double>(i));
  });
  EXPECT_EQ(loss, 3 * 32 + 3 * 33);
  EXPECT_EQ(x.grad().item(), 65);
  EXPECT_EQ(y.grad().item(), 4 * 2 * 4);
}

}  // namespace
}  // namespace adjoint
