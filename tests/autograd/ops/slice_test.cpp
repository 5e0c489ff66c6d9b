#include "adjoint/ops/slice.h"

#include <sstream>

#include "tests/support/expect_gradients.h"
#include "tests/support/naive/elements.h"
#include "tests/support/random_values.h"
#include "tests/support/threads.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

constexpr std::optional<std::int64_t> kNone = {};

// range(4)[begin:end:step] as Python prints it: a line for each begin, an entry for each end.
constexpr std::optional<std::int64_t> kEnds[] = {kNone, -6, -2, 0, 1, 3, 6};
constexpr struct {
  std::int64_t step;
  const char* lines[7];
} kPythonSlices[] = {
    {1,
     {"0123 - 01 - 0 012 0123", "0123 - 01 - 0 012 0123", "23 - - - - 2 23", "0123 - 01 - 0 012 0123",
      "123 - 1 - - 12 123", "3 - - - - - 3", "- - - - - - -"}},
    {2,
     {"02 - 0 - 0 02 02", "02 - 0 - 0 02 02", "2 - - - - 2 2", "02 - 0 - 0 02 02", "13 - 1 - - 1 13",
      "3 - - - - - 3", "- - - - - - -"}},
    {-1,
     {"3210 3210 3 321 32 - -", "- - - - - - -", "210 210 - 21 2 - -", "0 0 - - - - -", "10 10 - 1 - - -",
      "3210 3210 3 321 32 - -", "3210 3210 3 321 32 - -"}},
    {-3,
     {"30 30 3 3 3 - -", "- - - - - - -", "2 2 - 2 2 - -", "0 0 - - - - -", "1 1 - 1 - - -",
      "30 30 3 3 3 - -", "30 30 3 3 3 - -"}},
};

TEST(Slice, TakesTheElementsThatPythonTakes) {
  const Tensor x = tensor({0, 1, 2, 3});
  for (const auto& [step, lines] : kPythonSlices) {
    for (int b = 0; b < 7; ++b) {
      std::istringstream line(lines[b]);
      for (const auto& end : kEnds) {
        std::string entry;
        line >> entry;
        std::vector<double> expected;
        for (const char digit : entry)
          if (digit != '-') expected.push_back(digit - '0');
        SCOPED_TRACE(entry + " with step " + std::to_string(step));
        expect_close(slice(x, 0, {.begin = kEnds[b], .end = end, .step = step}), expected, 0);
      }
    }
  }
}

TEST(Slice, HugeNumbers) {
  const Tensor x = tensor({0, 1, 2, 3});
  expect_close(slice(x, 0, {.begin = INT64_MIN, .end = INT64_MAX, .step = INT64_MAX}), {0}, 0);
  expect_close(slice(x, 0, {.begin = INT64_MAX, .end = INT64_MIN, .step = INT64_MIN}), {3}, 0);
  expect_close(slice(x, 0, {.begin = INT64_MAX}), std::vector<double>(), 0);
}

TEST(Slice, AlongEachAxis) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({3, 4, 5}, dtype);
    const Elements at(x);
    expect_elements(slice(x, 0, {.begin = 1}), {2, 4, 5}, [&](auto i) { return at({i[0] + 1, i[1], i[2]}); });
    expect_elements(slice(x, -2, {.begin = 3, .step = -2}), {3, 2, 5}, [&](auto i) {
      return at({i[0], 3 - 2 * i[1], i[2]});
    });
    expect_elements(slice(x, 2, {.end = -1, .step = 3}), {3, 4, 2}, [&](auto i) {
      return at({i[0], i[1], 3 * i[2]});
    });
    if (dtype != int64) expect_close(slice(as_interleaved(x), 1, {.begin = 2}), slice(x, 1, {.begin = 2}), 0);
    EXPECT_EQ(slice(x, 1, {.begin = 2, .end = 1}).shape(), Shape({3, 0, 5}));
    EXPECT_EQ(slice(counting({0, 2}, dtype), 0, {.step = -1}).shape(), Shape({0, 2}));
  }
}

