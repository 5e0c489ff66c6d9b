// Trains the documented CNN on MNIST, or compares its gradients with the formulas derived by hand: see
// --help, and README.md in this folder.

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <memory>
#include <unistd.h>

#include "examples/documented_cnn/metrics.h"
#include "examples/documented_cnn/model.h"
#include "examples/documented_cnn/progress.h"
#include "examples/documented_cnn/settings.h"
#include "examples/documented_cnn/verify.h"
#include "examples/support/program.h"

namespace documented_cnn {
namespace {

using namespace adjoint;

/// An error while the program ran.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Prints a table of the differences between both ways. Throws Failure unless all are within bounds.
void print_verification(const Settings& settings) {
  constexpr std::int64_t kBatch = 4;
  fmt::print(
      "Autodiff against the formulas derived by hand: {}, a random network and batch of {}, seed {}\n\n",
      settings.activation, kBatch, settings.seed);
  fmt::print("                          float64                      float32\n");
  fmt::print("{:<14}{:>8}{:>14}{:>12}{:>17}{:>12}\n", "", "elements", "absolute", "relative", "absolute",
             "relative");
  const VerifyOptions in64 = {settings.activation, float64, kBatch, settings.seed};
  const VerifyOptions in32 = {settings.activation, float32, kBatch, settings.seed};
  const auto exact = verify_gradients(in64), rounded = verify_gradients(in32);
  int outside = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const bool within = exact[i].largest_relative <= verification_bound(float64) &&
                        rounded[i].largest_relative <= verification_bound(float32);
    outside += within ? 0 : 1;
    fmt::print("{:<14}{:>8}{:>14.2e}{:>12.2e}{:>17.2e}{:>12.2e}{}\n", exact[i].name, exact[i].elements,
               exact[i].largest_absolute, exact[i].largest_relative, rounded[i].largest_absolute,
               rounded[i].largest_relative, within ? "" : "   out of bounds");
  }
  fmt::print(
      "\nAbsolute: largest difference. Relative: divided by the tensor's largest value; bounds {}, {}.\n",
      verification_bound(float64), verification_bound(float32));
  if (outside > 0)
    throw Failure(fmt::format("{} of {} differences are out of bounds", outside, exact.size()));
  fmt::print("All within bounds.\n");
}

/// The file with a line for each epoch. It is opened before the training starts, but keeps the contents of an
/// earlier run until the first line is written: a run that fails at once loses nothing.
class MetricsFile {
 public:
  /// Without a path, nothing is written. Throws Failure when the file cannot be written.
  explicit MetricsFile(const std::string& path) : path_(path) {
    if (path.empty()) return;
    // O_NONBLOCK: a pipe that nobody reads is an error instead of an endless wait.
    const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    require(descriptor >= 0);
    file_.reset(fdopen(descriptor, "a"));
    require(file_ != nullptr && fcntl(descriptor, F_SETFL, O_APPEND) == 0);
    require(::write(descriptor, "", 0) == 0);  // some devices, such as /dev/full, refuse even this
  }

  void write(const std::string& line) {
    if (!file_) return;
    if (!started_) (void)!ftruncate(fileno(file_.get()), 0);  // fails on pipes and devices: no matter
    started_ = true;
    require(std::fputs((line + '\n').c_str(), file_.get()) >= 0 && std::fflush(file_.get()) == 0);
  }

