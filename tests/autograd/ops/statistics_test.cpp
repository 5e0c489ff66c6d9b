// Reductions other than sums, means and maxima: values on every set of axes, gradients, special values.
#include "adjoint/ops/statistics.h"

#include <cmath>
#include <functional>
#include <numeric>

#include "adjoint/graph/grad.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/compare.h"
#include "adjoint/ops/shape.h"
#include "tests/support/expect_close.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/naive/reduce.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;
using Numbers = std::vector<double>;

double squares_from_mean(const Numbers& x) {
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  double total = 0;
  for (const double number : x) total += (number - mean) * (number - mean);
  return total;
}
double norm_of(const Numbers& x, double p) {
  double total = 0;
  for (const double number : x) total += number == 0 && p > 0 ? 0 : std::pow(std::abs(number), p);
  return std::pow(total, 1 / p);
}
double largest_of(const Numbers& x) { return *std::max_element(x.begin(), x.end()); }
double smallest_of(const Numbers& x) { return *std::min_element(x.begin(), x.end()); }
double largest_size_of(const Numbers& x) {
  double largest = 0;
  for (const double number : x) largest = std::max(largest, std::abs(number));
  return largest;
}

struct Case {
  const char* name;
  std::function<Tensor(const Tensor&, const Axes&, bool keepdim)> op;
  double (*expected)(const Numbers&);
  bool integers = false;
  bool empty = true;  ///< Has a value for no elements.
  bool derivatives = true;
};

const Case kCases[] = {
    {"prod", [](auto x, auto& axes, bool keep) { return prod(x, axes, {.keepdim = keep}); },
     [](const Numbers& x) { return std::accumulate(x.begin(), x.end(), 1.0, std::multiplies()); }, true},
    {"sum", [](auto x, auto& axes, bool keep) { return sum(x, axes, {.keepdim = keep}); },
     [](const Numbers& x) { return std::accumulate(x.begin(), x.end(), 0.0); }, true},
    {"max", [](auto x, auto& axes, bool keep) { return max(x, axes, {.keepdim = keep}); }, largest_of, true,
     false},
    {"min", [](auto x, auto& axes, bool keep) { return min(x, axes, {.keepdim = keep}); }, smallest_of, true,
     false},
    {"any", [](auto x, auto& axes, bool keep) { return any(x > 0, axes, {.keepdim = keep}); },
     [](const Numbers& x) {
       return double(std::ranges::any_of(x, [](double number) { return number > 0; }));
     },
     true, true, false},
    {"all", [](auto x, auto& axes, bool keep) { return all(x > 0, axes, {.keepdim = keep}); },
     [](const Numbers& x) {
       return double(std::ranges::all_of(x, [](double number) { return number > 0; }));
     },
     true, true, false},
    {"any of numbers", [](auto x, auto& axes, bool keep) { return any(x, axes, {.keepdim = keep}); },
     [](const Numbers& x) {
       return double(std::ranges::any_of(x, [](double number) { return number != 0; }));
     },
     true, true, false},
    {"count_nonzero", [](auto x, auto& axes, bool keep) { return count_nonzero(x, axes, {.keepdim = keep}); },
     [](const Numbers& x) {
       return double(std::ranges::count_if(x, [](double number) { return number != 0; }));
     },
     true, true, false},
    {"var", [](auto x, auto& axes, bool keep) { return var(x, axes, {.keepdim = keep}); },
     [](const Numbers& x) {
       return squares_from_mean(x) / std::max(0.0, static_cast<double>(x.size()) - 1);
     }},
    {"var 0", [](auto x, auto& axes, bool keep) { return var(x, axes, {.correction = 0, .keepdim = keep}); },
     [](const Numbers& x) { return squares_from_mean(x) / static_cast<double>(x.size()); }},
    {"stddev", [](auto x, auto& axes, bool keep) { return stddev(x, axes, {.keepdim = keep}); },
     [](const Numbers& x) {
       return std::sqrt(squares_from_mean(x) / std::max(0.0, static_cast<double>(x.size()) - 1));
     }},
    {"norm", [](auto x, auto& axes, bool keep) { return norm(x, axes, {.keepdim = keep}); },
     [](const Numbers& x) { return norm_of(x, 2); }},
    {"norm 1", [](auto x, auto& axes, bool keep) { return norm(x, axes, {.p = 1, .keepdim = keep}); },
     [](const Numbers& x) { return norm_of(x, 1); }},
    {"norm 3", [](auto x, auto& axes, bool keep) { return norm(x, axes, {.p = 3, .keepdim = keep}); },
     [](const Numbers& x) { return norm_of(x, 3); }},
    {"norm 0.5", [](auto x, auto& axes, bool keep) { return norm(x, axes, {.p = 0.5, .keepdim = keep}); },
     [](const Numbers& x) { return norm_of(x, 0.5); }},
    {"norm inf",
     [](auto x, auto& axes, bool keep) { return norm(x, axes, {.p = kInfinity, .keepdim = keep}); },
     largest_size_of, false, false},
    {"norm 0", [](auto x, auto& axes, bool keep) { return norm(x, axes, {.p = 0, .keepdim = keep}); },
     [](const Numbers& x) {
       return double(std::ranges::count_if(x, [](double number) { return number != 0; }));
     },
     false, true, false},
    {"logsumexp", [](auto x, auto& axes, bool keep) { return logsumexp(x, axes, {.keepdim = keep}); },
     [](const Numbers& x) {
       double total = 0;
       for (const double number : x) total += std::exp(number);
       return std::log(total);
     }},
};