TEST(Slice, GradientIsZeroElsewhere) {
  const Tensor x = counting({5});
  const auto taken = [](const Tensor& in) { return slice(in, 0, {.begin = 2, .end = 4}); };
  expect_close(gradient(taken, x, tensor({7, 8}, {.dtype = float64})), {0, 0, 7, 8, 0}, 0);
  const Tensor four = counting({4});
  const auto reversed = [](const Tensor& in) { return slice(in, 0, {.step = -1}); };
  expect_close(gradient(reversed, four, tensor({1, 2, 3, 4}, {.dtype = float64})), {4, 3, 2, 1}, 0);
  const auto every_second = [](const Tensor& in) { return slice(in, 0, {.begin = 3, .step = -2}); };
  expect_close(gradient(every_second, four, tensor({5, 6}, {.dtype = float64})), {0, 6, 0, 5}, 0);
}

TEST(Slice, Gradients) {
  Rng rng(1);
  const Tensor x = random_tensor({3, 4, 2}, rng);
  expect_gradients([](auto in) { return slice(in[0], 1, {.begin = 1, .step = 2}); }, {x});
  expect_gradients([](auto in) { return slice(in[0] * in[0], 1, {.begin = 3, .end = 0, .step = -2}); }, {x});
  expect_gradients([](auto in) { return slice(in[0], 0, {.end = 2}) * slice(in[0], 0, {.begin = 1}); }, {x});
  expect_gradients([](auto in) { return slice(as_interleaved(in[0]), 0, {.begin = 3, .step = 5}); },
                   {random_tensor({17, 2}, rng)});
  expect_gradients([](auto in) { return slice(in[0], 1, {.begin = 2, .end = 2}); }, {x});
  expect_gradients([](auto in) { return select(in[0] * in[0], 1, -1); }, {x});
  expect_gradients([](auto in) { return narrow(in[0] * in[0], -1, 1, 1); }, {x});
}

TEST(Slice, OfEverythingCopiesNothing) {
  const Tensor x = counting({1, 4});
  EXPECT_EQ(slice(x, 1, {}).values().row_major_buffer(), x.values().row_major_buffer());
  EXPECT_EQ(select(x, 0, 0).values().row_major_buffer(), x.values().row_major_buffer());
  EXPECT_EQ(flip(x, 0).values().row_major_buffer(), x.values().row_major_buffer());
}

TEST(Slice, SelectAndNarrow) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({2, 3, 4}, dtype);
    const Elements at(x);
    expect_elements(select(x, 0, 1), {3, 4}, [&](auto i) { return at({1, i[0], i[1]}); });
    expect_elements(select(x, 1, -3), {2, 4}, [&](auto i) { return at({i[0], 0, i[1]}); });
    expect_elements(select(x, -1, 2), {2, 3}, [&](auto i) { return at({i[0], i[1], 2}); });
    expect_elements(narrow(x, 1, 1, 2), {2, 2, 4}, [&](auto i) { return at({i[0], i[1] + 1, i[2]}); });
    expect_elements(narrow(x, 2, -2, 1), {2, 3, 1}, [&](auto i) { return at({i[0], i[1], 2}); });
    EXPECT_EQ(narrow(x, 2, 4, 0).shape(), Shape({2, 3, 0}));
    EXPECT_EQ(select(counting({5}, dtype), 0, 3).item(), 4);
  }
}

