#include <adjoint/adjoint.h>
#include <cstdio>

#include "layers/module.h"

int main() {
  const adjoint::Tensor x = adjoint::tensor({1, 2}, {1, 2}, {.requires_grad = true});
  adjoint::sum(adjoint::square(x)).backward();
  std::printf("%g %g %d\n", x.grad().data<float>()[0], x.grad().data<float>()[1], own_module());
}
