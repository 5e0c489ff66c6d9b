// One side of the comparison: prints the median microseconds of a step. --help shows the arguments.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fmt/core.h>
#include <string>
#include <vector>

#include "examples/support/program.h"
#include "tests/bench/models.h"

namespace bench {

namespace {

double seconds_of(const Step& step, std::int64_t steps) {
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < steps; ++i) step();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Seconds of a step, the median of repetitions of at least 0.2 s each, or of a single step if it takes
/// longer.
double median_seconds(const Step& step, std::int64_t repetitions) {
  constexpr double kSeconds = 0.2;
  seconds_of(step, 3);
  std::int64_t steps = 1;
  for (double run = seconds_of(step, steps); run < kSeconds; run = seconds_of(step, steps)) steps *= 2;
  std::vector<double> seconds(static_cast<std::size_t>(repetitions));
  for (double& of_step : seconds) of_step = seconds_of(step, steps) / static_cast<double>(steps);
  std::ranges::sort(seconds);
  return (seconds[(seconds.size() - 1) / 2] + seconds[seconds.size() / 2]) / 2;
}

std::int64_t parse_argument(const char* name, const std::string& text, std::int64_t most) {
  try {
    return examples::parse_number(text, std::int64_t{1}, most,
                                  fmt::format("a whole number from 1 to {}", most));
  } catch (const examples::UsageError& error) {
    throw examples::UsageError(fmt::format("{} {}", name, error.what()));
  }
}

void measure(const std::vector<std::string>& arguments) {
  constexpr const char* kArguments = "NAME BATCH THREADS [REPETITIONS] [MNIST_DIR]";
  if (arguments == std::vector<std::string>{"--help"}) {
    fmt::print(
        "Arguments: {}\nNAME is a model of tests/bench/models.h. Without MNIST_DIR, the images in the "
        "library "
        "are used.\n",
        kArguments);
    return;
  }
  if (arguments.size() < 3 || arguments.size() > 5)
    throw examples::UsageError(fmt::format("the arguments must be {}", kArguments));
  const std::int64_t batch = parse_argument("BATCH", arguments[1], 1'000'000);
  use_threads(static_cast<int>(parse_argument("THREADS", arguments[2], 256)));
  const std::int64_t repetitions =
      arguments.size() > 3 ? parse_argument("REPETITIONS", arguments[3], 1'000'000) : 5;
  const adjoint::Mnist data =
      arguments.size() > 4 ? adjoint::load_mnist(arguments[4]) : adjoint::embedded_mnist();
  const Step step = make_step(arguments[0], batch, data);
  fmt::print("{:.3f}\n", 1e6 * median_seconds(step, repetitions));
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return examples::run(argv[0], [&] { bench::measure({argv + 1, argv + argc}); });
}
