// Convolution, pooling, softmax and losses against libtorch's.
#include <gtest/gtest.h>

#include "adjoint/ops/convolution.h"
#include "adjoint/ops/loss.h"
#include "adjoint/ops/pooling.h"
#include "adjoint/ops/softmax.h"
#include "tests/oracle/oracle.h"

namespace adjoint::oracle {
namespace {

namespace F = torch::nn::functional;

std::vector<std::int64_t> pair(PerAxis p) { return {p.height, p.width}; }
PerAxis draw_pair(Draw& draw, std::int64_t least, std::int64_t most) {
  return {draw.number(least, most), draw.number(least, most)};
}

TEST(Oracle, Convolution) {
  compare("convolution", "conv2d", 200, [](Draw& draw) {
    const PerAxis kernel = draw_pair(draw, 1, 3), stride = draw_pair(draw, 1, 3),
                  padding = draw_pair(draw, 0, 2), dilation = draw_pair(draw, 1, 2);
    const std::int64_t groups = draw.number(1, 3), in = draw.number(1, 3), out = draw.number(1, 3);
    const Tensor x = draw.tensor({draw.number(1, 18), groups * in, draw.number(5, 9), draw.number(5, 9)});
    const Tensor w = draw.tensor({groups * out, in, kernel.height, kernel.width}),
                 b = draw.tensor({groups * out});
    return Example{
        .inputs = {x, w, b},
        .ours =
            [=](auto in) {
              return conv2d(in[0], in[1], in[2],
                            {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups});
            },
        .theirs =
            [=](auto in) {
              return torch::conv2d(in[0], in[1], in[2], pair(stride), pair(padding), pair(dilation), groups);
            },
        .units = 64};
  });
}

TEST(Oracle, Pooling) {
  const auto pooling = [](const char* name, auto ours, auto theirs) {
    compare("pooling", name, 150, [&](Draw& draw) {
      const PerAxis window = draw_pair(draw, 1, 4), stride = draw_pair(draw, 1, 3);
      const PerAxis padding = {draw.number(0, window.height / 2), draw.number(0, window.width / 2)};
      const Tensor x =
          draw.tensor({draw.number(1, 18), draw.number(1, 3), draw.number(4, 9), draw.number(4, 9)});
      const bool count_padding = draw.flag();
      return Example{.inputs = {x},
                     .ours = [=](auto in) { return ours(in[0], window, stride, padding, count_padding); },
                     .theirs =
                         [=](auto in) {
                           return theirs(in[0], pair(window), pair(stride), pair(padding), count_padding);
                         },
                     .units = 32};
    });
  };
  using Sizes = std::vector<std::int64_t>;
  pooling(
      "avg_pool2d",
      [](const Tensor& x, PerAxis w, PerAxis s, PerAxis p, bool count) {
        return avg_pool2d(x, {.window = w, .stride = s, .padding = p, .count_include_pad = count});
      },
      [](const torch::Tensor& x, const Sizes& w, const Sizes& s, const Sizes& p, bool count) {
        return torch::avg_pool2d(x, w, s, p, false, count);
      });
  pooling(
      "max_pool2d",
      [](const Tensor& x, PerAxis w, PerAxis s, PerAxis p, bool) {
        return max_pool2d(x, {.window = w, .stride = s, .padding = p});
      },
      [](const torch::Tensor& x, const Sizes& w, const Sizes& s, const Sizes& p, bool) {
        return torch::max_pool2d(x, w, s, p);
      });
}

TEST(Oracle, SoftmaxAndLosses) {
  const auto along = [](const char* name, auto ours, auto theirs) {
    compare("softmax, loss", name, 60, [&](Draw& draw) {
      const Shape shape = draw.shape(1, 4);
      const int axis = draw.axis_of(shape);
      return Example{.inputs = {draw.tensor(shape)},
                     .ours = [=](auto in) { return ours(in[0], axis); },
                     .theirs = [=](auto in) { return theirs(in[0], axis); },
                     .units = 64};
    });
  };
  along(
      "softmax", [](const Tensor& x, int axis) { return softmax(x, axis); },
      [](const torch::Tensor& x, int axis) { return torch::softmax(x, axis); });
  along(
      "log_softmax", [](const Tensor& x, int axis) { return log_softmax(x, axis); },
      [](const torch::Tensor& x, int axis) { return torch::log_softmax(x, axis); });
  compare("softmax, loss", "softmax_cross_entropy of classes", 80, [](Draw& draw) {
    const std::int64_t n = draw.number(1, 20), classes = draw.number(1, 6);
    const bool total = draw.flag();
    return Example{.inputs = {draw.tensor({n, classes}), draw.indices({n}, 0, classes - 1)},
                   .ours =
                       [=](auto in) {
                         return softmax_cross_entropy(
                             in[0], in[1], {.reduction = total ? Reduction::sum : Reduction::mean});
                       },
                   .theirs =
                       [=](auto in) {
                         auto options = F::CrossEntropyFuncOptions();
                         total ? options.reduction(torch::kSum) : options.reduction(torch::kMean);
                         return F::cross_entropy(in[0], in[1], options);
                       },
                   .units = 64};
  });
  compare("softmax, loss", "softmax_cross_entropy of probabilities", 60, [](Draw& draw) {
    const std::int64_t n = draw.number(1, 20), classes = draw.number(1, 6);
    return Example{.inputs = {draw.tensor({n, classes}), draw.tensor({n, classes}, 0, 1)},
                   .ours = [=](auto in) { return softmax_cross_entropy(in[0], in[1]); },
                   .theirs = [=](auto in) { return F::cross_entropy(in[0], in[1]); },
                   .units = 64};
  });
  compare("softmax, loss", "mse", 60, [](Draw& draw) {
    const Shape shape = draw.shape(0, 4);
    return Example{.inputs = {draw.tensor(shape), draw.tensor(shape)},
                   .ours = [=](auto in) { return mse(in[0], in[1]); },
                   .theirs = [=](auto in) { return torch::mse_loss(in[0], in[1]); },
                   .units = 64};
  });
}

}  // namespace
}  // namespace adjoint::oracle
