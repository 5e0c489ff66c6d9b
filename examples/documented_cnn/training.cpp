#include "examples/documented_cnn/training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <sys/resource.h>

namespace documented_cnn {

using namespace adjoint;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// JSON has no NaN and no infinity: null stands for a loss that diverged.
std::string json_number(double x) { return std::isfinite(x) ? fmt::format("{}", x) : "null"; }

std::int64_t count_right(const Tensor& logits, const Tensor& label) {
  const auto scores = logits.data<float>();
  const auto classes = static_cast<std::size_t>(logits.size(1));
  std::int64_t right = 0;
  for (std::size_t n = 0; n < label.data<std::int64_t>().size(); ++n) {
    const auto row = scores.subspan(n * classes, classes);
    right += std::ranges::max_element(row) - row.begin() == label.data<std::int64_t>()[n];
  }
  return right;
}

}  // namespace

double train_step(Module& net, Optimizer& optimizer, const Batches::Iterator& batch) {
  const auto images = static_cast<double>(batch.size());
  // Multiples of 16 fill the kernels' vectors, and 32 images' values the cache; small batches make two parts.
  const std::int64_t most = batch.size() < 64 ? 16 : 32;
  optimizer.zero_grad();
  const double loss = backward_in_parts(batch.parts(most), [&](std::int64_t i) {
    const auto [image, label] = batch.part(i, most);
    return softmax_cross_entropy(net(image), label, {.reduction = Reduction::sum}) / images;
  });
  optimizer.step();
  return loss;
}

TrainResult train_epoch(Module& net, Optimizer& optimizer, Batches& batches, const Watcher& watcher) {
  const auto start = Clock::now();
  double total = 0;
  TrainResult result;
  net.train();
  for (auto batch = batches.begin(); batch != batches.end(); ++batch) {
    total += train_step(net, optimizer, batch) * static_cast<double>(batch.size());
    result.examples += batch.size();
    result.loss = total / static_cast<double>(result.examples);
    result.seconds = seconds_since(start);
    watcher(result);
  }
  return result;
}

TestResult test(Module& net, Batches& batches) {
  const auto start = Clock::now();
  const NoGrad no_grad;
  double loss = 0;
  std::int64_t right = 0;
  net.eval();
  for (const auto& [image, label] : batches) {
    const Tensor logits = net(image);
    loss += softmax_cross_entropy(logits, label, {.reduction = Reduction::sum}).item();
    right += count_right(logits, label);
  }
  const auto images = static_cast<double>(batches.examples());
  return {loss / images, static_cast<double>(right) / images, seconds_since(start)};
}

std::string loss_text(double loss) {
  if (std::isnan(loss)) return "nan";  // whatever its sign bit
  return std::abs(loss) < 1e6 ? fmt::format("{:.4f}", loss) : fmt::format("{:.4e}", loss);
}

std::string to_json(const Metrics& m) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return fmt::format(
      R"({{"epoch": {}, "train_seconds": {:.6f}, "eval_seconds": {:.6f}, "train_loss": {}, "test_loss": {}, )"
      R"("test_accuracy": {}, "examples": {}, "batch_size": {}, "threads": {}, "peak_rss_bytes": {}}})",
      m.epoch, m.train.seconds, m.test.seconds, json_number(m.train.loss), json_number(m.test.loss),
      m.test.accuracy, m.train.examples, m.batch_size, m.threads, std::int64_t{usage.ru_maxrss} * 1024);
}

}  // namespace documented_cnn
