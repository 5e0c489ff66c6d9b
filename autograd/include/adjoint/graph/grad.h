#pragma once
// Gradients as return values: no tensor's grad() changes.

#include <span>
#include <vector>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct GradOptions {
  Tensor gradient = {};       ///< dL/dy, with y's shape and dtype. If y has one element, the default is 1.
  bool retain_graph = false;  ///< Keep the graph for another backward; implied by create_graph.
  bool create_graph = false;  ///< Record how the gradients are computed, so that they can be differentiated.
};

/// dL/dx for one input x, a leaf or the result of an op; dL/dy is options.gradient, so the default is dy/dx.
/// The result has x's shape. It is zero when y does not depend on x. Writing to it changes no other tensor.
/// Throws GraphError when x or y requires no gradient or the graph was already freed. Throws ShapeError when
/// no gradient is given and y does not have one element. Throws ShapeError or DTypeError when the gradient
/// does not have y's shape or dtype.
Tensor grad(const Tensor& y, const Tensor& x, const GradOptions& options = {});

/// The same for several inputs in one pass. The results have the order of xs.
std::vector<Tensor> grad(const Tensor& y, std::span<const Tensor> xs, const GradOptions& options = {});
std::vector<Tensor> grad(const Tensor& y, std::initializer_list<Tensor> xs, const GradOptions& options = {});

}  // namespace adjoint
