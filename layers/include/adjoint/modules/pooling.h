#pragma once
// The pooling layers: the ops of the same name with their options.

#include "adjoint/modules/module.h"
#include "adjoint/ops/pooling.h"

namespace adjoint {

/// y = avg_pool2d(x).   x [N,C,H,W] -> y [N,C,OH,OW]: AvgPool2d({.window = 2}).
class AvgPool2d : public Layer {
 public:
  explicit AvgPool2d(const AvgPool2dOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) override { return avg_pool2d(x, options_); }

 private:
  AvgPool2dOptions options_;
};

/// y = max_pool2d(x).   x [N,C,H,W] -> y [N,C,OH,OW]: MaxPool2d({.window = 2}).
class MaxPool2d : public Layer {
 public:
  explicit MaxPool2d(const MaxPool2dOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) override { return max_pool2d(x, options_); }

 private:
  MaxPool2dOptions options_;
};

}  // namespace adjoint
