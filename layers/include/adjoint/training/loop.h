#pragma once
// The training loop: one epoch of updates, and a pass that measures loss and accuracy.

#include <cstdint>
#include <functional>

#include "adjoint/data/batches.h"
#include "adjoint/modules/module.h"
#include "adjoint/ops/loss.h"
#include "adjoint/optim/optimizer.h"

namespace adjoint {

/// The loss of a module's output for some images as one floating number: the mean or the sum over the images,
/// as options say. softmax_cross_entropy is such a function. The training loop asks for sums and divides them
/// by the number of images, so a function of your own must pass options on:
///
///     const LossFunction squared = [](const Tensor& output, const Tensor& label, const LossOptions& options)
///     {
///       return mse(reshape(output, label.shape()), label.to(output.dtype()), options);
///     };
///
/// The training loop calls the function in several threads at once. label is int64 [N].
using LossFunction =
    std::function<Tensor(const Tensor& output, const Tensor& label, const LossOptions& options)>;

struct TrainResult {
  double loss = 0;     ///< Mean over the images, each before the update by its batch.
  double seconds = 0;  ///< For shuffling, gathering, forward, backward and updates.
  std::int64_t examples = 0;

  /// 0 when the clock is too coarse to tell.
  double examples_per_second() const { return seconds > 0 ? static_cast<double>(examples) / seconds : 0; }
};

struct EvaluationResult {
  double loss = 0;      ///< Mean over the images.
  double accuracy = 0;  ///< The share of the images that count_correct() counts, from 0 to 1.
  double seconds = 0;
};

/// Updates the parameters by the gradient of the batch's mean loss, and returns this loss. The batch goes
/// through net in parts of up to 32 images, see backward_in_parts(). The result does not depend on the number
/// of threads. Leaves net in the mode, training or evaluation, in which it is. Throws Error when loss is
/// empty or its result undefined, ShapeError when its result is not a single number, DTypeError when it is
/// not floating, and what net, loss and optimizer throw. If net or loss throws, no parameter has changed.
double train_step(Module& net, Optimizer& optimizer, const Batches::Iterator& batch,
                  const LossFunction& loss);

/// Puts net in training mode, and makes one train_step() for each batch of the next epoch. watcher, if there
/// is one, is called after each batch with the result so far. Throws as train_step().
///
///     Sgd sgd(net.parameters(), {.learning_rate = 0.1});
///     Batches batches(mnist.train, {.batch_size = 32, .shuffle = true});
///     const double mean_loss = train_epoch(net, sgd, batches, softmax_cross_entropy).loss;
TrainResult train_epoch(Module& net, Optimizer& optimizer, Batches& batches, const LossFunction& loss,
                        const std::function<void(const TrainResult& so_far)>& watcher = {});

/// Puts net in evaluation mode, and takes the batches of the next epoch through it without recording. net
/// must return a row of logits for each image. If batches are shuffled, the epoch counts: measure a training
/// set with Batches of its own. Throws as train_step(), and what count_correct() throws.
EvaluationResult evaluate(Module& net, Batches& batches, const LossFunction& loss);

/// How many rows of logits [N,K] have their largest number at the label's place, label int64 [N]. Of equal
/// numbers the first counts as the largest; a row with a NaN is never correct. Throws ShapeError and
/// DTypeError when the arguments are of other shapes and types, Error when a label is not in [0, K).
std::int64_t count_correct(const Tensor& logits, const Tensor& label);

}  // namespace adjoint
