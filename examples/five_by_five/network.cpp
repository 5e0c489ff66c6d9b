#include "examples/five_by_five/network.h"

namespace five_by_five {

using namespace adjoint;

Tensor pooled(const Tensor& image, const Tensor& filter, Reading reading) {
  if (reading == Reading::stride_two) return conv2d(image, filter, {.stride = 2});
  const Tensor o = conv2d(image, filter);  // O1..O9
  if (reading == Reading::subsample) return avg_pool2d(o, {.window = 1, .stride = 2});
  if (reading == Reading::average) return avg_pool2d(o, {.window = 2, .stride = 1});
  return max_pool2d(o, {.window = 2, .stride = 1});
}

Tensor predict(const Tensor& z, const Network& network) {
  return dense(flatten(z), network.dense_weight, network.dense_bias);
}

Tensor loss(const Tensor& y_hat, double y) { return 0.5 * sum(square(y_hat - y)); }

}  // namespace five_by_five