 private:
  void require(bool success) const {
    if (!success)
      throw Failure(fmt::format("{}: cannot be written: {}", path_,
                                errno == ENXIO ? "nothing reads it" : std::strerror(errno)));
  }
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  bool started_ = false;
};

Mnist load_data(const std::string& directory) {
  Mnist data = directory.empty() ? embedded_mnist() : load_mnist(directory);
  fmt::print("Data: {}\n", data.source);
  if (data.train.height != 28 || data.train.width != 28) {
    throw Failure(fmt::format("--data {}: the network takes images of 28x28, these have {}x{}", directory,
                              data.train.height, data.train.width));
  }
  return data;
}

void load_parameters(DocumentedCnn& net, const std::string& path) {
  const StateDict state = load_checkpoint(path);
  try {
    net.load_state_dict(state);
  } catch (const Error& error) {
    throw Failure(fmt::format("{}: does not fit this network: {}", path, error.what()));
  }
}

/// Throws Failure when a loss is infinite or NaN: such parameters are not worth saving.
void check_finite(const char* what, double loss, const Settings& settings) {
  if (std::isfinite(loss)) return;
  throw Failure(fmt::format(
      "the {} is {}: {}{}", what, loss_text(loss),
      settings.epochs == 0 ? "the parameters are too large or NaN"
                           : fmt::format("training diverged; try a --lr below {}", settings.learning_rate),
      settings.save.empty() ? "" : "; nothing is saved"));
}

void run_epoch(std::int64_t epoch, const Settings& settings, DocumentedCnn& net, Optimizer& optimizer,
               Batches& training, Batches& testing, MetricsFile& metrics) {
  ProgressBar bar(training.examples());
  const TrainResult trained = train_epoch(net, optimizer, training, softmax_cross_entropy,
                                          [&](const TrainResult& so_far) { bar.show(so_far); });
  const EvaluationResult tested = evaluate(net, testing, softmax_cross_entropy);
  bar.clear();
  fmt::print("epoch {:2}/{}: loss {}, test loss {}, test accuracy {:.2f} %, {:.2f} s ({:.0f} images/s)\n",
             epoch, settings.epochs, loss_text(trained.loss), loss_text(tested.loss), 100 * tested.accuracy,
             trained.seconds, trained.examples_per_second());
  examples::flush_output();
  metrics.write(to_json({epoch, trained, tested, settings.batch_size, num_threads()}));
  check_finite("loss", trained.loss, settings);
  check_finite("test loss", tested.loss, settings);
}

void save_parameters(const DocumentedCnn& net, const std::string& path) {
  try {
    save_checkpoint(path, net.state_dict());
  } catch (const FileError& error) {
    throw Failure(fmt::format("{}; the trained parameters are lost", error.what()));
  }
  fmt::print("Saved the parameters to {}\n", path);
}

void train(Settings settings) {
  const Mnist data = load_data(settings.data);
  Rng rng(settings.seed);
  DocumentedCnn net({.activation = activation_named(settings.activation),
                     .pooling = settings.pooling == "avg" ? Pooling::average : Pooling::max},
                    rng);
  if (!settings.load.empty()) load_parameters(net, settings.load);
  if (!settings.save.empty()) check_can_save(settings.save);
  MetricsFile metrics(settings.metrics);

  Sgd sgd(net.parameters(), {.learning_rate = settings.learning_rate, .momentum = settings.momentum});
  settings.batch_size = std::min(settings.batch_size, settings.limit.value_or(data.train.count));
  settings.batch_size = std::min(settings.batch_size, data.train.count);
  Batches training(
      data.train,
      {.batch_size = settings.batch_size, .shuffle = true, .seed = settings.seed, .limit = settings.limit});
  Batches testing(data.test, {.batch_size = settings.test_batch_size});
  fmt::print(
      "Network: 6070 parameters, {}, {} pooling. SGD: batch {}, learning rate {}, momentum {}, {} thread{}\n",
      settings.activation, settings.pooling, settings.batch_size, settings.learning_rate, settings.momentum,
      num_threads(), num_threads() == 1 ? "" : "s");
  examples::flush_output();

  if (settings.epochs == 0) {
    const EvaluationResult result = evaluate(net, testing, softmax_cross_entropy);
    fmt::print("test loss {}, test accuracy {:.2f} %, {:.2f} s\n", loss_text(result.loss),
               100 * result.accuracy, result.seconds);
    check_finite("test loss", result.loss, settings);
  }
  for (std::int64_t epoch = 1; epoch <= settings.epochs; ++epoch)
    run_epoch(epoch, settings, net, sgd, training, testing, metrics);
  if (!settings.save.empty()) save_parameters(net, settings.save);
}

}  // namespace
}  // namespace documented_cnn

int main(int argc, char** argv) {
  return examples::run("mnist_cnn", [&] {
    const auto settings = documented_cnn::parse_command_line(argc, argv);
    if (!settings) return;
    if (settings->threads) adjoint::set_num_threads(*settings->threads);
    settings->verify_gradients ? documented_cnn::print_verification(*settings)
                               : documented_cnn::train(*settings);
  });
}
