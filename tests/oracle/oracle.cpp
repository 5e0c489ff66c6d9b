#include "tests/oracle/oracle.h"

#include <cmath>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <map>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/reduce.h"

namespace adjoint::oracle {
namespace {

struct Differences {
  int examples = 0;
  double values = 0, gradients = 0, second = 0, single = 0;
};

std::map<std::string, Differences>& families() {
  static std::map<std::string, Differences> all;
  return all;
}

/// Prints the table of all families after the last test.
class Summary : public ::testing::Environment {
 public:
  void TearDown() override {
    fmt::print("{:<14} {:>8}   largest difference, relative to the largest number of a result\n", "family",
               "examples");
    fmt::print("{:<14} {:>8}   {:>9} {:>9} {:>9}   {}\n", "", "", "values", "gradients", "second",
               "float32, in units");
    for (const auto& [name, d] : families()) {
      fmt::print("{:<14} {:>8}   {:>9.1e} {:>9.1e} {:>9.1e}   {:.1f}\n", name, d.examples, d.values,
                 d.gradients, d.second, d.single);
    }
  }
};
const auto* const kSummary = ::testing::AddGlobalTestEnvironment(new Summary);

std::vector<double> numbers(const torch::Tensor& x) {
  // libtorch has zeros without memory.
  const torch::Tensor stored = x._is_zerotensor() ? torch::zeros(x.sizes()) : x.detach();
  const torch::Tensor plain = stored.to(torch::kFloat64).contiguous();
  return {plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel()};
}

/// The largest |ours - theirs| divided by the largest finite |theirs|, or by `least` if that is larger:
/// results may cancel to nearly nothing. Infinite where only one of them is NaN or infinite. Throws a message
/// when shapes differ.
double relative_difference(const Tensor& ours, const torch::Tensor& theirs, double least = 1e-3) {
  if (!std::ranges::equal(longs(ours.shape()), theirs.sizes()))
    throw fmt::format("shape {}, libtorch's is {}", ours.shape(), Listed(longs(theirs.sizes())));
  const auto expected = numbers(theirs);
  double largest = 0, scale = least;
  visit(ours.dtype(), [&]<class T>() {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto found = static_cast<double>(ours.data<T>()[i]);
      if (std::isfinite(expected[i])) scale = std::max(scale, std::abs(expected[i]));
      if (found == expected[i] || (std::isnan(found) && std::isnan(expected[i]))) continue;
      const double difference = std::abs(found - expected[i]);
      largest = std::isfinite(difference) ? std::max(largest, difference) : HUGE_VAL;
    }
  });
  return largest / scale;
}

void require(double found, double allowed, const std::string& what) {
  if (!(found <= allowed))
    throw fmt::format("{} differ by {} of the largest, {} is allowed", what, found, allowed);
}

/// The inputs that get gradients, in both frameworks.
struct Leaves {
  std::vector<Tensor> ours;
  TorchTensors theirs;
};

/// Zeros in place of gradients that do not exist.
TorchTensors torch_grad(const torch::Tensor& y, const TorchTensors& xs, const torch::Tensor& v,
                        bool create_graph) {
  if (!y.requires_grad()) {
    TorchTensors zeros;
    for (const torch::Tensor& x : xs) zeros.push_back(torch::zeros_like(x));
    return zeros;
  }
  TorchTensors all = torch::autograd::grad({y}, xs, {v}, create_graph, create_graph, /*allow_unused=*/true);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!all[i].defined()) all[i] = torch::zeros_like(xs[i]);
  return all;
}

std::vector<Tensor> our_grad(const Tensor& y, const std::vector<Tensor>& xs, const Tensor& v,
                             bool create_graph) {
  if (y.requires_grad()) return grad(y, xs, {.gradient = v, .create_graph = create_graph});
  std::vector<Tensor> none;
  for (const Tensor& x : xs) none.push_back(zeros(x.shape(), {.dtype = x.dtype()}));
  return none;
}

/// sum_i v_i g_i, whose gradient is that of all g_i at once.
void compare_second(std::vector<Tensor> g, const TorchTensors& t, const Leaves& leaves, Draw& draw,
                    Differences& found) {
  Tensor ours = zeros({}, {.dtype = float64});
  torch::Tensor theirs = torch::zeros({}, torch::kFloat64);
  for (std::size_t i = 0; i < g.size(); ++i) {
    const Tensor v = draw.tensor(g[i].shape());
    ours = ours + sum(g[i] * v);
    theirs = theirs + (t[i] * to_torch(v)).sum();
  }
  const auto ours_second = our_grad(ours, leaves.ours, ones({}, {.dtype = float64}), false);
  const auto theirs_second = torch_grad(theirs, leaves.theirs, torch::ones({}, torch::kFloat64), false);
  for (std::size_t i = 0; i < leaves.ours.size(); ++i)
    found.second = std::max(found.second, relative_difference(ours_second[i], theirs_second[i]));
}