TEST(Slice, LargeArraysAreCopiedBySeveralThreads) {
  const Tensor x = counting({300, 40, 7}, float32);
  const WithThreads threads(3);
  const Elements at(x);
  expect_elements(slice(x, 0, {.step = -1}), {300, 40, 7}, [&](auto i) {
    return at({299 - i[0], i[1], i[2]});
  });
  expect_elements(slice(x, 2, {.begin = 1, .step = 2}), {300, 40, 3}, [&](auto i) {
    return at({i[0], i[1], 1 + 2 * i[2]});
  });
  const Tensor line = counting({70'001}, float32);
  expect_elements(flip(line, 0), {70'001}, [&](auto i) { return 70'001.0 - i[0]; });
  expect_elements(slice(line, 0, {.begin = 1}), {70'000}, [&](auto i) { return i[0] + 2.0; });
}

TEST(Slice, EightAxes) {
  const Tensor x = counting({2, 1, 2, 3, 1, 2, 2, 3});
  const Elements at(x);
  expect_elements(flip(x, {0, 3, 7}), x.shape(), [&](auto i) {
    i[0] = 1 - i[0], i[3] = 2 - i[3], i[7] = 2 - i[7];
    return at(i);
  });
}

TEST(Diagonal, OfEachPairOfAxes) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({3, 4, 2}, dtype);
    const Elements at(x);
    expect_elements(diagonal(x), {2, 3}, [&](auto i) { return at({i[1], i[1], i[0]}); });
    expect_elements(diagonal(x, {.offset = 2}), {2, 2}, [&](auto i) { return at({i[1], i[1] + 2, i[0]}); });
    expect_elements(diagonal(x, {.offset = -1}), {2, 2}, [&](auto i) { return at({i[1] + 1, i[1], i[0]}); });
    expect_elements(diagonal(x, {.offset = 1, .axis0 = -1, .axis1 = 1}), {3, 2}, [&](auto i) {
      return at({i[0], i[1] + 1, i[1]});
    });
    for (const std::int64_t offset : {std::int64_t{4}, std::int64_t{-3}, INT64_MAX, INT64_MIN})
      EXPECT_EQ(diagonal(x, {.offset = offset}).shape(), Shape({2, 0}));
  }
}

TEST(Diagonal, Diag) {
  for (const DType dtype : kDTypes) {
    const Tensor x = tensor({7, 8}, {.dtype = dtype});
    expect_close(diag(x), tensor({7, 0, 0, 8}, {2, 2}, {.dtype = dtype}), 0);
    expect_close(diag(x, 1), tensor({0, 7, 0, 0, 0, 8, 0, 0, 0}, {3, 3}, {.dtype = dtype}), 0);
    expect_close(diag(x, -1), tensor({0, 0, 0, 7, 0, 0, 0, 8, 0}, {3, 3}, {.dtype = dtype}), 0);
    expect_close(diag(counting({2, 3}, dtype), 1), {2, 6}, 0);
    EXPECT_EQ(diag(zeros({0}, {.dtype = dtype})).shape(), Shape({0, 0}));
    expect_close(diag(zeros({0}, {.dtype = dtype}), 2), {0, 0, 0, 0}, 0);
  }
}

TEST(Diagonal, TrilAndTriu) {
  for (const DType dtype : kDTypes) {
    for (const Shape& shape :
         {Shape{3, 5}, Shape{2, 5, 3}, Shape{1, 1}, Shape{0, 3, 2}, Shape{3, 0}, Shape{2, 0, 3}}) {
      const Tensor x = counting(shape, dtype);
      const Elements at(x);
      for (const std::int64_t diagonal : {INT64_MIN, std::int64_t{-7}, std::int64_t{-2}, std::int64_t{0},
                                          std::int64_t{1}, std::int64_t{4}, INT64_MAX}) {
        const auto above = [&](const Index& i) { return i.back() - i[i.size() - 2]; };
        expect_elements(tril(x, diagonal), shape, [&](auto i) { return above(i) <= diagonal ? at(i) : 0; });
        expect_elements(triu(x, diagonal), shape, [&](auto i) { return above(i) >= diagonal ? at(i) : 0; });
      }
    }
  }
  const Tensor nan = full({2, 2}, kNaN);
  expect_close(tril(nan), {kNaN, 0, kNaN, kNaN}, 0);
}

TEST(Diagonal, Gradients) {
  Rng rng(2);
  const Tensor x = random_tensor({3, 4, 2}, rng), vector = random_tensor({3}, rng);
  expect_gradients([](auto in) { return diagonal(in[0], {.offset = 1, .axis0 = 2, .axis1 = 0}); }, {x});
  expect_gradients([](auto in) { return diag(in[0] * in[0], -2); }, {vector});
  expect_gradients([](auto in) { return diag(in[0] * in[0], -1); }, {random_tensor({3, 2}, rng)});
  expect_gradients([](auto in) { return tril(in[0] * in[0], -1) * triu(in[0], -2); }, {x});
  expect_gradients([](auto in) { return triu(in[0]); }, {random_tensor({2, 0}, rng)});
}

TEST(Flip, ReversesAxes) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({2, 3, 4}, dtype);
    const Elements at(x);
    expect_elements(flip(x, {0, -1}), x.shape(), [&](auto i) { return at({1 - i[0], i[1], 3 - i[2]}); });
    expect_elements(flip(x, 1), x.shape(), [&](auto i) { return at({i[0], 2 - i[1], i[2]}); });
    expect_close(flip(x, std::span<const int>()), numbers(x), 0);
  }
  EXPECT_EQ(flip(zeros({2, 0}), {0, 1}).shape(), Shape({2, 0}));
}

