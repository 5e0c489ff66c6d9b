// Single ops under Google Benchmark: FLOP/s or bytes/s, with the machine's own as peak/... beside them.
//
//     ops_bench --benchmark_filter='conv2d/.*/lenet1/float32/batch:64/'

#include <adjoint/adjoint.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/peak.h"

namespace {

using namespace adjoint;
using benchmark::Counter;
using benchmark::State;

constexpr std::int64_t kBatches[] = {1, 7, 16, 32, 128, 1024};
constexpr std::int64_t kMostElements = std::int64_t{1} << 25;  // Larger tensors are left out.

/// What one call of an op costs, to be shown as rates. Bytes: each argument read and the result written,
/// once.
struct Cost {
  double operations = 0, elements = 0;
};

/// A case before its tensors are made: they are, for each run anew.
struct Job {
  std::function<Tensor()> op;
  Cost cost;
};
using MakeJob = std::function<Job(std::int64_t batch, DType dtype)>;

void run(State& state, int threads, const Job& job, DType dtype) {
  set_num_threads(threads);
  const NoGrad no_grad;
  job.op();
  for (auto _ : state) benchmark::DoNotOptimize(job.op());
  const auto rate = [](double count) { return Counter(count, Counter::kIsIterationInvariantRate); };
  if (job.cost.operations > 0) state.counters["FLOP/s"] = rate(job.cost.operations);
  if (job.cost.elements > 0)
    state.counters["bytes/s"] = rate(job.cost.elements * static_cast<double>(size_of(dtype)));
}

/// Every dtype, batch and number of threads of one op; elements: of the largest tensor for each image.
void add(const std::string& name, std::int64_t elements, const MakeJob& make) {
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t batch : kBatches) {
      if (batch * elements > kMostElements) continue;
      for (const int threads : {1, 2}) {
        const std::string full_name =
            fmt::format("{}/{}/batch:{}/threads:{}", name, adjoint::name(dtype), batch, threads);
        const auto body = [=](State& state) { run(state, threads, make(batch, dtype), dtype); };
        benchmark::RegisterBenchmark(full_name.c_str(), body)->UseRealTime()->MinTime(0.1);
      }
    }
  }
}

Tensor random(const Shape& shape, DType dtype) { return normal(shape, 0, 1, {.dtype = dtype}); }

struct ConvCase {
  const char* name;
  std::int64_t in_channels, height, width, out_channels, kernel;
  Conv2dOptions options = {};
};

const ConvCase kConvs[] = {
    {"documented1", 1, 28, 28, 4, 5},
    {"documented2", 4, 12, 12, 6, 5},
    {"lenet1", 1, 32, 32, 6, 5},
    {"lenet2", 6, 14, 14, 16, 5},
    {"vgg1", 3, 32, 32, 32, 3, {.padding = 1}},
    {"vgg2", 32, 32, 32, 32, 3, {.padding = 1}},
    {"vgg4", 64, 16, 16, 64, 3, {.padding = 1}},
    {"vgg6", 128, 8, 8, 128, 3, {.padding = 1}},
    {"kernel1", 64, 14, 14, 64, 1},
    {"kernel2", 8, 15, 17, 12, 2},
    {"kernel4_stride2", 16, 33, 29, 24, 4, {.stride = 2, .padding = 1}},
    {"kernel6", 5, 21, 23, 7, 6, {.padding = 2}},
    {"kernel7_stride2", 3, 64, 64, 16, 7, {.stride = 2, .padding = 3}},
    {"stride3", 8, 27, 31, 8, 3, {.stride = 3}},
    {"dilation2", 8, 24, 24, 16, 3, {.padding = 2, .dilation = 2}},
    {"groups4", 32, 16, 16, 32, 3, {.padding = 1, .groups = 4}},
    {"depthwise", 32, 28, 28, 32, 3, {.padding = 1, .groups = 32}},
};

void add_convolutions() {
  enum class Part { forward, input_grad, weight_grad };
  constexpr std::pair<Part, const char*> kParts[] = {
      {Part::forward, "forward"}, {Part::input_grad, "input_grad"}, {Part::weight_grad, "weight_grad"}};
  for (const ConvCase& c : kConvs) {
    for (const auto& [part, part_name] : kParts) {
      const std::int64_t elements = std::max(c.in_channels, c.out_channels) * c.height * c.width;
      add(fmt::format("conv2d/{}/{}", part_name, c.name), elements,
          [&c, part = part](std::int64_t batch, DType dtype) {
            const Tensor x = random({batch, c.in_channels, c.height, c.width}, dtype);
            const Tensor w =
                random({c.out_channels, c.in_channels / c.options.groups, c.kernel, c.kernel}, dtype);
            const Tensor b = random({c.out_channels}, dtype);
            const Tensor dy = random(conv2d(x, w, b, c.options).shape(), dtype);
            const Cost cost = {.operations = 2.0 * static_cast<double>(dy.numel()) *
                                             static_cast<double>(w.shape().features())};
            if (part == Part::forward) return Job{[=, &c] { return conv2d(x, w, b, c.options); }, cost};
            if (part == Part::input_grad) {
              return Job{[=, &c] { return conv2d_input_grad(dy, w, x.shape(), c.options); }, cost};
            }
            return Job{[=, &c] { return conv2d_weight_grad(dy, x, w.shape(), c.options); }, cost};
          });
    }
  }
}

