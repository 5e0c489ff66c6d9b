// The graph API at its smallest: an expression of two numbers, its gradient, and the gradient's gradient.

#include <adjoint/adjoint.h>
#include <fmt/core.h>

#include "examples/support/program.h"

using namespace adjoint;

void differentiate() {
  const TensorOptions number = {.dtype = float64, .requires_grad = true};
  const Tensor x = scalar(2, number);
  const Tensor y = scalar(3, number);

  // Every op that touches x or y adds a node to the graph.
  const Tensor z = x * x * y + sigmoid(x - y);
  fmt::print("z = x^2 y + sigmoid(x - y) at x = 2, y = 3: {:.6f}, computed by \"{}\"\n", z.item(), z.op());

  // backward() walks the graph once and stores dz/dx and dz/dy in the leaves.
  z.backward();
  fmt::print("dz/dx = {:.6f}   (2 x y + s (1 - s) = 12.196612)\n", x.grad().item());
  fmt::print("dz/dy = {:.6f}   (x^2 - s (1 - s) = 3.803388)\n", y.grad().item());

  // grad() returns gradients; with create_graph they can be differentiated again.
  const Tensor cube = x * x * x;
  const Tensor first = grad(cube, x, {.create_graph = true});
  const Tensor second = grad(first, x);
  fmt::print("x^3: {}, first derivative {}, second derivative {}\n", cube.item(), first.item(),
             second.item());
}

int main(int argc, char** argv) {
  return examples::run(
      {"scalar_expression", "Computes the first and second derivatives of an expression of two numbers."},
      argc, argv, differentiate);
}
