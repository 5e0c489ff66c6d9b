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
  bool undefined_if_unused = false;  ///< As PyTorch's allow_unused: see below.
};

/// dL/dx for one input x, a leaf or the result of an op; dL/dy is options.gradient, so the default is dy/dx.
/// The result has x's shape. Where y does not depend on x, it is zero, or an undefined tensor if
/// options.undefined_if_unused. Writing to it changes no other tensor. Backward rules run only for the ops
/// between y and the inputs, and only the graph of these ops is freed.
///
/// Throws GraphError when x or y requires no gradient or the graph was already freed. Throws ShapeError when
/// no gradient is given and y does not have one element. Throws ShapeError or DTypeError when the gradient
/// does not have y's shape or dtype.
Tensor grad(const Tensor& y, const Tensor& x, const GradOptions& options = {});

/// The same for several inputs in one pass; an error names the input by its index and, for a leaf, its name.
/// The results have the order of xs.
std::vector<Tensor> grad(const Tensor& y, std::span<const Tensor> xs, const GradOptions& options = {});
std::vector<Tensor> grad(const Tensor& y, std::initializer_list<Tensor> xs, const GradOptions& options = {});

struct JointGradOptions {
  std::vector<Tensor> gradients = {};  ///< dL/dy for each y; 1 for one that is left undefined, or for all.
  bool retain_graph = false;           ///< As in GradOptions, and so are the others.
  bool create_graph = false;
  bool undefined_if_unused = false;
};

/// The same for several outputs in one pass: the gradients of
/// L = sum(ys[0] * gradients[0]) + sum(ys[1] * gradients[1]) + ... for all xs. Throws as above, and Error
/// unless there are as many gradients as outputs, or none.
std::vector<Tensor> grad(std::span<const Tensor> ys, std::span<const Tensor> xs,
                         const JointGradOptions& options = {});
std::vector<Tensor> grad(std::initializer_list<Tensor> ys, std::initializer_list<Tensor> xs,
                         const JointGradOptions& options = {});

}  // namespace adjoint
