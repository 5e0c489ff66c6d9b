// Losses and normalization against libtorch's.
#include <gtest/gtest.h>

#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/loss.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/normalization.h"
#include "adjoint/ops/softmax.h"
#include "tests/oracle/oracle.h"

namespace adjoint::oracle {
namespace {

using T = const Tensor&;
using U = const torch::Tensor&;

/// libtorch's number for a reduction.
std::int64_t code_of(Reduction reduction) {
  return reduction == Reduction::none  ? at::Reduction::None
         : reduction == Reduction::sum ? at::Reduction::Sum
                                       : at::Reduction::Mean;
}

struct Loss {
  const char* name;
  Tensor (*ours)(T x, T target, Reduction);
  torch::Tensor (*theirs)(U x, U target, std::int64_t reduction);
  double low = -2, high = 2, target_low = -2, target_high = 2;
  bool second = true;
};

const Loss kLosses[] = {
    {"l1_loss", [](T x, T t, Reduction r) { return l1_loss(x, t, {.reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::l1_loss(x, t, r); }},
    {"mse", [](T x, T t, Reduction r) { return mse(x, t, {.reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::mse_loss(x, t, r); }},
    {"smooth_l1_loss",
     [](T x, T t, Reduction r) { return smooth_l1_loss(x, t, {.beta = 0.7, .reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::smooth_l1_loss(x, t, r, 0.7); }},
    {"huber_loss", [](T x, T t, Reduction r) { return huber_loss(x, t, {.delta = 0.7, .reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::huber_loss(x, t, r, 0.7); }},
    {"binary_cross_entropy",
     [](T x, T t, Reduction r) { return binary_cross_entropy(x, t, {.reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::binary_cross_entropy(x, t, {}, r); }, 0.05, 0.95, 0, 1, false},
    {"binary_cross_entropy_with_logits",
     [](T x, T t, Reduction r) { return binary_cross_entropy_with_logits(x, t, {.reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::binary_cross_entropy_with_logits(x, t, {}, {}, r); }, -3, 3, 0,
     1},
    {"kl_div", [](T x, T t, Reduction r) { return kl_div(log_softmax(x, -1), t, {.reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::kl_div(at::log_softmax(x, -1), t, r); }, -2, 2, 0.1, 1},
    {"kl_div, log target",
     [](T x, T t, Reduction r) { return kl_div(x, t, {.log_target = true, .reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::kl_div(x, t, r, true); }},
    {"poisson_nll_loss", [](T x, T t, Reduction r) { return poisson_nll_loss(x, t, {.reduction = r}); },
     [](U x, U t, std::int64_t r) { return at::poisson_nll_loss(x, t, true, false, 1e-8, r); }, -2, 2, 0, 3},
};

Reduction draw_reduction(Draw& draw) {
  return draw.one_of({Reduction::mean, Reduction::sum, Reduction::none});
}

TEST(Oracle, LossesOfElements) {
  for (const Loss& loss : kLosses) {
    compare("losses", loss.name, 40, [&](Draw& draw) {
      const Shape shape = draw.shape(1, 3);
      const Reduction reduction = draw_reduction(draw);
      return Example{
          .inputs = {draw.tensor(shape, loss.low, loss.high),
                     draw.tensor(shape, loss.target_low, loss.target_high)},
          .ours = [=](auto in) { return loss.ours(in[0], in[1].detach(), reduction); },
          .theirs = [=](auto in) { return loss.theirs(in[0], in[1].detach(), code_of(reduction)); },
          .units = 128,
          .second = loss.second};
    });
  }
}

/// 1 and -1.
Tensor signs(Draw& draw, const Shape& shape) { return draw.indices(shape, 0, 1).to(float64) * 2 - 1; }

TEST(Oracle, LossesOfPairs) {
  compare("losses", "soft_margin_loss", 40, [](Draw& draw) {
    const Shape shape = draw.shape(1, 3);
    const Tensor t = signs(draw, shape);
    return Example{.inputs = {draw.tensor(shape)},
                   .ours = [=](auto in) { return soft_margin_loss(in[0], t.to(in[0].dtype())); },
                   .theirs = [=](auto in) { return at::soft_margin_loss(in[0], to_torch(t)); },
                   .units = 128};
  });
  compare("losses", "hinge_embedding_loss", 40, [](Draw& draw) {
    const Shape shape = draw.shape(1, 3);
    const Tensor t = signs(draw, shape);
    return Example{.inputs = {draw.tensor(shape)},
                   .ours = [=](auto in) { return hinge_embedding_loss(in[0], t.to(in[0].dtype())); },
                   .theirs = [=](auto in) { return at::hinge_embedding_loss(in[0], to_torch(t)); },
                   .units = 128};
  });
  compare("losses", "margin_ranking_loss", 40, [](Draw& draw) {
    const Shape shape = draw.shape(1, 2);
    const Tensor t = signs(draw, shape);
    return Example{
        .inputs = {draw.tensor(shape), draw.tensor(shape)},
        .ours =
            [=](auto in) { return margin_ranking_loss(in[0], in[1], t.to(in[0].dtype()), {.margin = 0.3}); },
        .theirs = [=](auto in) { return at::margin_ranking_loss(in[0], in[1], to_torch(t), 0.3); },
        .units = 128};
  });
  compare("losses", "cosine_similarity", 40, [](Draw& draw) {
    const Shape shape = draw.shape(2, 3);
    return Example{.inputs = {draw.tensor(shape), draw.tensor(shape)},
                   .ours = [](auto in) { return cosine_similarity(in[0], in[1]); },
                   .theirs = [](auto in) { return at::cosine_similarity(in[0], in[1], 1); },
                   .units = 256};
  });
  compare("losses", "triplet_margin_loss", 40, [](Draw& draw) {
    const Shape shape{draw.number(1, 5), draw.number(2, 5)};
    return Example{.inputs = {draw.tensor(shape), draw.tensor(shape), draw.tensor(shape)},
                   .ours = [](auto in) { return triplet_margin_loss(in[0], in[1], in[2]); },
                   .theirs = [](auto in) { return at::triplet_margin_loss(in[0], in[1], in[2]); },
                   .units = 256};
  });
}

TEST(Oracle, LossesOfClasses) {
  compare("losses", "cross_entropy", 120, [](Draw& draw) {
    const std::int64_t n = draw.number(1, 5), classes = draw.number(2, 5), more = draw.number(1, 3);
    const bool has_more = draw.flag(), has_weight = draw.flag();
    const Shape x = has_more ? Shape{n, classes, more} : Shape{n, classes};
    const Shape target = has_more ? Shape{n, more} : Shape{n};
    const double smoothing = draw.flag() ? 0.2 : 0;
    const Reduction reduction = draw_reduction(draw);
    const Tensor weight = draw.tensor({classes}, 0.5, 2);
    return Example{.inputs = {draw.tensor(x), draw.indices(target, 0, classes - 1)},
                   .ours =
                       [=](auto in) {
                         return cross_entropy(in[0], in[1],
                                              {.weight = has_weight ? weight.to(in[0].dtype()) : Tensor{},
                                               .ignore_index = 1,
                                               .label_smoothing = smoothing,
                                               .reduction = reduction});
                       },
                   .theirs =
                       [=](auto in) {
                         const auto w =
                             has_weight ? c10::optional<torch::Tensor>(to_torch(weight)) : c10::nullopt;
                         return at::cross_entropy_loss(in[0], in[1], w, code_of(reduction), 1, smoothing);
                       },
                   .units = 256};
  });
  compare("losses", "nll_loss", 60, [](Draw& draw) {
    const std::int64_t n = draw.number(1, 5), classes = draw.number(2, 5);
    const Reduction reduction = draw_reduction(draw);
    return Example{.inputs = {draw.tensor({n, classes}), draw.indices({n}, 0, classes - 1)},
                   .ours = [=](auto in) { return nll_loss(in[0], in[1], {.reduction = reduction}); },
                   .theirs = [=](auto in) { return at::nll_loss(in[0], in[1], {}, code_of(reduction)); },
                   .units = 64};
  });
  compare("losses", "multi_margin_loss", 60, [](Draw& draw) {
    const std::int64_t n = draw.number(1, 5), classes = draw.number(2, 5);
    return Example{.inputs = {draw.tensor({n, classes}), draw.indices({n}, 0, classes - 1)},
                   .ours = [=](auto in) { return multi_margin_loss(in[0], in[1]); },
                   .theirs = [=](auto in) { return at::multi_margin_loss(in[0], in[1]); },
                   .units = 64,
                   .second = false};
  });
  compare("losses", "ctc_loss", 60, [](Draw& draw) {
    const std::int64_t t = draw.number(5, 8), n = draw.number(1, 3), classes = draw.number(2, 4),
                       s = draw.number(1, 2);
    const Tensor lengths = draw.indices({n}, t - 1, t), label_lengths = draw.indices({n}, 0, s);
    return Example{.inputs = {draw.tensor({t, n, classes}), draw.indices({n, s}, 1, classes - 1)},
                   .ours =
                       [=](auto in) {
                         return ctc_loss(log_softmax(in[0], 2), in[1], lengths, label_lengths,
                                         {.reduction = Reduction::sum});
                       },
                   .theirs =
                       [=](auto in) {
                         return at::ctc_loss(at::log_softmax(in[0], 2), in[1], to_torch(lengths),
                                             to_torch(label_lengths), 0, at::Reduction::Sum);
                       },
                   .units = 512,
                   .second = false};
  });
}

TEST(Oracle, Normalization) {
  compare("normalization", "batch_norm", 100, [](Draw& draw) {
    const std::int64_t channels = draw.number(1, 4);
    const Shape shape = draw.flag()
                            ? Shape{draw.number(2, 5), channels}
                            : Shape{draw.number(2, 5), channels, draw.number(1, 4), draw.number(1, 4)};
    const bool training = draw.flag();
    const Tensor mean = draw.tensor({channels}), var = draw.tensor({channels}, 0.5, 2);
    return Example{.inputs = {draw.tensor(shape), draw.tensor({channels}), draw.tensor({channels})},
                   .ours =
                       [=](auto in) {
                         const DType dtype = in[0].dtype();
                         const Tensor m = mean.to(dtype), v = var.to(dtype);
                         return batch_norm(in[0], in[1], in[2],
                                           {.running_mean = training ? Tensor{} : m,
                                            .running_var = training ? Tensor{} : v,
                                            .training = training});
                       },
                   .theirs =
                       [=](auto in) {
                         return at::batch_norm(in[0], in[1], in[2], to_torch(mean), to_torch(var), training,
                                               0.1, 1e-5, false);
                       },
                   .units = 1024};
  });
  compare("normalization", "layer_norm", 80, [](Draw& draw) {
    const std::int64_t n = draw.number(2, 5);
    const Shape shape{draw.number(1, 3), draw.number(1, 3), n};
    return Example{.inputs = {draw.tensor(shape), draw.tensor({n}), draw.tensor({n})},
                   .ours = [=](auto in) { return layer_norm(in[0], {n}, in[1], in[2]); },
                   .theirs = [=](auto in) { return at::layer_norm(in[0], {n}, in[1], in[2]); },
                   .units = 2048};
  });
  compare("normalization", "group_norm", 80, [](Draw& draw) {
    const std::int64_t groups = draw.number(1, 3), channels = groups * draw.number(1, 2);
    return Example{
        .inputs = {draw.tensor({draw.number(1, 3), channels, draw.number(2, 4), draw.number(2, 4)}),
                   draw.tensor({channels}), draw.tensor({channels})},
        .ours = [=](auto in) { return group_norm(in[0], groups, in[1], in[2]); },
        .theirs = [=](auto in) { return at::group_norm(in[0], groups, in[1], in[2]); },
        .units = 2048};
  });
  compare("normalization", "instance_norm", 60, [](Draw& draw) {
    const std::int64_t channels = draw.number(1, 3);
    return Example{
        .inputs = {draw.tensor({draw.number(1, 3), channels, draw.number(2, 4), draw.number(2, 4)}),
                   draw.tensor({channels}), draw.tensor({channels})},
        .ours = [=](auto in) { return instance_norm(in[0], in[1], in[2]); },
        .theirs =
            [=](auto in) { return at::instance_norm(in[0], in[1], in[2], {}, {}, true, 0.1, 1e-5, false); },
        .units = 2048};
  });
}

}  // namespace
}  // namespace adjoint::oracle
