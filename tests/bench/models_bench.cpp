// The models of models.h under Google Benchmark, on the images in the library; items are images.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "tests/bench/models.h"

namespace {

struct Row {
  const char* model;
  std::int64_t batch;
};

constexpr Row kRows[] = {
    {"documented", 1}, {"documented", 32}, {"documented", 128}, {"documented", 1000}, {"evaluation", 1000},
    {"five", 1},       {"chain", 1},       {"chain", 1000},     {"lenet5", 1},        {"lenet5", 64},
    {"mlp", 1},        {"mlp", 128},       {"vgg", 1},          {"vgg", 64},          {"handover", 1},
};

void run(benchmark::State& state, const Row& row, int threads, const adjoint::Mnist& data) {
  bench::use_threads(threads);
  const bench::Step step = bench::make_step(row.model, row.batch, data);
  step();
  for (auto _ : state) step();
  state.SetItemsProcessed(state.iterations() * row.batch);
}

}  // namespace

int main(int argc, char** argv) {
  const adjoint::Mnist data = adjoint::embedded_mnist();
  for (const Row& row : kRows) {
    for (const int threads : {1, 2}) {
      const std::string name = fmt::format("{}/batch:{}/threads:{}", row.model, row.batch, threads);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [&, threads](benchmark::State& state) { run(state, row, threads, data); })
          ->Unit(benchmark::kMicrosecond)
          ->UseRealTime();
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