/// y = f(x) with x [batch, shape], forward; and y with x's gradient.
void add_function(const std::string& name, const Shape& image,
                  const std::function<Tensor(const Tensor&)>& f) {
  const auto x_of = [image](std::int64_t batch, DType dtype) {
    std::vector<std::int64_t> sizes = {batch};
    sizes.insert(sizes.end(), image.begin(), image.end());
    return random(Shape(sizes), dtype);
  };
  add(name + "/forward", image.numel(), [=](std::int64_t batch, DType dtype) {
    const Tensor x = x_of(batch, dtype);
    return Job{[=] { return f(x); }, {.elements = static_cast<double>(x.numel() + f(x).numel())}};
  });
  add(name + "/both", image.numel(), [=](std::int64_t batch, DType dtype) {
    const Tensor x = x_of(batch, dtype).set_requires_grad();
    const Tensor dy = random(f(x).shape(), dtype);
    const auto both = [=] {
      const GradMode record(true);
      return grad(f(x), x, {.gradient = dy});
    };
    return Job{both, {.elements = 2.0 * static_cast<double>(x.numel() + dy.numel())}};
  });
}

void add_functions() {
  add_function("relu", {4, 24, 24}, relu);
  add_function("tanh", {4, 24, 24}, [](const Tensor& x) { return tanh(x); });
  add_function("sigmoid", {4, 24, 24}, sigmoid);
  add_function("exp", {4, 24, 24}, [](const Tensor& x) { return exp(x); });
  add_function("scale", {4, 24, 24}, [](const Tensor& x) { return x * 1.0001; });
  add_function("add", {4, 24, 24}, [](const Tensor& x) { return x + x; });
  add_function("mul", {4, 24, 24}, [](const Tensor& x) { return x * x; });
  add_function("avg_pool2d/2", {4, 24, 24}, [](const Tensor& x) { return avg_pool2d(x, {.window = 2}); });
  add_function("max_pool2d/2", {6, 28, 28}, [](const Tensor& x) { return max_pool2d(x, {.window = 2}); });
  add_function("max_pool2d/3_stride2", {8, 27, 31},
               [](const Tensor& x) { return max_pool2d(x, {.window = 3, .stride = 2}); });
  add_function("sum", {4, 24, 24}, [](const Tensor& x) { return sum(x); });
  add_function("sum_rows", {96}, [](const Tensor& x) { return sum(x, {0}); });
  add_function("softmax_cross_entropy", {10}, [](const Tensor& x) {
    return softmax_cross_entropy(x, zeros({x.size(0)}, {.dtype = int64}));
  });
}

void add_products() {
  constexpr std::pair<std::int64_t, std::int64_t> kLayers[] = {
      {96, 50}, {50, 10}, {400, 120}, {784, 512}, {512, 512}, {2048, 256}, {37, 53}};
  for (const auto& [inputs, outputs] : kLayers) {
    const std::string sizes = fmt::format("/{}x{}", inputs, outputs);
    const auto add_product = [&, in = inputs, out = outputs](const char* name, auto op) {
      add(name + sizes, std::max(in, out), [=](std::int64_t batch, DType dtype) {
        const Tensor x = random({batch, in}, dtype), w = random({out, in}, dtype),
                     dy = random({batch, out}, dtype);
        return Job{[=] { return op(x, w, dy); }, {.operations = 2.0 * static_cast<double>(batch * in * out)}};
      });
    };
    using T = const Tensor&;
    add_product("dense/forward", [](T x, T w, T) { return dense(x, w); });
    add_product("dense/input_grad", [](T, T w, T dy) { return matmul(dy, w); });
    add_product("dense/weight_grad", [](T x, T, T dy) { return matmul(dy, x, {.transpose_a = true}); });
  }
  for (const std::int64_t n : {64, 256, 512, 1024}) {
    for (const DType dtype : {float32, float64}) {
      for (const int threads : {1, 2}) {
        const auto body = [=](State& state) {
          const Tensor a = random({n, n}, dtype), b = random({n, n}, dtype);
          const double operations = 2.0 * static_cast<double>(n * n * n);
          run(state, threads, {[&] { return matmul(a, b); }, {.operations = operations}}, dtype);
        };
        const std::string name = fmt::format("matmul/{}/{}/threads:{}", n, adjoint::name(dtype), threads);
        benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime()->MinTime(0.1);
      }
    }
  }
}

