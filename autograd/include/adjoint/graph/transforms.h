#pragma once
// Functions of functions: products with Jacobians and Hessians, and these matrices themselves.
//
// All use the backward pass. There is no forward mode: jvp differentiates the backward pass (reverse over
// reverse), so it takes about three times as long as a gradient, and jacobian() runs one pass for each
// element of the result. All work to any order: with create_graph, the results can be differentiated, and f
// may itself call these functions with create_graph.
//
// f is called once, with arguments that have the values of the inputs. The derivatives are partial ones, even
// if one input was computed from another. Inputs need not require a gradient. f may use other tensors, such
// as parameters; they count as constants, but with create_graph the results depend on them. No grad()
// changes.
//
// Gradients of each sample of a batch are a loop:
//
//     for (std::int64_t i = 0; i < x.size(0); ++i)
//       gradients.push_back(grad(loss(narrow(x, 0, i, 1)), parameters));

#include <initializer_list>
#include <span>
#include <vector>

#include "adjoint/graph/gradcheck.h"
#include "adjoint/tensor/tensor.h"

namespace adjoint {

struct TransformOptions {
  bool create_graph = false;  ///< Record everything, so that the results can be differentiated.
};

struct VjpResult {
  Tensor value;                  ///< y = f(x)
  std::vector<Tensor> products;  ///< One for each input, with its shape.
};

/// v^T J: sum over k of v[k] dy[k] / dx_i for each input x_i; v has y's shape and dtype. Where y does not
/// depend on an input, the product is zero. Throws ShapeError or DTypeError when v does not fit y or an input
/// is not floating, and what f throws.
VjpResult vjp(const TensorFunction& f, std::span<const Tensor> inputs, const Tensor& v,
              const TransformOptions& options = {});
VjpResult vjp(const TensorFunction& f, std::initializer_list<Tensor> inputs, const Tensor& v,
              const TransformOptions& options = {});

struct JvpResult {
  Tensor value;    ///< y = f(x)
  Tensor product;  ///< With the shape of y.
};

/// J v: the sum over all inputs of dy / dx_i times vs[i], the derivative of y in the direction of vs; vs[i]
/// has the shape and dtype of input i. Computed by reverse over reverse. Throws as vjp.
JvpResult jvp(const TensorFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> vs,
              const TransformOptions& options = {});
JvpResult jvp(const TensorFunction& f, std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> vs,
              const TransformOptions& options = {});

/// dy / dx_i for each input x_i: the axes of y, then those of x_i. One backward pass for each element of y.
/// Throws as vjp, and ShapeError when these are more than 8 axes.
std::vector<Tensor> jacobian(const TensorFunction& f, std::span<const Tensor> inputs,
                             const TransformOptions& options = {});
std::vector<Tensor> jacobian(const TensorFunction& f, std::initializer_list<Tensor> inputs,
                             const TransformOptions& options = {});

/// d^2 y / dx_i dx_j as hessian(...)[i][j] for a single number y: the axes of x_i, then those of x_j. One
/// backward pass for each element of the inputs. Throws as jacobian, and ShapeError when y is not a single
/// number.
std::vector<std::vector<Tensor>> hessian(const TensorFunction& f, std::span<const Tensor> inputs,
                                         const TransformOptions& options = {});
std::vector<std::vector<Tensor>> hessian(const TensorFunction& f, std::initializer_list<Tensor> inputs,
                                         const TransformOptions& options = {});

/// v^T H for a single number y = f(x): the sum over i of vs[i] times d^2 y / dx_i dx_j for each input x_j.
/// Takes two backward passes; H itself is not computed. Throws as hessian and jvp.
VjpResult vhp(const TensorFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> vs,
              const TransformOptions& options = {});
VjpResult vhp(const TensorFunction& f, std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> vs,
              const TransformOptions& options = {});
/// H v. The Hessian is symmetric, so this is computed as vhp. They differ only where the second derivatives
/// of f are not continuous.
VjpResult hvp(const TensorFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> vs,
              const TransformOptions& options = {});
VjpResult hvp(const TensorFunction& f, std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> vs,
              const TransformOptions& options = {});

}  // namespace adjoint
