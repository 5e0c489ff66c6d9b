#include "adjoint/training/loop.h"

#include <chrono>

#include "adjoint/graph/backward_in_parts.h"
#include "adjoint/graph/grad_mode.h"
#include "adjoint/ops/arithmetic.h"

namespace adjoint {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_loss(const char* caller, const LossFunction& loss) {
  check(loss != nullptr, "{}: loss must be a function, but is empty", caller);
}

/// The sum of the images' losses.
Tensor sum_of_losses(const char* caller, const LossFunction& loss, const Tensor& output,
                     const Tensor& label) {
  Tensor sum = loss(output, label, {.reduction = Reduction::sum});
  check(sum.defined(), "{}: loss returned an undefined tensor", caller);
  check_shape(sum.numel() == 1,
              "{}: loss must return a single number, but its result is {}; output is {}, label {}", caller,
              sum.shape(), output.shape(), label.shape());
  check<DTypeError>(is_floating(sum.dtype()), "{}: loss must return a floating number, but its result is {}",
                    caller, sum.dtype());
  return sum;
}

/// Whether all numbers before the label's are smaller and none after it is larger. Comparisons with a NaN are
/// false, so a row with a NaN gives false.
template <class T>
bool is_largest(std::span<const T> row, std::size_t label) {
  bool is_largest = true;
  for (std::size_t k = 0; k < row.size(); ++k)
    is_largest &= k < label ? row[k] < row[label] : row[k] <= row[label];
  return is_largest;
}

}  // namespace

double train_step(Module& net, Optimizer& optimizer, const Batches::Iterator& batch,
                  const LossFunction& loss) {
  check_loss("train_step", loss);
  const auto images = static_cast<double>(batch.size());
  // Multiples of 16 images fill the kernels' vectors, and the values of 32 images fill the cache. Parts are
  // smaller for small batches, so that a batch of 32 has two.
  const std::int64_t most = batch.size() < 64 ? 16 : 32;
  optimizer.zero_grad();
  const double mean = backward_in_parts(batch.parts(most), [&](std::int64_t i) {
    const auto [image, label] = batch.part(i, most);
    return sum_of_losses("train_step", loss, net(image), label) / images;
  });
  optimizer.step();
  return mean;
}

TrainResult train_epoch(Module& net, Optimizer& optimizer, Batches& batches, const LossFunction& loss,
                        const std::function<void(const TrainResult& so_far)>& watcher) {
  check_loss("train_epoch", loss);
  const auto start = Clock::now();
  double total = 0;
  TrainResult result;
  net.train();
  for (auto batch = batches.begin(); batch != batches.end(); ++batch) {
    total += train_step(net, optimizer, batch, loss) * static_cast<double>(batch.size());
    result.examples += batch.size();
    result.loss = total / static_cast<double>(result.examples);
    result.seconds = seconds_since(start);
    if (watcher) watcher(result);
  }
  return result;
}

EvaluationResult evaluate(Module& net, Batches& batches, const LossFunction& loss) {
  check_loss("evaluate", loss);
  const auto start = Clock::now();
  const NoGrad no_grad;
  double total = 0;
  std::int64_t correct = 0;
  net.eval();
  for (const auto& [image, label] : batches) {
    const Tensor logits = net(image);
    total += sum_of_losses("evaluate", loss, logits, label).item();
    correct += count_correct(logits, label);
  }
  const auto images = static_cast<double>(batches.examples());
  return {total / images, static_cast<double>(correct) / images, seconds_since(start)};
}

std::int64_t count_correct(const Tensor& logits, const Tensor& label) {
  check_shape(logits.rank() == 2 && label.rank() == 1 && label.size(0) == logits.size(0),
              "count_correct: logits must be [N,K] and label [N], but logits is {}, label {}", logits.shape(),
              label.shape());
  check<DTypeError>(is_floating(logits.dtype()), "count_correct: logits must be floating, but is {}",
                    logits.dtype());
  check<DTypeError>(label.dtype() == int64, "count_correct: label must be int64, but is {}", label.dtype());
  const std::int64_t classes = logits.size(1);
  const std::span<const std::int64_t> labels = label.data<std::int64_t>();
  return visit_floating(logits.dtype(), [&]<class T>() {
    const std::span<const T> all = logits.data<T>();
    std::int64_t correct = 0;
    for (std::size_t n = 0; n < labels.size(); ++n) {
      check(labels[n] >= 0 && labels[n] < classes, "count_correct: label {} is {}, but must be in [0, {})", n,
            labels[n], classes);
      const auto row = static_cast<std::size_t>(classes);
      correct += is_largest(all.subspan(n * row, row), static_cast<std::size_t>(labels[n]));
    }
    return correct;
  });
}

}  // namespace adjoint
