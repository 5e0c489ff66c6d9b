// One side of the comparison: NAME BATCH THREADS [REPETITIONS] [MNIST_DIR] prints the median microseconds of
// a step. Without a directory the images are those in the library.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

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
double median_seconds(const Step& step, int repetitions) {
  constexpr double kSeconds = 0.2;
  seconds_of(step, 3);
  std::int64_t steps = 1;
  for (double run = seconds_of(step, steps); run < kSeconds; run = seconds_of(step, steps)) steps *= 2;
  std::vector<double> seconds(static_cast<std::size_t>(repetitions));
  for (double& of_step : seconds) of_step = seconds_of(step, steps) / static_cast<double>(steps);
  std::ranges::sort(seconds);
  return (seconds[(seconds.size() - 1) / 2] + seconds[seconds.size() / 2]) / 2;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc < 4 || argc > 6) {
    std::fprintf(stderr, "usage: %s NAME BATCH THREADS [REPETITIONS] [MNIST_DIR]\n", argv[0]);
    return 2;
  }
  try {
    bench::use_threads(std::atoi(argv[3]));
    const adjoint::Mnist data = argc > 5 ? adjoint::load_mnist(argv[5]) : adjoint::embedded_mnist();
    const bench::Step step = bench::make_step(argv[1], std::atoll(argv[2]), data);
    std::printf("%.3f\n", 1e6 * bench::median_seconds(step, argc > 4 ? std::max(1, std::atoi(argv[4])) : 5));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