const Shape kShapes[] = {{},     {1},       {5},       {17},    {3, 4},      {0, 3},
                         {3, 0}, {2, 3, 5}, {1, 2, 1}, {70, 3}, {2, 1, 3, 2}};

/// Whole numbers, so that some are equal and some are 0; halves, if floating.
Tensor draw(const Shape& shape, DType dtype) {
  const auto whole = random_whole_numbers<double>(static_cast<std::size_t>(shape.numel()), 3);
  const Tensor x = from_data(std::span(whole), shape);
  return is_floating(dtype) ? x.to(dtype) / 2 : x.to(dtype);
}

void check_values(const Case& c, const Tensor& x) {
  for (unsigned set = 0; set < 1u << x.rank(); ++set) {
    const auto groups = groups_of(numbers(x), x.shape(), set);
    Numbers expected;
    bool has_empty = false;
    for (const Numbers& group : groups) {
      has_empty = has_empty || group.empty();
      expected.push_back(group.empty() && !c.empty ? 0 : c.expected(group));
    }
    if (has_empty && !c.empty) continue;
    SCOPED_TRACE(std::string(c.name) + " of " + to_string(x.shape()) + ", set " + std::to_string(set));
    for (const bool keepdim : {false, true}) {
      const Tensor y = c.op(x, axes_of(set, x.rank()), keepdim);
      ASSERT_EQ(y.shape(), without(x.shape(), set, keepdim));
      expect_close(y, expected, tolerance_of(x.dtype()));
    }
    if (set + 1 == 1u << x.rank())
      expect_close(c.op(x, Axes::all(), false), expected, tolerance_of(x.dtype()));
  }
}

TEST(Statistics, EverySetOfAxes) {
  for (const Case& c : kCases) {
    for (const DType dtype : {float32, float64, int64}) {
      if (!is_floating(dtype) && !c.integers) continue;
      for (const Shape& shape : kShapes) check_values(c, draw(shape, dtype));
    }
  }
}

TEST(Statistics, EveryInstructionSet) {
  for_each_instruction_set([&] {
    for (const Case& c : kCases) check_values(c, draw({37, 5}, float32));
    check_values(kCases[0], draw({3, 50}, int64));
  });
}

TEST(Statistics, GradientsAndTheirs) {
  Rng rng(5);
  for (const Case& c : kCases) {
    if (!c.derivatives) continue;
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3}, Shape{3, 2, 2}}) {
      for (unsigned set = 0; set < 1u << shape.rank(); ++set) {
        SCOPED_TRACE(std::string(c.name) + " of " + to_string(shape) + ", set " + std::to_string(set));
        const bool spread = std::string(c.name).starts_with("var") || std::string(c.name) == "stddev";
        if (spread && without(shape, set, true).numel() == shape.numel()) continue;  // NaN, or 0
        // Far from each other, of both signs: clear of kinks.
        const Tensor order = reshape(sort(random_tensor({shape.numel()}, rng)).indices, shape).to(float64);
        const Tensor x = (order - 1.5) * 0.5 + random_tensor(shape, rng, 0, 0.1);
        expect_gradients([&](auto in) { return c.op(in[0], axes_of(set, shape.rank()), set % 2 == 0); }, {x});
      }
    }
  }
}

