#include "examples/documented_cnn/model.h"

namespace documented_cnn {

using namespace adjoint;

Activation activation_named(const std::string& name) {
  if (name == "sigmoid") return sigmoid;
  if (name == "tanh") return tanh;
  if (name == "relu") return relu;
  throw Error("activation: there is no \"" + name + "\"; choose sigmoid, tanh or relu");
}

DocumentedCnn::DocumentedCnn(const ModelOptions& options, Rng& rng)
    : options_(options),
      conv1_(1, 4, 5, {.flip_kernel = true, .dtype = options.dtype, .init = documented_uniform}, rng),
      conv2_(4, 6, 5, {.flip_kernel = true, .dtype = options.dtype, .init = documented_uniform}, rng),
      hidden_(96, 50, {.dtype = options.dtype, .init = documented_uniform}, rng),
      output_(50, 10, {.dtype = options.dtype, .init = documented_uniform}, rng) {
  register_child("conv1", conv1_);
  register_child("conv2", conv2_);
  register_child("hidden", hidden_);
  register_child("output", output_);
}

Tensor DocumentedCnn::pool(const Tensor& x) const {
  return options_.pooling == Pooling::average ? avg_pool2d(x, {.window = 2}) : max_pool2d(x, {.window = 2});
}

DocumentedCnn::Stages DocumentedCnn::stages(const Tensor& image) {
  const Activation f = options_.activation;
  Stages s;
  s.c1 = conv1_(image);
  s.p1 = pool(f(s.c1));
  s.c2 = conv2_(s.p1);
  s.flat = flatten(pool(f(s.c2)));
  s.hidden = hidden_(s.flat);
  s.logits = output_(f(s.hidden));
  return s;
}

Tensor DocumentedCnn::forward(const Tensor& image) {
  const Activation f = options_.activation;
  const Tensor p1 = pool(f(conv1_(image)));  // [N,4,12,12]
  const Tensor p2 = pool(f(conv2_(p1)));     // [N,6,4,4]
  return output_(f(hidden_(flatten(p2))));   // [N,10]
}

}  // namespace documented_cnn
