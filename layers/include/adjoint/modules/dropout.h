#pragma once
// The dropout layers: the ops of the same name in training, the identity in evaluation. They draw from
// default_rng().

#include "adjoint/modules/module.h"
#include "adjoint/ops/dropout.h"

namespace adjoint {

/// y = dropout(x): Dropout(0.5).
class Dropout : public Layer {
 public:
  explicit Dropout(double p = 0.5) : p_(p) {}
  Tensor forward(const Tensor& x) override { return dropout(x, {.p = p_, .training = is_training()}); }

 private:
  double p_;
};

/// y = channel_dropout(x), for x [N,C,...]: ChannelDropout(0.5).
class ChannelDropout : public Layer {
 public:
  explicit ChannelDropout(double p = 0.5) : p_(p) {}
  Tensor forward(const Tensor& x) override {
    return channel_dropout(x, {.p = p_, .training = is_training()});
  }

 private:
  double p_;
};

/// y = alpha_dropout(x): AlphaDropout(0.5).
class AlphaDropout : public Layer {
 public:
  explicit AlphaDropout(double p = 0.5) : p_(p) {}
  Tensor forward(const Tensor& x) override { return alpha_dropout(x, {.p = p_, .training = is_training()}); }

 private:
  double p_;
};

}  // namespace adjoint
