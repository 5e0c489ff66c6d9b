// Trains the CNN of the lecture note on MNIST, or holds its gradients against the note's formulas: see
// --help.

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>

#include "examples/documented_cnn/model.h"
#include "examples/documented_cnn/progress.h"
#include "examples/documented_cnn/settings.h"
#include "examples/documented_cnn/training.h"
#include "examples/documented_cnn/verify.h"

namespace documented_cnn {
namespace {

using namespace adjoint;

/// Something that went wrong while the program ran.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Prints the table of both routes' differences; true when all are within bounds.
bool print_verification(const Settings& settings) {
  constexpr std::int64_t kBatch = 4;
  fmt::print("Autodiff against the note's formulas: {}, a random network and batch of {}, seed {}\n\n",
             settings.activation, kBatch, settings.seed);
  fmt::print("                          float64                      float32\n");
  fmt::print("{:<14}{:>8}{:>14}{:>12}{:>17}{:>12}\n", "", "elements", "absolute", "relative", "absolute",
             "relative");
  const VerifyOptions in64 = {settings.activation, float64, kBatch, settings.seed};
  const VerifyOptions in32 = {settings.activation, float32, kBatch, settings.seed};
  const auto exact = verify_gradients(in64), rounded = verify_gradients(in32);
  bool all_within = true;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const bool within = exact[i].largest_relative <= verification_bound(float64) &&
                        rounded[i].largest_relative <= verification_bound(float32);
    all_within = all_within && within;
    fmt::print("{:<14}{:>8}{:>14.2e}{:>12.2e}{:>17.2e}{:>12.2e}{}\n", exact[i].name, exact[i].elements,
               exact[i].largest_absolute, exact[i].largest_relative, rounded[i].largest_absolute,
               rounded[i].largest_relative, within ? "" : "   out of bounds");
  }
  fmt::print(
      "\nAbsolute: largest difference. Relative: its share of the tensor's largest magnitude; allowed are {} "
      "and {}.\n",
      verification_bound(float64), verification_bound(float32));
  fmt::print("{}\n", all_within ? "All within bounds." : "NOT all within bounds.");
  return all_within;
}

/// A file to write results to, opened before the work begins.
std::ofstream open_for_writing(const std::string& path) {
  std::ofstream file(path);
  if (!file) throw Failure(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  return file;
}

/// Fails now rather than after the training.
void check_can_save(const DocumentedCnn& net, const std::string& path) {
  const std::string probe = path + ".probe";
  save_checkpoint(probe, net.state_dict());
  std::remove(probe.c_str());
}

void train(const Settings& settings) {
  const Mnist data = settings.data.empty() ? embedded_mnist() : load_mnist(settings.data);
  fmt::print("Data: {}\n", data.source);
  if (data.train.height != 28 || data.train.width != 28) {
    throw Failure(fmt::format("the network takes 28x28 images, the data has {}x{}", data.train.height,
                              data.train.width));
  }
  if (settings.threads) set_num_threads(*settings.threads);

  Rng rng(settings.seed);
  DocumentedCnn net({.activation = activation_named(settings.activation),
                     .pooling = settings.pooling == "avg" ? Pooling::average : Pooling::max},
                    rng);
  if (!settings.load.empty()) net.load_state_dict(load_checkpoint(settings.load));
  if (!settings.save.empty()) check_can_save(net, settings.save);
  std::ofstream metrics;
  if (!settings.metrics.empty()) metrics = open_for_writing(settings.metrics);

  Sgd sgd(net.parameters(), {.learning_rate = settings.learning_rate, .momentum = settings.momentum});
  Batches training(
      data.train,
      {.batch_size = settings.batch_size, .shuffle = true, .seed = settings.seed, .limit = settings.limit});
  Batches testing(data.test, {.batch_size = settings.test_batch_size});
  fmt::print(
      "Network: 6070 parameters, {}, {} pooling. SGD: batch {}, learning rate {}, momentum {}, {} thread{}\n",
      settings.activation, settings.pooling, settings.batch_size, settings.learning_rate, settings.momentum,
      num_threads(), num_threads() == 1 ? "" : "s");

  if (settings.epochs == 0) {
    const TestResult result = test(net, testing);
    fmt::print("test loss {:.4f}, test accuracy {:.2f} %, {:.2f} s\n", result.loss, 100 * result.accuracy,
               result.seconds);
  }
  for (std::int64_t epoch = 1; epoch <= settings.epochs; ++epoch) {
    ProgressBar bar(training.examples());
    const TrainResult trained =
        train_epoch(net, sgd, training, [&](const TrainResult& so_far) { bar.show(so_far); });
    const TestResult tested = test(net, testing);
    bar.clear();
    fmt::print(
        "epoch {:2}/{}: loss {:.4f}, test loss {:.4f}, test accuracy {:.2f} %, {:.2f} s ({:.0f} images/s)\n",
        epoch, settings.epochs, trained.loss, tested.loss, 100 * tested.accuracy, trained.seconds,
        static_cast<double>(trained.examples) / trained.seconds);
    std::fflush(stdout);
    if (metrics.is_open()) {
      metrics << to_json({epoch, trained, tested, settings.batch_size, num_threads()}) << std::endl;
      if (!metrics) throw Failure(fmt::format("cannot write {}: {}", settings.metrics, std::strerror(errno)));
    }
  }
  if (!settings.save.empty()) {
    save_checkpoint(settings.save, net.state_dict());
    fmt::print("Saved the parameters to {}\n", settings.save);
  }
}

}  // namespace
}  // namespace documented_cnn

int main(int argc, char** argv) {
  try {
    const auto settings = documented_cnn::parse_command_line(argc, argv);
    if (!settings) return 0;
    if (settings->verify_gradients) return documented_cnn::print_verification(*settings) ? 0 : 1;
    documented_cnn::train(*settings);
    return 0;
  } catch (const documented_cnn::UsageError& error) {
    fmt::print(stderr, "mnist_cnn: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "mnist_cnn: {}\n", error.what());
    return 1;
  }
}
