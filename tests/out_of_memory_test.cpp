// Every allocation of every op, in all threads, may fail: std::bad_alloc is thrown, nothing leaks, and the
// same computation gives the same values afterwards.

#include <adjoint/adjoint.h>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/block_cache.h"
#include "tests/support/expect_close.h"
#include "tests/support/failing_memory.h"
#include "tests/support/threads.h"

namespace adjoint {
namespace {

using namespace support;
using Numbers = std::vector<double>;
/// Each call computes the same.
using Computation = std::function<std::vector<Tensor>()>;

struct Case {
  std::string name;
  Computation compute;
};

std::ostream& operator<<(std::ostream& stream, const Case& of) { return stream << of.name; }

/// Numbers from -1 to 1 in no order, quickly made.
Tensor mixed(const Shape& shape, DType dtype = float32) {
  Tensor tensor = zeros(shape, {.dtype = dtype, .requires_grad = true});
  visit_floating(dtype, [&]<class T>() {
    std::uint32_t state = 1;
    for (T& value : tensor.mutable_data<T>()) {
      state = state * 1664525 + 1013904223;
      value = static_cast<T>(static_cast<std::int32_t>(state) / 0x1p31);
    }
  });
  return tensor;
}

/// f(inputs) and its gradients for a gradient of mixed numbers.
Case op(const std::string& name, const std::vector<Shape>& shapes,
        const std::function<Tensor(const std::vector<Tensor>&)>& f, DType dtype = float32) {
  return {name, [=] {
            // New copies, because values keep both layouts after the other one was requested.
            std::vector<Tensor> inputs;
            inputs.reserve(shapes.size());
            for (const Shape& shape : shapes) inputs.push_back(mixed(shape, dtype));
            const Tensor y = f(inputs);
            std::vector<Tensor> results = grad(y, inputs, {.gradient = mixed(y.shape(), dtype).detach()});
            results.push_back(y.detach());
            return results;
          }};
}

Case conv(const std::string& name, std::int64_t batch, const Shape& x, const Shape& w,
          const Conv2dOptions& options = {}, DType dtype = float32) {
  return op(
      "Conv" + name + "Batch" + std::to_string(batch), {{batch, x[0], x[1], x[2]}, w, {w[0]}},
      [=](const std::vector<Tensor>& in) { return conv2d(in[0], in[1], in[2], options); }, dtype);
}

/// A step of an optimizer on parameters made anew, twice.
template <class Optimizer, class Options>
Case step(const std::string& name, const Options& options, const Shape& w, std::int64_t batch) {
  return {name, [=] {
            const Tensor x = mixed({batch, w[1]}).detach();
            std::vector<Tensor> parameters = {mixed(w), mixed({w[0]})};
            Optimizer optimizer(parameters, options);
            for (int i = 0; i < 2; ++i) {
              optimizer.zero_grad();
              sum(tanh(dense(x, parameters[0], parameters[1]))).backward();
              optimizer.step();
            }
            return parameters;
          }};
}

LabeledImages images() {
  LabeledImages data;
  data.count = 40;
  data.height = 28;
  data.width = 28;
  for (int i = 0; i < 40 * 28 * 28; ++i) data.images.push_back(static_cast<std::uint8_t>(i * 7));
  for (int i = 0; i < 40; ++i) data.labels.push_back(static_cast<std::uint8_t>(i % 10));
  return data;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::int64_t batch : {1, 6, 32}) {
    all.push_back(conv("Small", batch, {3, 20, 20}, {6, 3, 5, 5}));
    all.push_back(conv("ManyMaps", batch, {16, 10, 10}, {32, 16, 3, 3}, {.padding = 1}));
    all.push_back(conv("Strided", batch, {8, 21, 21}, {16, 8, 5, 5}, {.stride = 2, .padding = 2}));
    all.push_back(conv("Groups", batch, {8, 20, 20}, {16, 4, 5, 5}, {.groups = 2}));
    all.push_back(conv("WideKernel", batch, {6, 8, 8}, {8, 6, 7, 7}, {.padding = 3, .dilation = 2}));
    all.push_back(conv("Doubles", batch, {4, 20, 20}, {6, 4, 5, 5}, {.flip_kernel = true}, float64));
  }
  all.push_back(conv("Five", 1, {1, 5, 5}, {1, 1, 3, 3}));
  using In = const std::vector<Tensor>&;
  all.push_back(op("Matmul", {{90, 80}, {80, 70}}, [](In in) { return matmul(in[0], in[1]); }));
  all.push_back(op("MatmulTransposed", {{80, 90}, {70, 80}},
                   [](In in) { return matmul(in[0], in[1], {.transpose_a = true, .transpose_b = true}); }));
  all.push_back(
      op("MatmulBatch", {{40, 1, 20, 30}, {5, 30, 10}}, [](In in) { return matmul(in[0], in[1]); }));
  all.push_back(op("Einsum", {{30, 20}, {30, 20, 25}, {25, 30}}, [](In in) {
    return einsum("ij,ijk,ki->jk", {in[0], in[1], in[2]});
  }));
  all.push_back(op("Factorizations", {{50, 12, 12}, {12, 10}}, [](In in) {
    return solve(in[0], in[1]) + reshape(det(in[0]), {50, 1, 1}) + sum(inverse(in[0])) +
           sum(cholesky(matmul(in[0], in[0], {.transpose_b = true})));
  }));
  for (const std::int64_t batch : {1, 6, 32}) {
    all.push_back(op("DenseBatch" + std::to_string(batch), {{batch, 500}, {450, 500}, {450}},
                     [](In in) { return dense(in[0], in[1], in[2]); }));
    const Shape x = {batch, 240 / batch + 2, 12, 12};
    all.push_back(op("AvgPoolBatch" + std::to_string(batch), {x},
                     [](In in) { return avg_pool2d(in[0], {.window = 3, .stride = 2}); }));
    all.push_back(op("MaxPoolBatch" + std::to_string(batch), {x},
                     [](In in) { return max_pool2d(in[0], {.window = 2}); }));
  }
  all.push_back(op("Softmax", {{256, 128}}, [](In in) { return softmax(in[0]); }));
  all.push_back(op("LogSoftmaxOfColumns", {{256, 128}}, [](In in) { return log_softmax(in[0], 0); }));
  all.push_back(op("CrossEntropy", {{4096, 10}},
                   [](In in) { return softmax_cross_entropy(in[0], zeros({4096}, {.dtype = int64})); }));
  all.push_back(op("CrossEntropyOfProbabilities", {{4096, 10}}, [](In in) {
    return softmax_cross_entropy(in[0], full({4096, 10}, 0.1));
  }));
  all.push_back(op("Mse", {{200, 200}}, [](In in) { return mse(in[0], zeros({200, 200})); }));
  all.push_back(op("SumOfAll", {{200, 200}}, [](In in) { return sum(in[0]); }));
  all.push_back(op("SumOfColumns", {{200, 200}}, [](In in) { return sum(in[0], {0}); }));
  all.push_back(op("MeanOfRows", {{200, 200}}, [](In in) { return mean(in[0], {1}); }));
  all.push_back(op("MaxOfMiddle", {{20, 50, 40}}, [](In in) { return max(in[0], {1}); }));
  all.push_back(op("Broadcast", {{200, 1, 20}, {10, 1}}, [](In in) { return in[0] * in[1] + in[1]; }));
  all.push_back(op("Elementwise", {{200, 200}, {200, 200}}, [](In in) {
    return exp(in[0]) * tanh(in[1]) / (2.0 + in[0] * in[0]) - relu(in[1]) + sigmoid(in[0]);
  }));
  all.push_back(op("Permute", {{20, 30, 70}}, [](In in) { return permute(in[0], {2, 0, 1}); }));
  all.push_back(op("BothLayouts", {{32, 4, 16, 16}, {4, 4, 3, 3}}, [](In in) {
    const Tensor maps = avg_pool2d(tanh(conv2d(in[0], in[1], {.padding = 1})), {.window = 2});
    return matmul(reshape(maps, {64, 128}), transpose(reshape(in[0], {256, 128})));
  }));
  all.push_back(op("Twice", {{32, 3, 12, 12}, {4, 3, 5, 5}}, [](In in) {
    const Tensor y = sum(tanh(conv2d(in[0], in[1])));
    return sum(tanh(grad(y, in[1], {.create_graph = true})));
  }));
  all.push_back(step<Sgd>("SgdOuterProduct", SgdOptions{.learning_rate = 0.1}, {400, 500}, 1));
  all.push_back(step<Sgd>("SgdMomentum", SgdOptions{.momentum = 0.9, .weight_decay = 0.1}, {400, 500}, 4));
  all.push_back(step<Adam>("Adam", AdamOptions{.weight_decay = 0.1}, {400, 500}, 4));
  const auto data = std::make_shared<const LabeledImages>(images());
  all.push_back({"Batches", [data] {
                   std::vector<Tensor> tensors;
                   Batches batches(*data, {.batch_size = 32, .shuffle = true});
                   for (const auto& [image, label] : batches) {
                     tensors.push_back(image);
                     tensors.push_back(label);
                   }
                   return tensors;
                 }});
  all.push_back({"Parts", [data] {
                   const Tensor w = mixed({4, 1, 5, 5}), v = mixed({10, 4 * 24 * 24});
                   Batches batches(*data, {.batch_size = 40});
                   const auto batch = batches.begin();
                   const double loss = backward_in_parts(batch.parts(8), [&](std::int64_t i) {
                     const auto [image, label] = batch.part(i, 8);
                     const Tensor maps = tanh(conv2d(image, w));
                     return softmax_cross_entropy(dense(flatten(maps), v), label);
                   });
                   return std::vector<Tensor>{scalar(loss), w.grad(), v.grad()};
                 }});
  return all;
}

class OutOfMemory : public testing::TestWithParam<Case> {
 protected:
 private:
  const WithCacheLimit nothing_{0};
};

TEST_P(OutOfMemory, EachAllocationMayFail) {
  const WithThreads one(1);
  const Computation& compute = GetParam().compute;
  const Numbers expected = numbers(compute());
  const std::int64_t nodes = live_nodes();
  for (const int threads : {1, 2, 3}) {
    const WithThreads with(threads);
    for (const Failing how : {Failing::from_one_on, Failing::one_and_the_next_of_its_thread}) {
      std::int64_t came_out = 0;
      for (std::int64_t first = 0;; ++first) {
        SCOPED_TRACE(testing::Message() << threads << " threads, allocation " << first);
        std::vector<Tensor> results;
        const Outcome outcome = with_failure(how, first, [&] { results = compute(); });
        came_out += outcome == Outcome::came_out;
        if (outcome != Outcome::came_out) {
          ASSERT_EQ(numbers(results), expected);
        }
        results.clear();
        ASSERT_EQ(live_nodes(), nodes);
        if (outcome == Outcome::nothing_failed) break;
        ASSERT_EQ(numbers(compute()), expected) << "afterwards";
      }
      EXPECT_GE(came_out, 3);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, OutOfMemory, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace adjoint
