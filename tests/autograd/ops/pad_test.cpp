#include "adjoint/ops/pad.h"

#include "tests/support/expect_gradients.h"
#include "tests/support/naive/elements.h"
#include "tests/support/random_values.h"
#include "tests/support/throws.h"

namespace adjoint {
namespace {

using namespace support;

constexpr PadMode kModes[] = {PadMode::constant, PadMode::reflect, PadMode::replicate, PadMode::circular};

/// What a padded axis has at a position, by walking one step at a time; -1 stands for the constant.
std::int64_t walked(PadMode mode, std::int64_t position, std::int64_t size) {
  if (mode == PadMode::constant) return position < 0 || position >= size ? -1 : position;
  if (mode == PadMode::replicate) return std::min(std::max<std::int64_t>(position, 0), size - 1);
  if (mode == PadMode::circular) return ((position % size) + size) % size;
  std::int64_t at = 0, direction = 1;
  for (std::int64_t steps = std::abs(position); steps > 0; --steps) {
    if (at + direction < 0 || at + direction >= size) direction = -direction;
    at += direction;
  }
  return at;
}

TEST(Pad, EveryMode) {
  for (const DType dtype : kDTypes) {
    const Tensor x = counting({2, 3, 4}, dtype);
    const Elements at(x);
    for (const PadMode mode : kModes) {
      for (const std::vector<std::int64_t>& sides : {std::vector<std::int64_t>{2, 1},
                                                     {0, 3},
                                                     {-1, 2},
                                                     {1, -2},
                                                     {-2, -2},
                                                     {0, 0, 1, 2},
                                                     {0, 0, 0, 0, 1, 1},
                                                     {1, 2, 2, 1},
                                                     {-1, -1, 1, -2},
                                                     {3, 3, 2, 0, 1, 1},
                                                     {}}) {
        SCOPED_TRACE(testing::PrintToString(sides));
        const auto side = [&](std::size_t k) { return k < sides.size() ? sides[k] : 0; };
        const Shape shape{2 + side(4) + side(5), 3 + side(2) + side(3), 4 + side(0) + side(1)};
        expect_elements(pad(x, sides, {.mode = mode, .value = 9}), shape, [&](const Index& i) {
          const Index from = {walked(mode, i[0] - side(4), 2), walked(mode, i[1] - side(2), 3),
                              walked(mode, i[2] - side(0), 4)};
          return *std::min_element(from.begin(), from.end()) < 0 ? 9 : at(from);
        });
      }
    }
    if (dtype != int64) expect_close(pad(as_interleaved(x), {1, 1}), pad(x, {1, 1}), 0);
  }
}

TEST(Pad, ConstantMayHaveNothingOfX) {
  expect_close(pad(counting({3}), {-5, 6}, {.value = 4}), {4, 4, 4, 4}, 0);
  expect_close(pad(counting({3}), {5, -6}, {.value = 4}), {4, 4}, 0);
  expect_close(pad(zeros({0}), {1, 2}, {.value = kNaN}), {kNaN, kNaN, kNaN}, 0);
  EXPECT_EQ(pad(counting({3}), {-1, -2}).shape(), Shape({0}));
  EXPECT_EQ(pad(scalar(3), {}).item(), 3);
}

TEST(Pad, EdgesOfTheModes) {
  const Tensor three = counting({3}), five = counting({5}), dy7 = counting({7});
  const PadOptions reflect{.mode = PadMode::reflect}, circular{.mode = PadMode::circular};
  expect_close(pad(three, {2, 2}, reflect), {3, 2, 1, 2, 3, 2, 1}, 0);
  expect_close(gradient(
                   [&](const Tensor& in) {
                     return pad(in, {2, 2}, reflect);
                   },
                   three, dy7),
               {10, 12, 6}, 0);
  expect_close(pad(five, {2, 0}, circular), {4, 5, 1, 2, 3, 4, 5}, 0);
  expect_close(gradient(
                   [&](const Tensor& in) {
                     return pad(in, {2, 0}, circular);
                   },
                   five, ones({7}, {.dtype = float64})),
               {1, 1, 1, 2, 2}, 0);
  expect_close(pad(three, {3, 3}, circular), {1, 2, 3, 1, 2, 3, 1, 2, 3}, 0);
  expect_close(pad(counting({1}), {2, 1}, {.mode = PadMode::replicate}), {1, 1, 1, 1}, 0);
  EXPECT_EQ(pad(zeros({0, 2}), {1, 1}, reflect).shape(), Shape({0, 4}));
}

TEST(Pad, Gradients) {
  Rng rng(1);
  const Tensor x = random_tensor({2, 3, 4}, rng);
  for (const PadMode mode : kModes) {
    expect_gradients(
        [&](auto in) {
          return pad(in[0] * in[0], {1, 2, -1, 1}, {.mode = mode, .value = 3});
        },
        {x});
    expect_gradients([&](auto in) { return pad(in[0], {-1, -1, 0, 0, 1, 1}, {.mode = mode}); }, {x});
  }
  expect_close(gradient(
                   [](const Tensor& in) {
                     return pad(in, {-5, 6});
                   },
                   counting({3}), counting({4})),
               {0, 0, 0}, 0);
}

struct Window {
  Shape x;
  UnfoldOptions options;
};
const Window kWindows[] = {
    {{2, 3, 5, 6}, {.window = 3}},
    {{1, 2, 5, 6}, {.window = {2, 3}, .stride = {2, 1}, .padding = {1, 2}}},
    {{2, 1, 7, 5}, {.window = {3, 2}, .stride = 2, .padding = 1, .dilation = {2, 3}}},
    {{3, 4, 5}, {.window = 2, .stride = 3, .padding = 2}},
    {{0, 2, 3, 3}, {.window = 2}},
    {{1, 1, 1, 1}, {.window = 1, .padding = 3}},
    {{1, 1, 2, 2}, {.window = 2, .stride = INT64_MAX, .dilation = 1}},
};

/// What a tap of a window sees, or 0 in the padding.
double tap_of(const Elements& x, bool batched, const Shape& shape, const UnfoldOptions& o, std::int64_t n,
              std::int64_t row, std::int64_t column) {
  const std::int64_t taps = o.window.height * o.window.width, height = shape[-2], width = shape[-1];
  const std::int64_t out_width =
      (width + 2 * o.padding.width - o.dilation.width * (o.window.width - 1) - 1) / o.stride.width + 1;
  const std::int64_t tap = row % taps;
  const std::int64_t h =
      column / out_width * o.stride.height - o.padding.height + tap / o.window.width * o.dilation.height;
  const std::int64_t w =
      column % out_width * o.stride.width - o.padding.width + tap % o.window.width * o.dilation.width;
  if (h < 0 || h >= height || w < 0 || w >= width) return 0;
  return batched ? x({n, row / taps, h, w}) : x({row / taps, h, w});
}

FoldOptions fold_options(const Window& w) {
  const UnfoldOptions& o = w.options;
  return {.size = {w.x[-2], w.x[-1]},
          .window = o.window,
          .stride = o.stride,
          .padding = o.padding,
          .dilation = o.dilation};
}

TEST(Unfold, ShowsWhatEachTapSees) {
  for (const DType dtype : kDTypes) {
    for (const Window& window : kWindows) {
      const Tensor x = counting(window.x, dtype), y = unfold(x, window.options);
      const bool batched = x.rank() == 4;
      const Elements at(x);
      const PerAxis &w = window.options.window, &p = window.options.padding, &d = window.options.dilation,
                    &s = window.options.stride;
      const std::int64_t rows = x.size(-3) * w.height * w.width,
                         columns =
                             ((x.size(-2) + 2 * p.height - d.height * (w.height - 1) - 1) / s.height + 1) *
                             ((x.size(-1) + 2 * p.width - d.width * (w.width - 1) - 1) / s.width + 1);
      expect_elements(y, batched ? Shape{x.size(0), rows, columns} : Shape{rows, columns},
                      [&](const Index& i) {
                        return tap_of(at, batched, x.shape(), window.options, batched ? i[0] : 0,
                                      i[i.size() - 2], i.back());
                      });
    }
  }
}

// fold is the transposed linear map: sum(fold(c) x) = sum(c unfold(x)) for all whole numbers c and x.
TEST(Unfold, FoldAddsAtTheSamePlaces) {
  for (const DType dtype : kDTypes) {
    for (const Window& window : kWindows) {
      const Tensor x = counting(window.x, dtype), taps = unfold(x, window.options);
      const Tensor c = counting(taps.shape(), dtype), folded = fold(c, fold_options(window));
      ASSERT_EQ(folded.shape(), x.shape());
      const auto dot = [](const Tensor& a, const Tensor& b) {
        double total = 0;
        for (std::size_t i = 0; i < numbers(a).size(); ++i) total += numbers(a)[i] * numbers(b)[i];
        return total;
      };
      EXPECT_EQ(dot(folded, x), dot(c, taps));
    }
  }
  const Tensor ones_of_taps = ones({1, 9, 9}, {.dtype = float64});
  expect_close(fold(ones_of_taps, {.size = 5, .window = 3}),
               {1, 2, 3, 2, 1, 2, 4, 6, 4, 2, 3, 6, 9, 6, 3, 2, 4, 6, 4, 2, 1, 2, 3, 2, 1}, 0);
  Tensor largest = full({2, 2}, 0, {.dtype = int64});
  for (std::int64_t& value : largest.mutable_data<std::int64_t>()) value = INT64_MAX;
  // One column of windows of height 2 over 3 rows: the middle row is a sum of two, which wraps around.
  const Tensor wrapped = fold(largest, {.size = {3, 1}, .window = {2, 1}});
  EXPECT_EQ(wrapped.data<std::int64_t>()[1], -2);
}

TEST(Unfold, Gradients) {
  Rng rng(2);
  for (const Window& window : kWindows) {
    const Tensor x = random_tensor(window.x, rng), taps = unfold(x, window.options);
    expect_gradients([&](auto in) { return unfold(in[0] * in[0], window.options); }, {x});
    expect_gradients([&](auto in) { return fold(in[0] * in[0], fold_options(window)); },
                     {random_tensor(taps.shape(), rng)});
  }
}

TEST(Pad, Errors) {
  const Tensor x = zeros({2, 3});
  const auto with = [](PadMode mode) { return PadOptions{.mode = mode}; };
  expect_error<ShapeError>(
      "pad: there must be two sides for each padded axis, from the last axis on; x is [2,3], sides are [1]",
      [&] { pad(x, {1}); });
  EXPECT_THROW(pad(x, {1, 1, 1, 1, 1, 1}), ShapeError);
  expect_error<ShapeError>(
      "pad: axis 1 of x gets a size below 0 or too large, with -2 before and -2 after; x is [2,3]", [&] {
        pad(x, {-2, -2});
      });
  EXPECT_THROW(pad(x, {INT64_MAX, 1}), ShapeError);
  EXPECT_THROW(pad(x, {INT64_MIN, INT64_MAX}), ShapeError);
  EXPECT_THROW(pad(x, {INT64_MAX, INT64_MIN}), ShapeError);
  expect_error<ShapeError>("pad: mode reflect pads axis 1 by at most 2; x is [2,3], the sides are 3 and 0",
                           [&] {
                             pad(x, {3, 0}, with(PadMode::reflect));
                           });
  expect_error<ShapeError>("pad: mode circular pads axis 0 by at most 2; x is [2,3], the sides are 0 and 3",
                           [&] {
                             pad(x, {0, 0, 0, 3}, with(PadMode::circular));
                           });
  expect_error<ShapeError>("pad: mode replicate pads axis 0 by at most 0; x is [0], the sides are 1 and 0",
                           [&] {
                             pad(zeros({0}), {1, 0}, with(PadMode::replicate));
                           });
  EXPECT_THROW(pad(zeros({0}), {1, 0}, with(PadMode::reflect)), ShapeError);
  EXPECT_THROW(pad(zeros({0}), {1, 0}, with(PadMode::circular)), ShapeError);
  expect_error<Error>("pad: value is 1e+30, which int64 cannot hold", [&] {
    pad(zeros({2}, {.dtype = int64}), {1, 1}, {.value = 1e30});
  });
  EXPECT_THROW(pad(zeros({2}, {.dtype = int64}), {1, 1}, {.value = kNaN}), Error);
}

TEST(Unfold, Errors) {
  const Tensor image = zeros({1, 2, 4, 4});
  expect_error<ShapeError>("unfold: x must have 3 or 4 axes, it is [4,4]", [] {
    unfold(zeros({4, 4}), {.window = 2});
  });
  expect_error<ShapeError>("unfold: x must have at least one channel, row and column, it is [1,0,4,4]", [] {
    unfold(zeros({1, 0, 4, 4}), {.window = 2});
  });
  expect_error<Error>("unfold: window must be at least 1, it is {0, 0}",
                      [&] { unfold(image, {.window = 0}); });
  expect_error<Error>("unfold: stride must be at least 1, it is {1, 0}", [&] {
    unfold(image, {.window = 2, .stride = {1, 0}});
  });
  expect_error<Error>("unfold: padding must be at least 0, it is {-1, -1}",
                      [&] { unfold(image, {.window = 2, .padding = -1}); });
  expect_error<Error>("unfold: dilation must be at least 1, it is {0, 0}",
                      [&] { unfold(image, {.window = 2, .dilation = 0}); });
  EXPECT_THROW(unfold(image, {.window = 5}), ShapeError);
  EXPECT_THROW(unfold(image, {.window = 2, .dilation = INT64_MAX}), ShapeError);
  expect_error<ShapeError>("fold: x must have 2 or 3 axes, it is [4]",
                           [] { fold(zeros({4}), {.size = 3, .window = 2}); });
  expect_error<ShapeError>(
      "fold: x must have a multiple of 4 rows and 4 columns; x is [1,6,4], size {3, 3}, window {2, 2}", [] {
        fold(zeros({1, 6, 4}), {.size = 3, .window = 2});
      });
  EXPECT_THROW(fold(zeros({1, 4, 5}), {.size = 3, .window = 2}), ShapeError);
  EXPECT_THROW(fold(zeros({1, 0, 4}), {.size = 3, .window = 2}), ShapeError);
  EXPECT_THROW(fold(zeros({1, 4, 4}), {.size = 0, .window = 2}), Error);
  EXPECT_THROW(fold(zeros({1, 4, 4}), {.size = 3, .window = 4}), ShapeError);
}

}  // namespace
}  // namespace adjoint
