#include "adjoint/ops/sort.h"

#include <cmath>
#include <limits>

#include "adjoint/ops/indexing.h"
#include "tests/support/expect_gradients.h"
#include "tests/support/naive/elements.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

bool less(double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; }

/// The positions of a line's elements in order, by inserting one after the other behind those that it does
/// not precede.
std::vector<std::size_t> order_of(const std::vector<double>& line, bool descending) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::size_t at = order.size();
    while (at > 0 && (descending ? less(line[order[at - 1]], line[i]) : less(line[i], line[order[at - 1]])))
      --at;
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(at), i);
  }
  return order;
}

void check_order(const Tensor& x, int axis, bool descending, std::int64_t k, const ValuesAndIndices& found) {
  const Elements at(x);
  const auto a = static_cast<std::size_t>(axis);
  const auto line_through = [&](Index i) {
    std::vector<double> line;
    for (i[a] = 0; i[a] < x.size(axis); ++i[a]) line.push_back(at(i));
    return line;
  };
  const Shape shape = x.shape().with(axis, k);
  expect_elements(found.values, shape, [&](const Index& i) {
    const auto line = line_through(i);
    return line[order_of(line, descending)[static_cast<std::size_t>(i[a])]];
  });
  expect_elements(found.indices, shape, [&](const Index& i) {
    return static_cast<double>(order_of(line_through(i), descending)[static_cast<std::size_t>(i[a])]);
  });
  EXPECT_EQ(found.values.dtype(), x.dtype());
  EXPECT_EQ(found.indices.dtype(), int64);
}

/// Few different numbers; some NaN, infinities and zeros of both signs if they are floating.
Tensor tied(const Shape& shape, DType dtype, std::uint64_t seed) {
  const auto drawn = random_whole_numbers<double>(static_cast<std::size_t>(shape.numel()), seed);
  Values values(dtype, shape);
  visit(dtype, [&]<class T>() {
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      double value = drawn[i];
      if (std::is_floating_point_v<T>) {
        if (value == 3) value = i % 2 == 0 ? kNaN : -kNaN;
        if (value == 4) value = kInfinity;
        if (value == -4) value = -kInfinity;
        if (value == 0) value = i % 2 == 0 ? 0.0 : -0.0;
      }
      values.writable<T>()[i] = static_cast<T>(value);
    }
  });
  return Tensor(std::move(values));
}

TEST(Sort, AlongEachAxis) {
  for (const DType dtype : kDTypes) {
    for (const Shape& shape : {Shape{12}, Shape{3, 20}, Shape{2, 5, 3}, Shape{1, 1}, Shape{3, 0, 2}}) {
      const Tensor x = tied(shape, dtype, 1);
      for (int axis = 0; axis < shape.rank(); ++axis) {
        for (const bool descending : {false, true}) {
          const SortOptions options{.axis = axis - shape.rank(), .descending = descending};
          check_order(x, axis, descending, shape[axis], sort(x, options));
          expect_close(argsort(x, options), sort(x, options).indices, 0);
          for (std::int64_t k = 0; k <= shape[axis]; k += 3)
            check_order(x, axis, descending, k, topk(x, k, {.axis = axis, .largest = descending}));
        }
      }
    }
  }
}

TEST(Sort, SpecialNumbers) {
  const auto [values, indices] = sort(tensor({1, -kNaN, -kInfinity, 2}));
  expect_close(values, {-kInfinity, 1, 2, kNaN}, 0);
  expect_close(indices, {2, 0, 3, 1}, 0);
  expect_close(topk(tensor({0, 0, 0, 0}), 3).indices, {0, 1, 2}, 0);
  expect_close(sort(tensor({0.0, -0.0, 0.0})).indices, {0, 1, 2}, 0);
  expect_bits<float>(sort(tensor({0.0, -0.0})).values, {0.0F, -0.0F});
  const std::int64_t extremes[] = {INT64_MAX, INT64_MIN, 0, -1};
  expect_close(argsort(from_data<std::int64_t>(extremes, {4})), {1, 3, 2, 0}, 0);
  const double tiny = std::numeric_limits<double>::denorm_min();
  expect_close(argsort(tensor({tiny, -tiny, 0, -1e308, 1e308}, {.dtype = float64})), {3, 1, 2, 0, 4}, 0);
}

TEST(Sort, LongLines) {
  for (const DType dtype : kDTypes) {
    const Tensor x = tied({2, 3000}, dtype, 2);
    for (const bool descending : {false, true}) {
      const auto [values, indices] = sort(x, {.descending = descending});
      const Elements sorted(values), positions(indices), at(x);
      for (std::int64_t row = 0; row < 2; ++row) {
        for (std::int64_t i = 0; i < 3000; ++i) {
          const auto from = static_cast<std::int64_t>(positions({row, i}));
          const double value = sorted({row, i}), source = at({row, from});
          ASSERT_TRUE(value == source || (std::isnan(value) && std::isnan(source)));
          if (i == 0) continue;
          const double before = sorted({row, i - 1});
          const bool ordered = descending ? less(value, before) : less(before, value);
          const bool same = !less(value, before) && !less(before, value);
          ASSERT_TRUE(ordered || (same && positions({row, i - 1}) < positions({row, i}))) << i;
        }
      }
    }
  }
}

