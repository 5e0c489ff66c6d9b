#pragma once
// Training and testing the documented CNN, and reporting an epoch.

#include <adjoint/adjoint.h>
#include <cstdint>
#include <functional>
#include <string>

namespace documented_cnn {

struct TrainResult {
  double loss = 0;     ///< Mean over the epoch's images, each as its batch came up.
  double seconds = 0;  ///< Shuffling, gathering, forward, backward and update.
  std::int64_t examples = 0;

  /// 0 when the clock is too coarse to tell.
  double images_per_second() const { return seconds > 0 ? static_cast<double>(examples) / seconds : 0; }
};

struct TestResult {
  double loss = 0;      ///< Mean over the images.
  double accuracy = 0;  ///< Share of the images whose largest logit is their label's, 0..1.
  double seconds = 0;
};

/// An update of the parameters by the gradient of a batch's mean loss, which is returned. The batch goes
/// through the network in parts of up to 32 images, several at once where there are threads.
double train_step(adjoint::Module& net, adjoint::Optimizer& optimizer,
                  const adjoint::Batches::Iterator& batch);

/// Called after each batch with the epoch's results so far.
using Watcher = std::function<void(const TrainResult& so_far)>;

/// One pass over the batches of the next epoch.
TrainResult train_epoch(adjoint::Module& net, adjoint::Optimizer& optimizer, adjoint::Batches& batches,
                        const Watcher& watcher);

/// One pass over all batches, nothing recorded.
TestResult test(adjoint::Module& net, adjoint::Batches& batches);

/// A loss for people: 4 digits after the point, or an exponent where it is very large, or inf or nan.
std::string loss_text(double loss);

/// A line of the metrics file.
struct Metrics {
  std::int64_t epoch;
  TrainResult train;
  TestResult test;
  std::int64_t batch_size;
  int threads;
};

/// The line, a JSON object; "peak_rss_bytes" is the process's peak memory so far.
std::string to_json(const Metrics& metrics);

}  // namespace documented_cnn