/// float64: values, gradients, gradients of gradients.
void compare_double(const Example& example, Differences& found) {
  Draw draw(1);
  Leaves leaves;
  std::vector<Tensor> inputs;
  TorchTensors their_inputs;
  for (const Tensor& input : example.inputs) {
    inputs.push_back(input.detach());
    their_inputs.push_back(to_torch(input));
    if (input.dtype() != float64) continue;
    leaves.ours.push_back(inputs.back().set_requires_grad());
    leaves.theirs.push_back(their_inputs.back().requires_grad_());
  }
  const Tensor y = example.ours(inputs);
  const torch::Tensor z = example.theirs(their_inputs);
  found.values = relative_difference(y, z);
  if (!is_floating(y.dtype())) return require(found.values, 0, "values");
  require(found.values, 1e-10, "values");
  if (leaves.ours.empty()) return;

  Tensor v = draw.tensor(y.shape());
  torch::Tensor w = to_torch(v);
  leaves.ours.push_back(v.set_requires_grad());
  leaves.theirs.push_back(w.requires_grad_());
  const std::vector<Tensor> xs(leaves.ours.begin(), leaves.ours.end() - 1);
  const TorchTensors their_xs(leaves.theirs.begin(), leaves.theirs.end() - 1);
  const auto g = our_grad(y, xs, v, example.second);
  const auto t = torch_grad(z, their_xs, w, example.second);
  for (std::size_t i = 0; i < g.size(); ++i) {
    found.gradients = std::max(found.gradients, relative_difference(g[i], t[i]));
    require(found.gradients, 1e-10, fmt::format("gradients of input {}", i));
  }
  if (!example.second) return;
  compare_second(g, t, leaves, draw, found);
  require(found.second, 1e-10, "gradients of gradients");
}

/// float32 against libtorch's float64, from the same numbers: values and gradients.
void compare_single(const Example& example, Differences& found) {
  Draw draw(2);
  std::vector<Tensor> inputs, xs;
  TorchTensors their_inputs, their_xs;
  for (const Tensor& input : example.inputs) {
    const bool wants = input.dtype() == float64;
    inputs.push_back(wants ? input.detach().to(float32) : input);
    their_inputs.push_back(to_torch(wants ? inputs.back().to(float64) : input));
    if (!wants) continue;
    xs.push_back(inputs.back().set_requires_grad());
    their_xs.push_back(their_inputs.back().requires_grad_());
  }
  if (xs.empty()) return;
  const Tensor y = example.ours(inputs);
  const torch::Tensor z = example.theirs(their_inputs);
  if (!is_floating(y.dtype())) return;
  constexpr double kUnit = 0x1p-23;
  found.single = relative_difference(y, z, 1) / kUnit;
  require(found.single, example.units, "float32 values, in units,");
  const Tensor v = draw.tensor(y.shape()).to(float32);
  const auto g = our_grad(y, xs, v, false);
  const auto t = torch_grad(z, their_xs, to_torch(v.to(float64)), false);
  for (std::size_t i = 0; i < g.size(); ++i) {
    found.single = std::max(found.single, relative_difference(g[i], t[i], 1) / kUnit);
    require(found.single, example.units, fmt::format("float32 gradients of input {}, in units,", i));
  }
}

std::string difference(const Example& example, Differences& found) {
  try {
    compare_double(example, found);
    compare_single(example, found);
    return "";
  } catch (const std::string& message) {
    return message;
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

torch::Tensor to_torch(const Tensor& x) {
  return visit(x.dtype(), [&]<class T>() {
    const auto data = x.data<T>();
    const auto sizes = longs(x.shape());
    return torch::from_blob(const_cast<T*>(data.data()), sizes, torch::CppTypeToScalarType<T>::value).clone();
  });
}

std::string difference(const Example& example) {
  Differences found;
  return difference(example, found);
}

void compare(const char* family, const char* op, int count, const std::function<Example(Draw&)>& example) {
  torch::set_num_threads(1);
  Differences& all = families()[family];
  for (int i = 0; i < count; ++i) {
    Draw draw(static_cast<std::uint64_t>(i));
    const Example drawn = example(draw);
    Differences found;
    const std::string message = difference(drawn, found);
    if (!message.empty()) {
      std::string shapes;
      for (const Tensor& input : drawn.inputs) shapes += to_string(input.shape()) + " ";
      ADD_FAILURE() << op << ", example " << i << " " << drawn.text << ", inputs " << shapes << ": "
                    << message;
      return;
    }
    ++all.examples;
    all.values = std::max(all.values, found.values);
    all.gradients = std::max(all.gradients, found.gradients);
    all.second = std::max(all.second, found.second);
    all.single = std::max(all.single, found.single);
  }
}

}  // namespace adjoint::oracle
