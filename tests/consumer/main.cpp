#include <adjoint/adjoint.h>
#include <cstdio>

#include "layers/module.h"

int main() {
  const adjoint::Tensor x = adjoint::tensor({1, 2}, {1, 2}, {.requires_grad = true});
  adjoint::sum(adjoint::square(x)).backward();
  const adjoint::Tensor dx = x.grad();
  std::printf("%g %g %d\n", dx.data<float>()[0], dx.data<float>()[1], own_module());
}
