// The models of models.h with libtorch.

#include <memory>
#include <stdexcept>
#include <torch/torch.h>
#include <utility>

#include "tests/bench/models.h"

namespace bench {
namespace {

namespace nn = torch::nn;
namespace functional = torch::nn::functional;
using torch::Tensor;

constexpr double kLearningRate = 0.01;

nn::Functional relu() { return nn::Functional(torch::relu); }
nn::Conv2d conv3x3(std::int64_t in, std::int64_t out) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1));
}

/// Labeled images as tensors, in batches of random order, epoch after epoch.
class Images {
 public:
  Images(const adjoint::LabeledImages& data, std::int64_t batch) : batch_(batch) {
    auto bytes =
        const_cast<std::uint8_t*>(data.images.data());  // from_blob has no other form; they are only read.
    images_ = torch::from_blob(bytes, {data.count, 1, data.height, data.width}, torch::kUInt8)
                  .to(torch::kFloat32)
                  .div_(255);
    auto labels = const_cast<std::uint8_t*>(data.labels.data());
    labels_ = torch::from_blob(labels, {data.count}, torch::kUInt8).to(torch::kInt64);
    if (batch > data.count) throw std::invalid_argument("the batch is larger than the data set");
  }

  std::pair<Tensor, Tensor> next() {
    if (!order_.defined() || at_ + batch_ > order_.size(0)) {
      order_ = torch::randperm(labels_.size(0));
      at_ = 0;
    }
    const Tensor index = order_.narrow(0, std::exchange(at_, at_ + batch_), batch_);
    return {images_.index_select(0, index), labels_.index_select(0, index)};
  }

 private:
  std::int64_t batch_, at_ = 0;
  Tensor images_, labels_, order_;
};

nn::Sequential documented_cnn() {
  return nn::Sequential(nn::Conv2d(1, 4, 5), relu(), nn::AvgPool2d(2), nn::Conv2d(4, 6, 5), relu(),
                        nn::AvgPool2d(2), nn::Flatten(), nn::Linear(96, 50), relu(), nn::Linear(50, 10));
}

Step documented(const adjoint::LabeledImages& data, std::int64_t batch) {
  auto net = documented_cnn();
  auto images = std::make_shared<Images>(data, batch);
  auto sgd = std::make_shared<torch::optim::SGD>(net->parameters(), torch::optim::SGDOptions(kLearningRate));
  return [=]() mutable {
    const auto [image, label] = images->next();
    sgd->zero_grad();
    const Tensor loss = functional::cross_entropy(net->forward(image), label);
    loss.backward();
    sgd->step();
    static_cast<void>(loss.item<double>());
  };
}

Step evaluation(const adjoint::LabeledImages& data, std::int64_t batch) {
  auto net = documented_cnn();
  auto images = std::make_shared<Images>(data, batch);
  return [=]() mutable {
    const torch::NoGradGuard no_grad;
    const auto [image, label] = images->next();
    static_cast<void>(net->forward(image).argmax(1).eq(label).sum().item<std::int64_t>());
  };
}

template <class Loss>
Step training(const nn::Sequential& net, const Tensor& x, Loss loss) {
  auto sgd = std::make_shared<torch::optim::SGD>(net->parameters(), torch::optim::SGDOptions(kLearningRate));
  return [=, net = net]() mutable {
    sgd->zero_grad();
    loss(net->forward(x)).backward();
    sgd->step();
  };
}

Step classifier(const nn::Sequential& net, const Tensor& x) {
  const Tensor label = torch::randint(0, 10, {x.size(0)}, torch::kInt64);
  return training(net, x, [label](const Tensor& logits) { return functional::cross_entropy(logits, label); });
}

Step five(std::int64_t batch) {
  const Tensor target = torch::ones({batch, 1});
  return training(
      nn::Sequential(nn::Conv2d(nn::Conv2dOptions(1, 1, 3).stride(2)), nn::Flatten(), nn::Linear(4, 1)),
      torch::randn({batch, 1, 5, 5}), [target](const Tensor& y) { return functional::mse_loss(y, target); });
}

Step chain(std::int64_t size) {
  const Tensor x = torch::randn({size}).requires_grad_();
  return [x] {
    Tensor y = x;
    for (int i = 0; i < 1000; ++i) y = y * 1.0001 + 0.5;
    y.sum().backward();
  };
}

nn::Sequential lenet5() {
  return nn::Sequential(nn::Conv2d(1, 6, 5), relu(), nn::MaxPool2d(2), nn::Conv2d(6, 16, 5), relu(),
                        nn::MaxPool2d(2), nn::Flatten(), nn::Linear(400, 120), relu(), nn::Linear(120, 84),
                        relu(), nn::Linear(84, 10));
}

nn::Sequential mlp() {
  return nn::Sequential(nn::Linear(784, 512), relu(), nn::Linear(512, 512), relu(), nn::Linear(512, 10));
}

nn::Sequential vgg() {
  return nn::Sequential(conv3x3(3, 32), relu(), conv3x3(32, 32), relu(), nn::MaxPool2d(2), conv3x3(32, 64),
                        relu(), conv3x3(64, 64), relu(), nn::MaxPool2d(2), conv3x3(64, 128), relu(),
                        conv3x3(128, 128), relu(), nn::MaxPool2d(2), nn::Flatten(), nn::Linear(2048, 256),
                        relu(), nn::Linear(256, 10));
}

Step convolution(const ConvModel& conv, std::int64_t batch) {
  const auto options = torch::TensorOptions().dtype(conv.is_float64 ? torch::kFloat64 : torch::kFloat32);
  Tensor x = torch::randn({batch, conv.in_channels, conv.height, conv.width}, options).requires_grad_();
  Tensor w =
      torch::randn({conv.out_channels, conv.in_channels / conv.groups, conv.kernel, conv.kernel}, options)
          .requires_grad_();
  Tensor b = torch::randn({conv.out_channels}, options).requires_grad_();
  const auto forward = [=] {
    return functional::conv2d(x, w,
                              functional::Conv2dFuncOptions()
                                  .bias(b)
                                  .stride(conv.stride)
                                  .padding(conv.padding)
                                  .groups(conv.groups));
  };
  const Tensor dy = torch::randn_like(forward());
  return [=]() mutable {
    forward().backward(dy);
    for (Tensor* leaf : {&x, &w, &b}) leaf->mutable_grad() = Tensor();
  };
}

}  // namespace

Step make_step(const std::string& model, std::int64_t batch, const adjoint::Mnist& data) {
  torch::manual_seed(1);
  if (model == "documented") return documented(data.train, batch);
  if (model == "evaluation") return evaluation(data.test, batch);
  if (model == "five") return five(batch);
  if (model == "chain") return chain(batch);
  if (model == "lenet5") return classifier(lenet5(), torch::randn({batch, 1, 32, 32}));
  if (model == "mlp") return classifier(mlp(), torch::randn({batch, 784}));
  if (model == "vgg") return classifier(vgg(), torch::randn({batch, 3, 32, 32}));
  if (ConvModel conv; parse_conv_model(model, conv)) return convolution(conv, batch);
  throw std::invalid_argument("there is no model " + model);
}

void use_threads(int threads) {
  torch::set_num_threads(threads);
  torch::set_num_interop_threads(1);
}

}  // namespace bench