TEST(Flip, Roll) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({3, 5}, dtype);
    const Elements at(x);
    for (const std::int64_t shift :
         {std::int64_t{0}, std::int64_t{2}, std::int64_t{-1}, std::int64_t{13}, INT64_MIN}) {
      const std::int64_t along = ((shift % 5) + 5) % 5;
      expect_elements(roll(x, shift, 1), x.shape(), [&](auto i) {
        return at({i[0], (i[1] + 5 - along) % 5});
      });
    }
    expect_elements(roll(x, {1, -2}, {0, -1}), x.shape(), [&](auto i) {
      return at({(i[0] + 2) % 3, (i[1] + 2) % 5});
    });
    expect_close(roll(x, 4), {12, 13, 14, 15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 0);
    expect_close(roll(x, {1, 1}, {1, 1}), roll(x, 2, 1), 0);
  }
  EXPECT_EQ(roll(zeros({0, 2}), 3, 0).shape(), Shape({0, 2}));
  EXPECT_EQ(roll(zeros({0, 2}), 3).shape(), Shape({0, 2}));
  EXPECT_EQ(roll(scalar(5), 3).item(), 5);
}

TEST(Flip, Gradients) {
  Rng rng(3);
  const Tensor x = random_tensor({3, 4}, rng);
  expect_gradients([](auto in) { return flip(in[0] * in[0], {0, 1}); }, {x});
  expect_gradients([](auto in) { return roll(in[0] * in[0], {1, -1}, {0, 1}) * in[0]; }, {x});
  expect_gradients([](auto in) { return roll(in[0], 5); }, {x});
}

TEST(Slice, Errors) {
  const Tensor x = zeros({2, 3});
  expect_error<ShapeError>("slice: axis 2 is out of range; x is [2,3]", [&] { slice(x, 2, {}); });
  expect_error<Error>("slice: step must not be 0", [&] { slice(x, 0, {.step = 0}); });
  expect_error<ShapeError>("select: index 3 is out of range for axis 1; x is [2,3]",
                           [&] { select(x, -1, 3); });
  EXPECT_THROW(select(x, 0, -3), ShapeError);
  EXPECT_THROW(select(zeros({0}), 0, 0), ShapeError);
  EXPECT_THROW(select(x, 0, INT64_MIN), ShapeError);
  expect_error<ShapeError>("narrow: start 1 and length 3 do not lie in axis 1; x is [2,3]",
                           [&] { narrow(x, 1, 1, 3); });
  EXPECT_THROW(narrow(x, 1, 1, -1), ShapeError);
  EXPECT_THROW(narrow(x, 1, -4, 1), ShapeError);
  EXPECT_THROW(narrow(x, 1, 4, 0), ShapeError);
  EXPECT_THROW(narrow(x, 1, 2, INT64_MAX), ShapeError);
  expect_error<ShapeError>("diagonal: axis0 and axis1 must be different, both are 1; x is [2,3]",
                           [&] { diagonal(x, {.axis0 = -1}); });
  expect_error<ShapeError>("diagonal: axis 1 is out of range; x is [3]", [&] { diagonal(zeros({3})); });
  expect_error<ShapeError>("diag: x must have 1 or 2 axes, it is []", [&] { diag(scalar(1)); });
  EXPECT_THROW(diag(zeros({3}), INT64_MAX), ShapeError);
  EXPECT_THROW(diag(zeros({3}), INT64_MIN), ShapeError);
  expect_error<ShapeError>("tril: x must have at least 2 axes, it is [3]", [&] { tril(zeros({3})); });
  expect_error<ShapeError>("triu: x must have at least 2 axes, it is []", [&] { triu(scalar(1)); });
  expect_error<ShapeError>("flip: axis -1 is given twice; x is [2,3]", [&] { flip(x, {1, -1}); });
  expect_error<ShapeError>("flip: axis 2 is out of range; x is [2,3]", [&] { flip(x, 2); });
  expect_error<ShapeError>("roll: axis 2 is out of range; x is [2,3]", [&] { roll(x, 1, 2); });
  expect_error<ShapeError>("roll: each axis needs one shift; axes are [0], shifts are [1,2]", [&] {
    roll(x, {1, 2}, {0});
  });
}

}  // namespace
}  // namespace adjoint