/// y and dx of op at x.
void expect_at(const std::function<Tensor(const Tensor&)>& op, const Numbers& x, double y,
               const Numbers& dx) {
  Tensor leaf = from_data(std::span(x), {static_cast<std::int64_t>(x.size())}, true);
  const Tensor result = op(leaf);
  expect_close(result, {y}, 1e-14);
  result.backward();
  // An error of y, relative to y, is an absolute error of e^(x - y).
  expect_close(leaf.grad(), dx, 1e-14 * (1 + (std::isfinite(y) ? std::abs(y) : 0)));
}

TEST(Statistics, ProductsWithZeros) {
  const auto product = [](const Tensor& x) { return prod(x); };
  expect_at(product, {2, 0, 3, 4}, 0, {0, 24, 0, 0});
  expect_at(product, {4, 0}, 0, {0, 4});
  expect_at(product, {0, 0, 3}, 0, {0, 0, 0});
  expect_at(product, {0}, 0, {1});
  const Tensor x = tensor({2, 0, 3, 0, 0, 5}, {2, 3}, {.dtype = float64});
  for (const int axis : {0, 1}) expect_gradients([&](auto in) { return prod(in[0], axis); }, {x});
  const Tensor deep = tensor({2, 0, 3, 0, 0, 5, 1, 1}, {2, 2, 2}, {.dtype = float64});
  expect_gradients([&](auto in) { return prod(in[0], {0, 2}); }, {deep});
}

TEST(Statistics, SpreadOfEqualNumbersAndOfOne) {
  expect_at([](const Tensor& x) { return stddev(x); }, {3, 3, 3}, 0, {0, 0, 0});
  expect_at([](const Tensor& x) { return var(x); }, {3}, kNaN, {kNaN});
  expect_at([](const Tensor& x) { return stddev(x); }, {3}, kNaN, {kNaN});
  expect_at([](const Tensor& x) { return var(x, Axes::all(), {.correction = 0}); }, {3}, 0, {0});
  expect_at([](const Tensor& x) { return stddev(x, Axes::all(), {.correction = 0}); }, {3}, 0, {0});
  // Two passes: no digits are lost when the mean is large.
  expect_close(var(tensor({2000, 2001, 2002, 2003})), {5.0 / 3}, 1e-6);
}

TEST(Statistics, NormsOfZerosAndTies) {
  for (const double p : {0.5, 1.0, 2.0, 3.0}) {
    SCOPED_TRACE(p);
    expect_at([&](const Tensor& x) { return norm(x, Axes::all(), {.p = p}); }, {0, 0}, 0, {0, 0});
  }
  const auto two = [](const Tensor& x) { return norm(x); };
  expect_at(two, {3, 4}, 5, {0.6, 0.8});
  expect_at(
      [](const Tensor& x) {
        return sum(norm(reshape(x, {2, 2}), 1));
      },
      {0, 0, 3, 4}, 5, {0, 0, 0.6, 0.8});
  expect_at([](const Tensor& x) { return norm(x, Axes::all(), {.p = kInfinity}); }, {3, -3, 1}, 3,
            {0.5, -0.5, 0});
  expect_at([](const Tensor& x) { return norm(x, Axes::all(), {.p = -kInfinity}); }, {3, -2, 7}, 2,
            {0, -1, 0});
  expect_at([](const Tensor& x) { return norm(x, Axes::all(), {.p = 0}); }, {3, 0, kInfinity}, 2, {0, 0, 0});
  expect_at([](const Tensor& x) { return norm(x, Axes::all(), {.p = -1}); }, {2, 0}, 0, {0, 0});
}