/// Batches of small products, each as one op, and the same products one after the other.
void add_batched_products() {
  struct Sizes {
    std::int64_t batch, rows, depth, columns;
  };
  for (const auto& [batch, rows, depth, columns] :
       {Sizes{64, 32, 32, 32}, {8, 128, 64, 128}, {1000, 4, 4, 4}}) {
    for (const DType dtype : {float32, float64}) {
      for (const int threads : {1, 2}) {
        for (const bool loop : {false, true}) {
          const auto body = [=, n = batch, m = rows, k = depth, l = columns](State& state) {
            const Tensor a = random({n, m, k}, dtype), b = random({n, k, l}, dtype);
            std::vector<Tensor> as, bs;
            for (std::int64_t i = 0; i < n; ++i) {
              as.push_back(random({m, k}, dtype));
              bs.push_back(random({k, l}, dtype));
            }
            const double operations = 2.0 * static_cast<double>(n * m * k * l);
            const std::function<Tensor()> one_by_one = [=] {
              Tensor y;
              for (std::size_t i = 0; i < as.size(); ++i) y = matmul(as[i], bs[i]);
              return y;
            };
            const std::function<Tensor()> at_once = [=] { return matmul(a, b); };
            run(state, threads, {loop ? one_by_one : at_once, {.operations = operations}}, dtype);
          };
          const std::string name = fmt::format("matmul_{}/{}x{}x{}x{}/{}/threads:{}", loop ? "loop" : "batch",
                                               batch, rows, depth, columns, adjoint::name(dtype), threads);
          benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime()->MinTime(0.1);
        }
      }
    }
  }
}

/// Factorizations of batches of small matrices.
void add_factorizations() {
  for (const auto& [batch, n] : {std::pair<std::int64_t, std::int64_t>{1000, 4}, {100, 32}, {10, 128}}) {
    const auto add_op = [&, batch = batch, n = n](const char* name, auto op) {
      for (const DType dtype : {float32, float64}) {
        const auto body = [=](State& state) {
          const Tensor x = random({batch, n, n}, dtype), b = random({n, 1}, dtype);
          const Tensor a = matmul(x, x, {.transpose_b = true});
          run(state, 1, {[=] { return op(a, b); }, {}}, dtype);
        };
        const std::string full_name = fmt::format("{}/{}x{}/{}", name, batch, n, adjoint::name(dtype));
        benchmark::RegisterBenchmark(full_name.c_str(), body)->UseRealTime()->MinTime(0.1);
      }
    };
    using T = const Tensor&;
    add_op("solve", [](T a, T b) { return solve(a, b); });
    add_op("inverse", [](T a, T) { return inverse(a); });
    add_op("cholesky", [](T a, T) { return cholesky(a); });
    add_op("det", [](T a, T) { return det(a); });
  }
}

template <class T>
void multiply_add_peak(State& state) {
  const auto threads = static_cast<int>(state.range(0));
  set_num_threads(threads);
  double operations = 0;
  for (auto _ : state) operations += bench::multiply_add<T>(threads, 1 << 20);
  state.counters["FLOP/s"] = Counter(operations, Counter::kIsRate);
}
BENCHMARK_TEMPLATE(multiply_add_peak, float)
    ->Name("peak/multiply_add/float32")
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime();
BENCHMARK_TEMPLATE(multiply_add_peak, double)
    ->Name("peak/multiply_add/float64")
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime();

/// As the ops' bytes are counted: those read and those written.
void copy_peak(State& state) {
  const auto threads = static_cast<int>(state.range(0));
  const auto bytes = static_cast<std::size_t>(state.range(1)) << 10;
  set_num_threads(threads);
  const std::vector<char> from(bytes, 1);
  std::vector<char> to(bytes);
  for (auto _ : state) {
    bench::copy(threads, from.data(), to.data(), bytes);
    benchmark::ClobberMemory();
  }
  state.counters["bytes/s"] = Counter(2.0 * static_cast<double>(bytes), Counter::kIsIterationInvariantRate);
}
BENCHMARK(copy_peak)
    ->Name("peak/copy")
    ->ArgNames({"threads", "KiB"})
    ->ArgsProduct({{1, 2}, {16, 512, 65536}})
    ->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  add_convolutions();
  add_functions();
  add_products();
  add_batched_products();
  add_factorizations();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
