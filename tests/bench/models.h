#pragma once
// The networks of the comparison with libtorch. models.cpp makes them with Adjoint, torch_peer.cpp with
// libtorch: two programs of the same interface.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "adjoint/data/mnist.h"

namespace bench {

/// A step to be timed: gather a batch (or use the one made before), forward, backward, update.
using Step = std::function<void()>;

/// Makes a step of a model; all are in float32:
///
///     documented   the documented CNN (examples/documented_cnn/README.md) on MNIST: gathering, cross
///                  entropy, SGD; relu, average pooling; Adjoint's step takes parts, as in mnist_cnn
///     evaluation   the same network, forward only, and how many images it gets right
///     five         5x5 images; convolution 3x3 with stride 2, dense 4 -> 1, mean squared error, SGD
///     chain        y = 1.0001 y + 0.5, 1000 times, on a vector of `batch` numbers; sum and its gradient
///     lenet5       32x32 images; 5x5 convolutions to 6 and 16 channels, max pooling; dense 120, 84, 10
///     mlp          784 -> 512 -> 512 -> 10
///     vgg          3x32x32 images; two 3x3 convolutions each to 32, 64, 128 channels, max pooling; dense
///                  256, 10
///     conv2d:C,H,W,O,K,S,P,G
///                  y and all gradients of one convolution: C channels of HxW to O, kernel KxK, stride,
///                  padding, groups; with conv2d64 in float64
///     handover     a second thread is called and both wait for each other; Adjoint's side only
///
/// All but the first two have one batch of random numbers. data must outlive the step. Throws
/// std::invalid_argument when there is no such model.
Step make_step(const std::string& model, std::int64_t batch, const adjoint::Mnist& data);

/// Sets how many threads the steps may use.
void use_threads(int threads);

/// The sizes behind conv2d: in a model's name.
struct ConvModel {
  std::int64_t in_channels, height, width, out_channels, kernel, stride, padding, groups;
  bool is_float64;
};

/// True, with the sizes in conv, when the name is that of a convolution.
inline bool parse_conv_model(const std::string& model, ConvModel& conv) {
  conv.is_float64 = model.starts_with("conv2d64:");
  if (!conv.is_float64 && !model.starts_with("conv2d:")) return false;
  return std::sscanf(model.c_str() + model.find(':') + 1, "%ld,%ld,%ld,%ld,%ld,%ld,%ld,%ld",
                     &conv.in_channels, &conv.height, &conv.width, &conv.out_channels, &conv.kernel,
                     &conv.stride, &conv.padding, &conv.groups) == 8;
}

}  // namespace bench
