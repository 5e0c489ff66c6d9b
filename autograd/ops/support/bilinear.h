#pragma once
// Ops with weights: y = x * w + b, where the product * is linear in x and in w, such as a convolution. Its
// gradients are two more products, which are also linear in both arguments. The gradients of each product are
// the other two products:
//
//     y  = x * w           dx from input_grad, dw from weight_grad
//     dx = dy *' w         linear in dy and w
//     dw = dy *'' x        linear in dy and x
//
// So all of them can be differentiated any number of times. A Product defines
//     Sizes                        what the kernels need to know of the shapes and options
//     kName, kInputGradName, kWeightGradName
//     y(sizes, x, w, b), dx(sizes, dy, w), dw(sizes, dy, x)   Values; b may be undefined
//     db(dy)                       the gradient of the bias, a Tensor
// The callers have checked that the arguments fit sizes.

#include "adjoint/graph/node.h"

namespace adjoint::ops {

template <class Product>
Tensor input_grad(const typename Product::Sizes& sizes, const Tensor& dy, const Tensor& w);
template <class Product>
Tensor weight_grad(const typename Product::Sizes& sizes, const Tensor& dy, const Tensor& x);

/// y = x * w + b; b may be undefined.
template <class Product>
Tensor product(const typename Product::Sizes& sizes, const Tensor& x, const Tensor& w, const Tensor& b = {}) {
  return record(Product::kName, Product::y(sizes, x, w, b), {x, w, b},
                [sizes, x = Saved(x, w.requires_grad()), w = Saved(w, x.requires_grad())](
                    const Tensor& dy, Needs needs) -> Grads {
                  return {needs[0] ? input_grad<Product>(sizes, dy, w) : Tensor{},
                          needs[1] ? weight_grad<Product>(sizes, dy, x) : Tensor{},
                          needs[2] ? Product::db(dy) : Tensor{}};
                });
}

/// dx = dy *' w
template <class Product>
Tensor input_grad(const typename Product::Sizes& sizes, const Tensor& dy, const Tensor& w) {
  return record(Product::kInputGradName, Product::dx(sizes, dy, w), {dy, w},
                [sizes, dy = Saved(dy, w.requires_grad()), w = Saved(w, dy.requires_grad())](
                    const Tensor& d, Needs needs) -> Grads {
                  return {needs[0] ? product<Product>(sizes, d, w) : Tensor{},
                          needs[1] ? weight_grad<Product>(sizes, dy, d) : Tensor{}};
                });
}

/// dw = dy *'' x
template <class Product>
Tensor weight_grad(const typename Product::Sizes& sizes, const Tensor& dy, const Tensor& x) {
  return record(Product::kWeightGradName, Product::dw(sizes, dy, x), {dy, x},
                [sizes, dy = Saved(dy, x.requires_grad()), x = Saved(x, dy.requires_grad())](
                    const Tensor& d, Needs needs) -> Grads {
                  return {needs[0] ? product<Product>(sizes, x, d) : Tensor{},
                          needs[1] ? input_grad<Product>(sizes, dy, d) : Tensor{}};
                });
}

}  // namespace adjoint::ops
