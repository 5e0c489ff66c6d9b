// Does not compile. A test checks that the compiler's message says what to do.

#include "adjoint/modules/dense.h"
#include "adjoint/modules/sequential.h"

class Block : public adjoint::Module {
 public:
  Block() { register_child("dense", dense_); }
  adjoint::Tensor forward(const adjoint::Tensor& x) override { return dense_(x); }

 private:
  adjoint::Dense dense_{2, 3};
};

adjoint::Sequential net(Block{}, adjoint::Dense(3, 1));