TEST(Statistics, LogSumExpNeverOverflows) {
  const auto f = [](const Tensor& x) { return logsumexp(x); };
  expect_at(f, {1000, 1000}, 1000 + std::log(2), {0.5, 0.5});
  expect_at(f, {-1000, -1000}, -1000 + std::log(2), {0.5, 0.5});
  expect_at(f, {-kInfinity, -kInfinity}, -kInfinity, {0, 0});
  const double e = std::exp(1);
  expect_at(f, {-kInfinity, 1, 2}, 2 + std::log(1 + 1 / e), {0, 1 / (1 + e), e / (1 + e)});
  expect_close(logsumexp(tensor({kInfinity, 1})), {kInfinity}, 0);
  EXPECT_EQ(logsumexp(zeros({0})).item(), -kInfinity);
  expect_at([](const Tensor& x) { return logsumexp(where(x < 50, x, -kInfinity)); }, {0, 100}, 0, {1, 0});
}

TEST(Statistics, PositionsOfExtremes) {
  for (const DType dtype : {float32, float64, int64}) {
    for (const Shape& shape : {Shape{5}, Shape{1}, Shape{3, 4}, Shape{2, 3, 5}, Shape{2, 1, 3},
                               Shape{3, 40'000}, Shape{5, 1500}}) {
      const Tensor x = draw(shape, dtype);
      for (int axis = 0; axis < shape.rank(); ++axis) {
        const auto groups = groups_of(numbers(x), shape, 1u << axis);
        Numbers largest, smallest, at_largest, at_smallest;
        for (const Numbers& group : groups) {
          largest.push_back(largest_of(group));
          smallest.push_back(smallest_of(group));
          at_largest.push_back(static_cast<double>(std::ranges::max_element(group) - group.begin()));
          at_smallest.push_back(static_cast<double>(std::ranges::min_element(group) - group.begin()));
        }
        expect_close(argmax(x, axis - shape.rank()), at_largest, 0);
        expect_close(argmin(x, axis, {.keepdim = true}), at_smallest, 0);
        const auto [values, indices] = max_with_indices(x, axis);
        EXPECT_EQ(values.shape(), without(shape, 1u << axis, false));
        EXPECT_EQ(indices.dtype(), int64);
        expect_close(values, largest, 0);
        expect_close(indices, at_largest, 0);
        const auto [lowest, places] = min_with_indices(x, axis, {.keepdim = true});
        EXPECT_EQ(lowest.shape(), without(shape, 1u << axis, true));
        expect_close(lowest, smallest, 0);
        expect_close(places, at_smallest, 0);
      }
      const Numbers all = numbers(x);
      EXPECT_EQ(argmax(x).item(), std::ranges::max_element(all) - all.begin());
      EXPECT_EQ(argmin(x).item(), std::ranges::min_element(all) - all.begin());
    }
  }
  EXPECT_EQ(argmax(tensor({1, kNaN, 3, kNaN})).item(), 1);
  EXPECT_EQ(argmin(tensor({1, kNaN, 3, kNaN})).item(), 1);
  EXPECT_EQ(argmax(tensor({0, 1, 1}, {.dtype = boolean})).item(), 1);
  EXPECT_EQ(argmax(scalar(3)).item(), 0);
  EXPECT_EQ(argmax(zeros({0, 3}), 1).shape(), Shape{0});
}

TEST(Statistics, TheGradientOfAPositionGoesToOneElement) {
  expect_at([](const Tensor& x) { return max_with_indices(x, 0).values; }, {1, 3, 3, 2}, 3, {0, 1, 0, 0});
  expect_at([](const Tensor& x) { return max(x); }, {1, 3, 3, 3}, 3, {0, 1.0 / 3, 1.0 / 3, 1.0 / 3});
  expect_at([](const Tensor& x) { return min(x); }, {1, 3, 1, 3}, 1, {0.5, 0, 0.5, 0});
}

TEST(Statistics, Median) {
  expect_at([](const Tensor& x) { return median(x); }, {5, 1, 3}, 3, {0, 0, 1});
  expect_at([](const Tensor& x) { return median(x); }, {4, 1, 3, 2}, 2, {0, 0, 0, 1});  // the lower one
  EXPECT_TRUE(std::isnan(median(tensor({1, kNaN, 3})).item()));
  const Tensor x = tensor({1, 9, 5, 8, 2, 2}, {2, 3}, {.dtype = int64});
  expect_close(median(x, 1), {5, 2}, 0);
  const Tensor kept = median(x, 0, {.keepdim = true});
  EXPECT_EQ(kept.shape(), (Shape{1, 3}));
  expect_close(kept, {1, 2, 2}, 0);
  EXPECT_EQ(median(x, {}, {.keepdim = true}).shape(), (Shape{1, 1}));
}

std::int64_t whole_number(const Tensor& x) { return x.data<std::int64_t>()[0]; }

TEST(Statistics, WholeNumbersWrapAround) {
  const std::int64_t largest[] = {INT64_MAX, 2};
  const Tensor x = from_data<std::int64_t>(largest, {2});
  EXPECT_EQ(whole_number(sum(x)), INT64_MIN + 1) << "2^63 - 1 + 2";
  EXPECT_EQ(whole_number(prod(x)), -2);
  EXPECT_EQ(whole_number(max(x)), INT64_MAX);
}

TEST(Statistics, SameBitsForAnyNumberOfThreads) {
  Rng rng(3);
  const Tensor x = random_tensor({7, 300, 200}, rng, 0.9, 1.1, float32);
  expect_same_bits_for_any_number_of_threads([&] {
    Numbers all;
    for (const Tensor& y :
         {prod(x, {0, 1}), min(x, {0, 2}), var(x, {1}), logsumexp(x), argmax(x), argmin(x, 1)}) {
      const Numbers some = numbers(y);
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  });
}

TEST(Statistics, Errors) {
  const Tensor x = zeros({2, 3}), whole = zeros({2, 3}, {.dtype = int64}), empty = zeros({0, 3});
  expect_error<ShapeError>("prod: axis 2 is out of range; x is [2,3]", [&] { prod(x, 2); });
  expect_error<ShapeError>("var: axis 2 is out of range; x is [2,3]", [&] { var(x, 2); });
  expect_error<ShapeError>("stddev: axis 1 is given twice; x is [2,3]", [&] { stddev(x, {1, 1}); });
  expect_error<ShapeError>("norm: axis 2 is out of range; x is [2,3]", [&] { norm(x, 2, {.p = 3}); });
  expect_error<ShapeError>("any: axis 2 is out of range; x is [2,3]", [&] { any(x, 2); });
  expect_error<ShapeError>("logsumexp: axis -3 is out of range; x is [2,3]", [&] { logsumexp(x, -3); });
  expect_error<ShapeError>("argmax: axis 2 is out of range; x is [2,3]", [&] { max_with_indices(x, 2); });
  expect_error<ShapeError>("median: axis 2 is out of range; x is [2,3]", [&] { median(x, 2); });
  expect_error<ShapeError>("min: there must be elements to choose from; x is [0,3]", [&] { min(empty); });
  expect_error<ShapeError>("argmin: there must be elements to choose from; x is [0,3]",
                           [&] { argmin(empty, 0); });
  expect_error<ShapeError>("median: there must be elements to choose from; x is [0,3]",
                           [&] { median(empty); });
  expect_error<DTypeError>("var: x must be float32 or float64, it is int64", [&] { var(whole); });
  expect_error<DTypeError>("stddev: x must be float32 or float64, it is int64", [&] { stddev(whole); });
  expect_error<DTypeError>("norm: x must be float32 or float64, it is int64", [&] { norm(whole); });
  expect_error<DTypeError>("logsumexp: x must be float32 or float64, it is int64", [&] { logsumexp(whole); });
  expect_error<DTypeError>("prod: x must be float32, float64 or int64, it is boolean; to() converts it",
                           [&] { prod(whole.to(boolean)); });
  expect_error<DTypeError>("median: x must be float32, float64 or int64, it is boolean; to() converts it",
                           [&] { median(whole.to(boolean)); });
  expect_error<Error>("norm: p must be a number, it is NaN", [&] { norm(x, 0, {.p = kNaN}); });
}

}  // namespace
}  // namespace adjoint
