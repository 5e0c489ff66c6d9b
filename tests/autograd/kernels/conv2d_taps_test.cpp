// Which taps lie inside an image, against counting one by one.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <set>
#include <utility>
#include <vector>

#include "autograd/kernels/convolution/taps.h"
#include "tests/support/draw.h"

namespace adjoint::kernels {
namespace {

using support::draw;

std::vector<std::int64_t> indices(Piece piece) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = piece.begin; i < piece.end; ++i) all.push_back(i);
  return all;
}

RC_GTEST_PROP(Conv2dTaps, StepsInsideAreTheOnesCounted, ()) {
  const std::int64_t first = draw(-20, 20), size = draw(1, 12), count = draw(0, 12);
  const std::int64_t step = draw(0, 1) == 0 ? draw(1, 5) : draw(-5, -1);
  std::vector<std::int64_t> counted;
  for (std::int64_t i = 0; i < count; ++i)
    if (first + i * step >= 0 && first + i * step < size) counted.push_back(i);
  const Piece inside = steps_inside(first, step, size, count);
  RC_ASSERT(indices(inside) == counted);
  RC_ASSERT(inside.begin >= 0 && inside.begin <= inside.end && inside.end <= count);
}

TEST(Conv2dTaps, OverlapStaysWithinTheFirstPiece) {
  for (std::int64_t begin = -3; begin < 8; ++begin)
    for (std::int64_t end = begin; end < 8; ++end) {
      std::vector<std::int64_t> common;
      for (std::int64_t i = 1; i < 4; ++i)
        if (i >= begin && i < end) common.push_back(i);
      const Piece piece = overlap({1, 4}, {begin, end});
      EXPECT_EQ(indices(piece), common);
      EXPECT_TRUE(piece.begin >= 1 && piece.begin <= piece.end && piece.end <= 4);
    }
}

Axis drawn_axis() {
  return {.in = draw(1, 12),
          .out = draw(1, 12),
          .taps = draw(1, 6),
          .stride = draw(1, 5),
          .dilation = draw(1, 5),
          .offset = draw(-8, 3)};
}

RC_GTEST_PROP(Conv2dTaps, InputsAreTheFirstToTheLastThatIsRead, ()) {
  const Axis axis = drawn_axis();
  const std::int64_t begin = draw(0, axis.out - 1), end = draw(begin + 1, axis.out);
  std::set<std::int64_t> read;
  for (std::int64_t o = begin; o < end; ++o)
    for (std::int64_t t = 0; t < axis.taps; ++t)
      read.insert(o * axis.stride + t * axis.dilation + axis.offset);
  const Piece inputs = axis.inputs({begin, end});
  RC_ASSERT(inputs.begin == *read.begin() && inputs.end == *read.rbegin() + 1);
}

/// A weight and the input that it is multiplied with.
using Products = std::set<std::pair<std::int64_t, std::int64_t>>;

Products products_of(const Phase& phase, std::int64_t q, Piece taps) {
  Products products;
  for (std::int64_t t = taps.begin; t < taps.end; ++t)
    products.emplace(phase.first_tap + t * phase.tap_step, phase.axis.input(q, t));
  return products;
}

// Every product x[i] w[t] of output o, and its part in the gradient of x[i].
RC_GTEST_PROP(Conv2dTaps, PhasesHaveAllProducts, ()) {
  const Axis axis = drawn_axis();
  const bool flip = draw(0, 1) == 1, input_grad = draw(0, 1) == 1;
  const Phases phases{axis, flip, input_grad};
  std::vector<Products> expected(static_cast<std::size_t>(phases.out()));
  for (std::int64_t o = 0; o < axis.out; ++o)
    for (std::int64_t t = 0; t < axis.taps; ++t) {
      const std::int64_t i = o * axis.stride + t * axis.dilation + axis.offset;
      if (i < 0 || i >= axis.in) continue;
      expected[static_cast<std::size_t>(input_grad ? i : o)].emplace(flip ? axis.taps - 1 - t : t,
                                                                     input_grad ? o : i);
    }
  std::int64_t outputs = 0;
  for (std::int64_t p = 0; p < phases.count(); ++p) {
    const Phase phase = phases[p], reversed = phase.with_taps_reversed();
    outputs += phase.axis.out;
    for (std::int64_t q = 0; q < phase.axis.out; ++q) {
      const Products& all = expected[static_cast<std::size_t>(phase.first + q * phase.step)];
      const Phase only = phase.only(q);
      RC_ASSERT(products_of(phase, q, phase.axis.taps_inside(q)) == all);
      RC_ASSERT(products_of(reversed, q, reversed.axis.taps_inside(q)) == all);
      RC_ASSERT(products_of(only, 0, {0, only.axis.taps}) == all);
      RC_ASSERT(only.first == phase.first + q * phase.step);
    }
  }
  RC_ASSERT(outputs == phases.out());
}

}  // namespace
}  // namespace adjoint::kernels
