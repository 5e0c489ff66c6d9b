#include "autograd/graph/arguments.h"

#include <utility>

#include "adjoint/graph/node.h"

namespace adjoint::engine {

Tensor as_argument(const Tensor& x, bool connected) {
  if (!connected || !x.requires_grad()) return x.detach().set_requires_grad();
  return record("argument", x.values(), {x}, [](Tensor dy, Needs) -> Grads { return {std::move(dy)}; });
}

}  // namespace adjoint::engine
