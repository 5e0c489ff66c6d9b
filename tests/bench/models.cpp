#include "tests/bench/models.h"

#include <adjoint/adjoint.h>
#include <atomic>
#include <memory>
#include <stdexcept>

#include "adjoint/threads.h"
#include "autograd/kernels/threads/parallel.h"
#include "examples/documented_cnn/model.h"

namespace bench {
namespace {

using namespace adjoint;
using documented_cnn::DocumentedCnn;

constexpr double kLearningRate = 0.01;

/// The batches of a data set, epoch after epoch.
class Images {
 public:
  Images(const LabeledImages& data, std::int64_t batch)
      : batches_(data, {.batch_size = batch, .shuffle = true, .drop_last = true}), next_(batches_.begin()) {}

  Batches::Iterator next() {
    if (next_ == batches_.end()) next_ = batches_.begin();
    const Batches::Iterator batch = next_;
    ++next_;
    return batch;
  }

 private:
  Batches batches_;
  Batches::Iterator next_;
};

struct Documented {
  Documented(const LabeledImages& data, std::int64_t batch) : images(data, batch) {}

  DocumentedCnn net;
  Sgd sgd{net.parameters(), {.learning_rate = kLearningRate}};
  Images images;
  std::int64_t right = 0;  // Correct images of the evaluation.
};

Step documented(const LabeledImages& data, std::int64_t batch) {
  return [d = std::make_shared<Documented>(data, batch)] {
    train_step(d->net, d->sgd, d->images.next(), softmax_cross_entropy);
  };
}

Step evaluation(const LabeledImages& data, std::int64_t batch) {
  return [d = std::make_shared<Documented>(data, batch)] {
    const NoGrad no_grad;
    const auto [image, label] = *d->images.next();
    d->right += count_correct(d->net(image), label);
  };
}

template <class Loss>
Step training(const std::shared_ptr<Module>& net, const Tensor& x, Loss loss) {
  auto sgd = std::make_shared<Sgd>(net->parameters(), SgdOptions{.learning_rate = kLearningRate});
  return [=] {
    const Tensor value = loss((*net)(x));
    sgd->zero_grad();
    value.backward();
    sgd->step();
  };
}

Step classifier(const std::shared_ptr<Module>& net, const Shape& x_shape) {
  Tensor label = zeros({x_shape[0]}, {.dtype = int64});
  for (std::int64_t& y : label.mutable_data<std::int64_t>()) y = default_rng().below(10);
  return training(net, normal(x_shape, 0, 1),
                  [label](const Tensor& logits) { return softmax_cross_entropy(logits, label); });
}

Step five(std::int64_t batch) {
  const auto net = std::make_shared<Sequential>(Conv2d(1, 1, 3, {.stride = 2}), Flatten(), Dense(4, 1));
  return training(net, normal({batch, 1, 5, 5}, 0, 1),
                  [target = ones({batch, 1})](const Tensor& y) { return mse(y, target); });
}

Step chain(std::int64_t size) {
  return [x = normal({size}, 0, 1, {.requires_grad = true})] {
    Tensor y = x;
    for (int i = 0; i < 1000; ++i) y = y * 1.0001 + 0.5;
    sum(y).backward();
  };
}

std::shared_ptr<Module> lenet5() {
  return std::make_shared<Sequential>(Conv2d(1, 6, 5), Relu(), MaxPool2d({.window = 2}), Conv2d(6, 16, 5),
                                      Relu(), MaxPool2d({.window = 2}), Flatten(), Dense(400, 120), Relu(),
                                      Dense(120, 84), Relu(), Dense(84, 10));
}

std::shared_ptr<Module> mlp() {
  return std::make_shared<Sequential>(Dense(784, 512), Relu(), Dense(512, 512), Relu(), Dense(512, 10));
}

std::shared_ptr<Module> vgg() {
  const auto conv3x3 = [](std::int64_t in, std::int64_t out) { return Conv2d(in, out, 3, {.padding = 1}); };
  const auto pool = [] { return MaxPool2d({.window = 2}); };
  return std::make_shared<Sequential>(conv3x3(3, 32), Relu(), conv3x3(32, 32), Relu(), pool(),      //
                                      conv3x3(32, 64), Relu(), conv3x3(64, 64), Relu(), pool(),     //
                                      conv3x3(64, 128), Relu(), conv3x3(128, 128), Relu(), pool(),  //
                                      Flatten(), Dense(2048, 256), Relu(), Dense(256, 10));
}

Step convolution(const ConvModel& conv, std::int64_t batch) {
  const TensorOptions options = {.dtype = conv.is_float64 ? float64 : float32, .requires_grad = true};
  Tensor x = normal({batch, conv.in_channels, conv.height, conv.width}, 0, 1, options);
  Tensor w =
      normal({conv.out_channels, conv.in_channels / conv.groups, conv.kernel, conv.kernel}, 0, 1, options);
  Tensor b = normal({conv.out_channels}, 0, 1, options);
  const auto forward =
      [=, where = Conv2dOptions{.stride = conv.stride, .padding = conv.padding, .groups = conv.groups}] {
        return conv2d(x, w, b, where);
      };
  const Tensor dy = normal(forward().shape(), 0, 1, {.dtype = options.dtype});
  return [=]() mutable {
    forward().backward(dy);
    for (Tensor* leaf : {&x, &w, &b}) leaf->zero_grad();
  };
}

/// The cost of a parallel call: two threads that wait until both have started.
Step handover() {
  return [] {
    constexpr int kPatience = 100'000'000;  // In case the system runs only one thread.
    std::atomic<int> there = 0;
    if (num_threads() == 1) return;
    kernels::parallel_for(2, 2 * kernels::kWorkWorthAThread, [&](std::int64_t) {
      ++there;
      for (int i = 0; there < 2 && i < kPatience; ++i) {
      }
    });
  };
}

}  // namespace

Step make_step(const std::string& model, std::int64_t batch, const Mnist& data) {
  manual_seed(1);
  if (model == "documented") return documented(data.train, batch);
  if (model == "evaluation") return evaluation(data.test, batch);
  if (model == "five") return five(batch);
  if (model == "chain") return chain(batch);
  if (model == "handover") return handover();
  if (model == "lenet5") return classifier(lenet5(), {batch, 1, 32, 32});
  if (model == "mlp") return classifier(mlp(), {batch, 784});
  if (model == "vgg") return classifier(vgg(), {batch, 3, 32, 32});
  if (ConvModel conv; parse_conv_model(model, conv)) return convolution(conv, batch);
  throw std::invalid_argument("there is no model " + model);
}

void use_threads(int threads) { set_num_threads(threads); }

}  // namespace bench
