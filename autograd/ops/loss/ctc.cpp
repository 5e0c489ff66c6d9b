// Connectionist temporal classification, by the forward recurrence of Graves et al. (2006) in logarithms.

#include <limits>

#include "adjoint/ops/compare.h"
#include "adjoint/ops/indexing.h"
#include "adjoint/ops/join.h"
#include "adjoint/ops/pad.h"
#include "adjoint/ops/shape.h"
#include "adjoint/ops/slice.h"
#include "adjoint/ops/statistics.h"
#include "adjoint/tensor/create.h"
#include "autograd/ops/loss/reduction.h"

namespace adjoint {
namespace {

constexpr const char* kOp = "ctc_loss";
constexpr double kImpossible = -std::numeric_limits<double>::infinity();

/// Throws unless lengths is int64 [N] with numbers from 0 to most.
void check_lengths(const char* name, const Tensor& lengths, std::int64_t batch, std::int64_t most) {
  check<DTypeError>(lengths.dtype() == DType::int64, "{}: {} must be int64, it is {}", kOp, name,
                    lengths.dtype());
  check_shape(lengths.shape() == Shape{batch}, "{}: {} must be [{}], it is {}", kOp, name, batch,
              lengths.shape());
  const auto* values = lengths.values().row_major<std::int64_t>();
  for (std::int64_t n = 0; n < batch; ++n)
    check(values[n] >= 0 && values[n] <= most, "{}: {}[{}] must be in [0, {}], it is {}", kOp, name, n, most,
          values[n]);
}

void check_arguments(const Tensor& x, const Tensor& target, const Tensor& input_lengths,
                     const Tensor& target_lengths, std::int64_t blank) {
  ops::check_floating(kOp, "x", x);
  ops::check_rank(kOp, "x", x, 3);
  const std::int64_t batch = x.size(1), classes = x.size(2);
  check(blank >= 0 && blank < classes, "{}: blank must be a class of x {}, it is {}", kOp, x.shape(), blank);
  check<DTypeError>(target.dtype() == DType::int64, "{}: target must be int64 classes, it is {}", kOp,
                    target.dtype());
  check_shape(target.rank() == 2 && target.size(0) == batch, "{}: target must be [{},S], it is {}", kOp,
              batch, target.shape());
  check_lengths("input_lengths", input_lengths, batch, x.size(0));
  check_lengths("target_lengths", target_lengths, batch, target.size(1));
  const auto *labels = target.values().row_major<std::int64_t>(),
             *lengths = target_lengths.values().row_major<std::int64_t>();
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t i = 0; i < lengths[n]; ++i) {
      const std::int64_t label = labels[n * target.size(1) + i];
      check(label >= 0 && label < classes && label != blank,
            "{}: target[{},{}] is class {}; it must be in [0, {}) and not the blank {}", kOp, n, i, label,
            classes, blank);
    }
  }
}

/// The states of each image of a batch: blank, label, blank, label, ..., blank.
struct States {
  Tensor classes;   ///< [N,L]; blank beyond the labels.
  Tensor can_skip;  ///< [N,L]: whether a path may come from two states before, past the blank.
  Tensor ends;      ///< [N,2]: the last two states.
  Tensor has_end;   ///< [N,2]: without labels, there is only one.
};

States states_of(const Tensor& target, const Tensor& target_lengths, std::int64_t blank) {
  const std::int64_t batch = target.size(0), width = target.size(1), count = 2 * width + 1;
  Values classes(DType::int64, {batch, count}), can_skip(DType::boolean, {batch, count});
  Values ends(DType::int64, {batch, 2}), has_end(DType::boolean, {batch, 2});
  const auto *labels = target.values().row_major<std::int64_t>(),
             *lengths = target_lengths.values().row_major<std::int64_t>();
  auto *state = classes.writable<std::int64_t>(), *end = ends.writable<std::int64_t>();
  bool *skip = can_skip.writable<bool>(), *exists = has_end.writable<bool>();
  for (std::int64_t n = 0; n < batch; ++n, state += count, skip += count, end += 2, exists += 2) {
    for (std::int64_t s = 0; s < count; ++s) {
      const bool is_label = s % 2 == 1 && s / 2 < lengths[n];
      state[s] = is_label ? labels[n * width + s / 2] : blank;
      skip[s] = is_label && s >= 2 && state[s] != state[s - 2];
    }
    end[0] = 2 * lengths[n];
    end[1] = std::max<std::int64_t>(end[0] - 1, 0);
    exists[0] = true;
    exists[1] = lengths[n] > 0;
  }
  return {Tensor(std::move(classes)), Tensor(std::move(can_skip)), Tensor(std::move(ends)),
          Tensor(std::move(has_end))};
}

/// paths [N,L] moved on by some states.
Tensor moved(const Tensor& paths, std::int64_t states) {
  return pad(paths, {states, -states}, {.value = kImpossible});
}

}  // namespace

Tensor ctc_loss(const Tensor& x, const Tensor& target, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcOptions& options) {
  check_arguments(x, target, input_lengths, target_lengths, options.blank);
  const std::int64_t steps = x.size(0), batch = x.size(1);
  const States states = states_of(target, target_lengths, options.blank);
  const Tensor emitted = gather(x, 2, expand(unsqueeze(states.classes, 0), {steps, -1, -1}));
  // The logarithm of the probability of all paths that are in a state. Before the first step they are in the
  // first blank, without having emitted it.
  Tensor paths = full(states.classes.shape(), kImpossible, {.dtype = x.dtype()});
  paths = where(expand(unsqueeze(arange(states.classes.size(1)) == 0, 0), {batch, -1}), 0, paths);
  for (std::int64_t t = 0; t < steps; ++t) {
    const Tensor skipped = where(states.can_skip, moved(paths, 2), kImpossible);
    const Tensor next = logsumexp(stack({paths, moved(paths, 1), skipped}, 0), 0) + select(emitted, 0, t);
    paths = where(unsqueeze(input_lengths > static_cast<double>(t), 1), next, paths);
  }
  const Tensor ends = where(states.has_end, gather(paths, 1, states.ends), kImpossible);
  Tensor losses = -logsumexp(ends, 1);
  if (options.zero_infinity) losses = where(isinf(losses), 0, losses);
  if (options.reduction == Reduction::mean)
    losses = losses / where(target_lengths < 1, 1, target_lengths).to(x.dtype());
  return ops::reduce_losses(kOp, options.reduction, losses, "x", x.shape());
}

}  // namespace adjoint