TEST(Sort, SameBitsForAnyNumberOfThreads) {
  const Tensor x = tied({200, 300}, float32, 3);
  expect_same_bits_for_any_number_of_threads([&] {
    const auto [values, indices] = sort(x, {.axis = 0});
    return std::vector<std::int64_t>(indices.data<std::int64_t>().begin(),
                                     indices.data<std::int64_t>().end());
  });
}

TEST(Sort, Gradients) {
  Rng rng(1);
  const Tensor x = random_tensor({3, 5, 2}, rng);
  for (int axis = 0; axis < 3; ++axis) {
    expect_gradients([&](auto in) { return sort(in[0] * in[0], {.axis = axis}).values; }, {x});
    expect_gradients([&](auto in) { return topk(in[0] * in[0], 2, {.axis = axis, .largest = false}).values; },
                     {x});
  }
  expect_gradients(
      [](auto in) {
        const Tensor order = argsort(in[0], {.descending = true});
        return take_along_axis(as_interleaved(in[0] * in[0]), order, -1);
      },
      {random_tensor({9, 4}, rng)});
  const auto first_two = [](const Tensor& in) { return topk(in, 2).values; };
  expect_close(
      gradient(first_two, tensor({1, 3, 3, 3}, {.dtype = float64}), tensor({5, 7}, {.dtype = float64})),
      {0, 5, 7, 0}, 0);
}

TEST(Sort, Searchsorted) {
  for (const DType dtype : kDTypes) {
    const Tensor sorted = tensor({1, 3, 3, 5}, {.dtype = dtype}),
                 values = tensor({0, 1, 2, 3, 5, 6}, {2, 3}, {.dtype = dtype});
    const Tensor left = searchsorted(sorted, values), right = searchsorted(sorted, values, {.right = true});
    expect_close(left, tensor({0, 0, 1, 1, 3, 4}, {2, 3}, {.dtype = int64}), 0);
    expect_close(right, tensor({0, 1, 1, 3, 4, 4}, {2, 3}, {.dtype = int64}), 0);
    EXPECT_EQ(left.dtype(), int64);
    const Tensor rows = tensor({1, 2, 3, 2, 2, 9}, {2, 3}, {.dtype = dtype});
    expect_close(searchsorted(rows, tensor({2, 9, 2, 9}, {2, 2}, {.dtype = dtype})),
                 tensor({1, 3, 0, 2}, {2, 2}, {.dtype = int64}), 0);
    EXPECT_EQ(searchsorted(sorted, scalar(4, {.dtype = dtype})).item(), 3);
    expect_close(searchsorted(zeros({0}, {.dtype = dtype}), values), std::vector<double>(6, 0), 0);
    EXPECT_EQ(searchsorted(zeros({2, 0}, {.dtype = dtype}), zeros({2, 0}, {.dtype = dtype})).shape(),
              Shape({2, 0}));
  }
  const Tensor with_nan = tensor({-1, 0, kNaN, kNaN});
  expect_close(searchsorted(with_nan, tensor({-0.0, kNaN, kInfinity})), {1, 2, 2}, 0);
  expect_close(searchsorted(with_nan, tensor({-0.0, kNaN, kInfinity}), {.right = true}), {2, 4, 2}, 0);
}

TEST(Sort, Errors) {
  const Tensor x = zeros({2, 3});
  expect_error<ShapeError>("sort: axis 2 is out of range; x is [2,3]", [&] { sort(x, {.axis = 2}); });
  expect_error<ShapeError>("argsort: axis -1 is out of range; x is []", [] { argsort(scalar(1)); });
  expect_error<ShapeError>("topk: axis -3 is out of range; x is [2,3]", [&] { topk(x, 1, {.axis = -3}); });
  expect_error<ShapeError>("topk: k must be in [0,3], the size of axis 1, it is 4; x is [2,3]",
                           [&] { topk(x, 4); });
  EXPECT_THROW(topk(x, -1), ShapeError);
  expect_error<ShapeError>(
      "searchsorted: sorted must have one axis, or the sizes of values except for the last; sorted is [2,3], "
      "values [3]",
      [&] { searchsorted(x, zeros({3})); });
  EXPECT_THROW(searchsorted(x, zeros({3, 3})), ShapeError);
  EXPECT_THROW(searchsorted(scalar(1), zeros({3})), ShapeError);
  expect_error<DTypeError>(
      "searchsorted: sorted and values must have the same dtype; sorted is float32, values is int64",
      [&] { searchsorted(zeros({3}), zeros({3}, {.dtype = int64})); });
}

}  // namespace
}  // namespace adjoint
