// Functions that change several tensors change all of them, or none if an allocation fails: a backward pass
// (the leaves' gradients), a step of an optimizer (the parameters), and load_state_dict() (a network).

#include <adjoint/adjoint.h>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "tests/support/block_cache.h"
#include "tests/support/expect_close.h"
#include "tests/support/failing_memory.h"
#include "tests/support/threads.h"

namespace adjoint {
namespace {

using namespace support;
using Numbers = std::vector<double>;

/// A change that is repeated, each time with a failure of another allocation.
class AllOrNothing : public testing::Test {
 protected:
  /// For every allocation of change(state): makes a state, fails the allocation, and calls
  /// check(state, whether bad_alloc was thrown). Expects that it was thrown for some of them.
  template <class Make, class Change, class Check>
  void fail_each(const Make& make, const Change& change, const Check& check) {
    for (const int threads : {1, 2}) {
      const WithThreads with(threads);
      for (const Failing how : {Failing::from_one_on, Failing::one_and_the_next_of_its_thread}) {
        int came_out = 0;
        Outcome outcome = Outcome::went_well;
        for (std::int64_t first = 0; outcome != Outcome::nothing_failed; ++first) {
          SCOPED_TRACE(testing::Message() << threads << " threads, allocation " << first);
          auto state = make();
          outcome = with_failure(how, first, [&] { change(state); });
          came_out += outcome == Outcome::came_out;
          check(state, outcome == Outcome::came_out);
          if (HasFailure()) return;
        }
        EXPECT_GE(came_out, 2);
      }
    }
  }

