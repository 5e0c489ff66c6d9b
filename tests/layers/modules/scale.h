#pragma once
// A small layer of the tests' own.

#include "adjoint/modules/module.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/tensor/create.h"

namespace adjoint::support {

/// y = scale x, with registration open to the tests.
class Scale : public Layer {
 public:
  explicit Scale(double scale = 1) {
    scale_ = register_parameter("scale", full({2}, scale, {.dtype = float64}));
  }
  Tensor forward(const Tensor& x) override { return scale_ * x; }
  Tensor scale() const { return scale_; }
  using Module::register_parameter;

 private:
  Tensor scale_;
};

}  // namespace adjoint::support
