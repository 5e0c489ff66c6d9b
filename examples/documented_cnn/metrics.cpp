#include "examples/documented_cnn/metrics.h"

#include <cmath>
#include <fmt/core.h>
#include <sys/resource.h>

namespace documented_cnn {
namespace {

/// JSON has no NaN and no infinity: null stands for a loss that diverged.
std::string json_number(double x) { return std::isfinite(x) ? fmt::format("{}", x) : "null"; }

}  // namespace

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