 private:
  const WithCacheLimit nothing_{0};
};

const Shape kShape = {20, 3};  // Two blocks of images, the second not full.

Numbers counting(double start) {
  Numbers numbers(20 * 3);
  for (double& number : numbers) number = start++;
  return numbers;
}

/// A tensor with these numbers in only one layout.
Tensor in(Layout layout, const Numbers& numbers) {
  const std::vector<float> floats(numbers.begin(), numbers.end());
  const Tensor rows = from_data<float>(floats, kShape);
  Values values(float32, kShape, layout);
  std::memcpy(values.writable<float>(), rows.values().in<float>(layout),
              static_cast<std::size_t>(values.stored_elements(layout)) * sizeof(float));
  return Tensor(std::move(values));
}

struct Known {
  Tensor tensor;
  Numbers numbers;
};

struct Leaf {
  Tensor leaf;
  Numbers before, after;  // Of its gradient; before is empty when it has none.
};

/// Losses whose gradients have all layouts, shared or not, for leaves whose grad() has all of these, too.
struct Losses {
  std::vector<Leaf> leaves;
  std::vector<Known> held_by_others;
  std::vector<Tensor> losses;
};

enum class Sharing { none, memory, handle };

Losses losses(std::size_t count) {
  Losses result;
  std::vector<std::vector<Tensor>> gradients(count);
  const auto add_leaf = [&](std::optional<Layout> had, Sharing of_it, Layout got, bool shared) {
    const double start = 1000.0 * static_cast<double>(result.leaves.size());
    Leaf& leaf = result.leaves.emplace_back(Leaf{zeros(kShape, {.requires_grad = true}), {}, {}});
    leaf.after = Numbers(20 * 3);
    if (had) {
      leaf.before = leaf.after = counting(start);
      leaf.leaf.backward(in(*had, leaf.before));
      const Tensor gradient = leaf.leaf.grad();
      if (of_it != Sharing::none)
        result.held_by_others.push_back(
            {of_it == Sharing::handle ? gradient : gradient.detach(), leaf.before});
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Numbers added = counting(start + 100 * static_cast<double>(i + 1));
      for (std::size_t j = 0; j < added.size(); ++j) leaf.after[j] += added[j];
      const Tensor& gradient = gradients[i].emplace_back(in(got, added));
      if (shared) result.held_by_others.push_back({gradient.detach(), added});
    }
  };
  for (const auto got : {Layout::row_major, Layout::interleaved}) {
    for (const bool shared : {false, true}) {
      add_leaf({}, Sharing::none, got, shared);
      for (const auto had : {Layout::row_major, Layout::interleaved})
        for (const Sharing of_it : {Sharing::none, Sharing::memory, Sharing::handle})
          add_leaf(had, of_it, got, shared);
    }
  }
  std::vector<Input> inputs;
  for (const Leaf& leaf : result.leaves) inputs.emplace_back(leaf.leaf);
  for (auto& of_loss : gradients) {
    Values one = ones({}).values();
    result.losses.push_back(
        record("given", std::move(one), inputs, [of_loss](const Tensor&, Needs) mutable -> Grads {
          Grads given = Grads::with_size(of_loss.size());
          for (std::size_t i = 0; i < of_loss.size(); ++i) given[i] = std::move(of_loss[i]);
          return given;
        }));
    of_loss.clear();
  }
  return result;
}

void expect_gradients(const Losses& of, bool before) {
  for (std::size_t i = 0; i < of.leaves.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "leaf " << i);
    const Leaf& leaf = of.leaves[i];
    const Tensor gradient = leaf.leaf.grad();
    const Numbers& expected = before ? leaf.before : leaf.after;
    ASSERT_EQ(gradient.defined(), !expected.empty());
    if (gradient.defined()) {
      ASSERT_EQ(numbers(gradient), expected);
    }
  }
  for (const Known& held : of.held_by_others) ASSERT_EQ(numbers(held.tensor), held.numbers);
}

TEST_F(AllOrNothing, BackwardChangesTheGradientsOfAllLeaves) {
  fail_each([] { return losses(1); }, [](Losses& of) { of.losses[0].backward(); }, expect_gradients);
}

TEST_F(AllOrNothing, BackwardInPartsChangesTheGradientsOfAllLeaves) {
  fail_each([] { return losses(3); },
            [](Losses& of) {
              backward_in_parts(3, [&](std::int64_t i) { return of.losses[static_cast<std::size_t>(i)]; });
            },
            expect_gradients);
}

/// Parameters with gradients in all layouts, whose values are shared or not.
struct Training {
  std::vector<Tensor> parameters;
  std::vector<Numbers> values, gradients;
  std::vector<Known> held_by_others;
  std::unique_ptr<Optimizer> optimizer;
};

template <class Rule, class Options>
Training training(const Options& options) {
  Training result;
  for (const bool shared : {false, true}) {
    for (const char* form : {"row-major", "interleaved", "outer product"}) {
      result.values.push_back(counting(1000.0 * static_cast<double>(result.values.size())));
      const Tensor& parameter = result.parameters.emplace_back(in(Layout::row_major, result.values.back()));
      result.parameters.back().set_requires_grad();
      if (shared) result.held_by_others.push_back({parameter.detach(), result.values.back()});
      Numbers& gradient = result.gradients.emplace_back(20 * 3);
      Values product = Values::as_outer_product(float32, kShape);
      const auto [column_vector, row_vector] = product.writable_outer_product<float>();
      std::iota(row_vector, row_vector + 3, 1.0f);
      std::iota(column_vector, column_vector + 20, 4.0f);
      for (std::size_t row = 0; row < 20; ++row)
        for (std::size_t column = 0; column < 3; ++column)
          gradient[row * 3 + column] = (static_cast<double>(row) + 4) * (static_cast<double>(column) + 1);
      const bool is_product = std::string(form) == "outer product";
      const Layout layout = std::string(form) == "interleaved" ? Layout::interleaved : Layout::row_major;
      parameter.backward(is_product ? Tensor(std::move(product)) : in(layout, gradient));
    }
  }
  result.optimizer = std::make_unique<Rule>(result.parameters, options);
  return result;
}

/// A failed step changes nothing: after it, two more steps give value(p, g) for every parameter.
template <class Value>
auto expect_two_steps(const Value& value) {
  return [value](Training& of, bool failed) {
    for (std::size_t i = 0; failed && i < of.parameters.size(); ++i) {
      ASSERT_EQ(numbers(of.parameters[i]), of.values[i]) << i;
      ASSERT_EQ(of.parameters[i].version(), 0u) << i;
    }
    if (failed) of.optimizer->step();
    of.optimizer->step();
    for (std::size_t i = 0; i < of.parameters.size(); ++i) {
      ASSERT_EQ(of.parameters[i].version(), 2u);
      const Numbers found = numbers(of.parameters[i]);
      for (std::size_t j = 0; j < found.size(); ++j)
        ASSERT_NEAR(found[j], value(of.values[i][j], of.gradients[i][j]), 0.01) << i << ", " << j;
    }
    for (const Known& held : of.held_by_others) ASSERT_EQ(numbers(held.tensor), held.numbers);
  };
}

void step(Training& of) { of.optimizer->step(); }

TEST_F(AllOrNothing, AStepOfSgdUpdatesAllParameters) {
  fail_each([] { return training<Sgd>(SgdOptions{.learning_rate = 1}); }, step,
            expect_two_steps([](double p, double g) { return p - 2 * g; }));
}

TEST_F(AllOrNothing, AStepWithMomentumUpdatesAllParameters) {
  fail_each([] { return training<Sgd>(SgdOptions{.learning_rate = 1, .momentum = 0.5}); }, step,
            expect_two_steps([](double p, double g) { return p - g - 1.5 * g; }));
}

TEST_F(AllOrNothing, AStepOfAdamUpdatesAllParameters) {
  // With the same gradient in every step m and v without their bias are g and g^2.
  fail_each([] { return training<Adam>(AdamOptions{.learning_rate = 1}); }, step,
            expect_two_steps([](double p, double) { return p - 2; }));
}

struct Net : Module {
  Net() {
    for (const char* name : {"a", "b", "c"})
      parameters.push_back(register_parameter(name, in(Layout::row_major, counting(1))));
  }
  Tensor forward(const Tensor& x) override { return x; }
  std::vector<Tensor> parameters;
};

TEST_F(AllOrNothing, LoadingAStateChangesAllParameters) {
  struct Load {
    std::unique_ptr<Net> net = std::make_unique<Net>();
    StateDict before = net->state_dict(), state;
  };
  fail_each(
      [] {
        Load load;
        // Values that were handed out are overwritten. This needs memory, because the state shares them.
        for (const Tensor& parameter : load.net->parameters) (void)parameter.data<float>();
        for (const char* name : {"a", "b", "c"})
          load.state.push_back({name, in(Layout::interleaved, counting(100))});
        return load;
      },
      [](Load& load) { load.net->load_state_dict(load.state); },
      [](Load& load, bool failed) {
        for (const Tensor& parameter : load.net->parameters) {
          ASSERT_EQ(numbers(parameter), counting(failed ? 1 : 100));
          ASSERT_EQ(parameter.version(), failed ? 0u : 1u);
        }
        for (const NamedTensor& named : load.before) ASSERT_EQ(numbers(named.tensor), counting(1));
      });
}

}  // namespace
}  // namespace adjoint
