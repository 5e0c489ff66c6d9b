// Ops that move elements, and sorting, against libtorch's.
#include "adjoint/ops/shape.h"

#include <gtest/gtest.h>

#include "adjoint/ops/indexing.h"
#include "adjoint/ops/join.h"
#include "adjoint/ops/pad.h"
#include "adjoint/ops/slice.h"
#include "adjoint/ops/sort.h"
#include "tests/oracle/oracle.h"

namespace adjoint::oracle {
namespace {

using Longs = std::vector<std::int64_t>;

/// An op of one tensor along an axis.
void along(const char* name, std::function<Tensor(const Tensor&, int)> ours,
           std::function<torch::Tensor(const torch::Tensor&, int)> theirs) {
  compare("shape", name, 25, [&](Draw& draw) {
    const Shape shape = draw.shape(1, 4);
    const int axis = draw.axis_of(shape);
    return Example{.inputs = {draw.tensor(shape)},
                   .ours = [=, &ours](auto in) { return ours(in[0], axis); },
                   .theirs = [=, &theirs](auto in) { return theirs(in[0], axis); }};
  });
}

TEST(Oracle, ShapesAlongAnAxis) {
  using T = const Tensor&;
  using U = const torch::Tensor&;
  along(
      "concat",
      [](T x, int axis) {
        return concat({x, x, x}, axis);
      },
      [](U x, int axis) {
        return torch::cat({x, x, x}, axis);
      });
  along(
      "stack",
      [](T x, int axis) {
        return stack({x, x}, axis);
      },
      [](U x, int axis) {
        return torch::stack({x, x}, axis < 0 ? axis : axis);
      });
  along(
      "chunk", [](T x, int axis) { return chunk(x, 3, axis)[0]; },
      [](U x, int axis) { return x.chunk(3, axis)[0]; });
  along(
      "split", [](T x, int axis) { return split(x, 2, axis).back(); },
      [](U x, int axis) { return x.split(2, axis).back(); });
  along(
      "slice", [](T x, int axis) { return slice(x, axis, {.begin = 1, .end = -1, .step = 2}); },
      [](U x, int axis) { return x.slice(axis, 1, -1, 2); });
  along(
      "select", [](T x, int axis) { return select(x, axis, -1); },
      [](U x, int axis) { return x.select(axis, -1); });
  along(
      "narrow", [](T x, int axis) { return narrow(x, axis, 0, 1); },
      [](U x, int axis) { return x.narrow(axis, 0, 1); });
  along(
      "flip", [](T x, int axis) { return flip(x, axis); }, [](U x, int axis) { return x.flip({axis}); });
  along(
      "roll", [](T x, int axis) { return roll(x, 2, axis); },
      [](U x, int axis) { return x.roll({2}, {axis}); });
  along(
      "repeat_interleave", [](T x, int axis) { return repeat_interleave(x, 3, axis); },
      [](U x, int axis) { return x.repeat_interleave(3, axis); });
  along(
      "unsqueeze", [](T x, int axis) { return unsqueeze(x, axis); },
      [](U x, int axis) { return x.unsqueeze(axis); });
  along(
      "squeeze", [](T x, int axis) { return squeeze(x, axis); },
      [](U x, int axis) { return x.squeeze(axis); });
  along(
      "sort", [](T x, int axis) { return sort(x, {.axis = axis}).values; },
      [](U x, int axis) { return std::get<0>(x.sort(axis)); });
  along(
      "argsort", [](T x, int axis) { return argsort(x, {.axis = axis, .descending = true}); },
      [](U x, int axis) { return x.argsort(axis, true); });
  along(
      "topk", [](T x, int axis) { return topk(x, 1, {.axis = axis}).values; },
      [](U x, int axis) { return std::get<0>(x.topk(1, axis)); });
}

TEST(Oracle, Shapes) {
  compare("shape", "permute", 30, [](Draw& draw) {
    const Shape shape = draw.shape(0, 5, true);
    const auto order = draw.order_of(shape);
    return Example{.inputs = {draw.tensor(shape)},
                   .ours = [=](auto in) { return permute(in[0], order); },
                   .theirs = [=](auto in) { return in[0].permute(longs(order)); }};
  });
  compare("shape", "movedim", 30, [](Draw& draw) {
    const Shape shape = draw.shape(1, 5);
    const int from = draw.axis_of(shape), to = draw.axis_of(shape);
    return Example{.inputs = {draw.tensor(shape)},
                   .ours = [=](auto in) { return movedim(in[0], from, to); },
                   .theirs = [=](auto in) { return in[0].movedim(from, to); }};
  });
  compare("shape", "expand", 30, [](Draw& draw) {
    const Shape shape = draw.shape(0, 4, true);
    return Example{.inputs = {draw.tensor(draw.part_of(shape))},
                   .ours = [=](auto in) { return expand(in[0], shape.sizes()); },
                   .theirs = [=](auto in) { return in[0].expand(longs(shape)); }};
  });
  compare("shape", "repeat", 30, [](Draw& draw) {
    const Shape shape = draw.shape(0, 3);
    Longs counts(static_cast<std::size_t>(shape.rank() + draw.number(0, 2)));
    for (auto& count : counts) count = draw.number(0, 3);
    return Example{.inputs = {draw.tensor(shape)},
                   .ours = [=](auto in) { return repeat(in[0], counts); },
                   .theirs = [=](auto in) { return in[0].repeat(counts); }};
  });
  compare("shape", "tril, triu", 40, [](Draw& draw) {
    const std::int64_t diagonal = draw.number(-3, 3);
    const bool lower = draw.flag();
    return Example{.inputs = {draw.tensor(draw.shape(2, 4, true))},
                   .ours = [=](auto in) { return lower ? tril(in[0], diagonal) : triu(in[0], diagonal); },
                   .theirs = [=](auto in) { return lower ? in[0].tril(diagonal) : in[0].triu(diagonal); }};
  });
  compare("shape", "diagonal", 30, [](Draw& draw) {
    const std::int64_t offset = draw.number(-2, 2);
    return Example{
        .inputs = {draw.tensor(draw.shape(2, 4))},
        .ours = [=](auto in) { return diagonal(in[0], {.offset = offset, .axis0 = 0, .axis1 = -1}); },
        .theirs = [=](auto in) { return in[0].diagonal(offset, 0, -1); }};
  });
  compare("shape", "diag", 20, [](Draw& draw) {
    const std::int64_t offset = draw.number(-2, 2);  // libtorch fails where there is no such diagonal
    return Example{.inputs = {draw.tensor(draw.flag() ? Shape{draw.number(1, 4)} : Shape{3, 3})},
                   .ours = [=](auto in) { return diag(in[0], offset); },
                   .theirs = [=](auto in) { return in[0].diag(offset); }};
  });
  compare("shape", "pad constant", 40, [](Draw& draw) {
    const Shape shape = draw.shape(2, 4);
    const Longs sides = {draw.number(0, 3), draw.number(-1, 3), draw.number(0, 2), draw.number(0, 2)};
    return Example{.inputs = {draw.tensor(shape)},
                   .ours = [=](auto in) { return pad(in[0], sides, {.value = 1.5}); },
                   .theirs = [=](auto in) { return torch::constant_pad_nd(in[0], sides, 1.5); }};
  });
  for (const auto& [mode, name] : {std::pair(PadMode::reflect, "reflect"),
                                   {PadMode::replicate, "replicate"},
                                   {PadMode::circular, "circular"}}) {
    compare("shape", name, 30, [mode = mode](Draw& draw) {
      const Longs sides = {draw.number(0, 2), draw.number(0, 2), draw.number(0, 2), draw.number(0, 2)};
      return Example{.inputs = {draw.tensor({draw.number(1, 3), 2, draw.number(3, 5), draw.number(3, 5)})},
                     .ours = [=](auto in) { return pad(in[0], sides, {.mode = mode}); },
                     .theirs =
                         [=](auto in) {
                           auto options = torch::nn::functional::PadFuncOptions(sides);
                           if (mode == PadMode::reflect) options.mode(torch::kReflect);
                           if (mode == PadMode::replicate) options.mode(torch::kReplicate);
                           if (mode == PadMode::circular) options.mode(torch::kCircular);
                           return torch::nn::functional::pad(in[0], options);
                         }};
    });
  }
  compare("shape", "unfold and fold", 40, [](Draw& draw) {
    const PerAxis window = {draw.number(1, 3), draw.number(1, 3)},
                  stride = {draw.number(1, 2), draw.number(1, 2)};
    const std::int64_t padding = draw.number(0, 1), h = draw.number(3, 6), w = draw.number(3, 6);
    return Example{.inputs = {draw.tensor({2, 3, h, w})},
                   .ours =
                       [=](auto in) {
                         return fold(
                             unfold(in[0], {.window = window, .stride = stride, .padding = padding}),
                             {.size = {h, w}, .window = window, .stride = stride, .padding = padding});
                       },
                   .theirs =
                       [=](auto in) {
                         const Longs k = {window.height, window.width}, s = {stride.height, stride.width};
                         return torch::col2im(torch::im2col(in[0], k, {1, 1}, {padding, padding}, s), {h, w},
                                              k, {1, 1}, {padding, padding}, s);
                       }};
  });
}

TEST(Oracle, Indexing) {
  compare("indexing", "gather", 60, [](Draw& draw) {
    const Shape shape = draw.shape(1, 4);
    const int axis = draw.axis_of(shape);
    const Tensor index = draw.indices(shape.with(axis, draw.number(0, 6)), 0, shape[axis] - 1);
    return Example{.inputs = {draw.tensor(shape), index},
                   .ours = [=](auto in) { return gather(in[0], axis, in[1]); },
                   .theirs = [=](auto in) { return in[0].gather(axis, in[1]); }};
  });
  compare("indexing", "scatter_add", 60, [](Draw& draw) {
    const Shape shape = draw.shape(1, 4);
    const int axis = draw.axis_of(shape);
    const Shape of_index = shape.with(axis, draw.number(1, 6));
    return Example{
        .inputs = {draw.tensor(shape), draw.indices(of_index, 0, shape[axis] - 1), draw.tensor(of_index)},
        .ours = [=](auto in) { return scatter_add(in[0], axis, in[1], in[2]); },
        .theirs = [=](auto in) { return in[0].scatter_add(axis, in[1], in[2]); }};
  });
  compare("indexing", "index_select", 60, [](Draw& draw) {
    const Shape shape = draw.shape(1, 4);
    const int axis = draw.axis_of(shape);
    return Example{.inputs = {draw.tensor(shape), draw.indices({draw.number(0, 6)}, 0, shape[axis] - 1)},
                   .ours = [=](auto in) { return index_select(in[0], axis, in[1]); },
                   .theirs = [=](auto in) { return in[0].index_select(axis, in[1]); }};
  });
  compare("indexing", "index_add", 60, [](Draw& draw) {
    const Shape shape = draw.shape(1, 4);
    const int axis = draw.axis_of(shape);
    const std::int64_t n = draw.number(1, 6);
    return Example{.inputs = {draw.tensor(shape), draw.indices({n}, 0, shape[axis] - 1),
                              draw.tensor(shape.with(axis, n))},
                   .ours = [=](auto in) { return index_add(in[0], axis, in[1], in[2]); },
                   .theirs = [=](auto in) { return in[0].index_add(axis, in[1], in[2]); }};
  });
  compare("indexing", "embedding", 60, [](Draw& draw) {
    const std::int64_t rows = draw.number(1, 6), padding = draw.number(0, rows - 1);
    return Example{
        .inputs = {draw.tensor({rows, draw.number(1, 4)}), draw.indices(draw.shape(0, 3), 0, rows - 1)},
        .ours = [=](auto in) { return embedding(in[1], in[0], {.padding_index = padding}); },
        .theirs = [=](auto in) { return torch::embedding(in[0], in[1], padding); }};
  });
  compare("indexing", "searchsorted", 40, [](Draw& draw) {
    const bool right = draw.flag();
    const Tensor sorted = sort(draw.tensor({draw.number(1, 9)})).values;
    return Example{.inputs = {draw.tensor(draw.shape(1, 3)), sorted},
                   .ours = [=](auto in) { return searchsorted(in[1], in[0], {.right = right}); },
                   .theirs = [=](auto in) { return torch::searchsorted(in[1], in[0], false, right); }};
  });
  compare("indexing", "one_hot", 20, [](Draw& draw) {
    return Example{.inputs = {draw.indices(draw.shape(0, 3), 0, 6)},
                   .ours = [](auto in) { return one_hot(in[0], 7); },
                   .theirs = [](auto in) { return torch::one_hot(in[0], 7); }};
  });
}

}  // namespace
}  // namespace adjoint::oracle
