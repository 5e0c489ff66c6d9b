#pragma once
// Gradients asked for directly, without touching any tensor's grad().

#include <span>
#include <vector>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct GradOptions {
  Tensor gradient = {};       ///< dL/dy, of y's shape and dtype; may be left out when y has one element: 1.
  bool retain_graph = false;  ///< Keep the graph for another backward; implied by create_graph.
  bool create_graph = false;  ///< Record the gradients' own computation, so that they can be differentiated.
};

/// dy/dx for one input x, a leaf or a result of an op, of x's shape; zeros when y does not depend on x. What
/// comes back is the caller's: writing to it changes no other tensor.
/// Throws GraphError when x or y requires no gradient or the graph was already freed, ShapeError when y has
/// more than one element and no gradient is given or it does not fit.
Tensor grad(const Tensor& y, const Tensor& x, const GradOptions& options = {});

/// The same for several inputs in one pass, in their order.
std::vector<Tensor> grad(const Tensor& y, std::span<const Tensor> xs, const GradOptions& options = {});
std::vector<Tensor> grad(const Tensor& y, std::initializer_list<Tensor> xs, const GradOptions& options = {});

}  // namespace adjoint
