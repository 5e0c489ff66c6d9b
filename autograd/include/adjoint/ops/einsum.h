#pragma once
// Sums of products in Einstein's notation.

#include <initializer_list>
#include <span>
#include <string_view>

#include "adjoint/tensor/tensor.h"

namespace adjoint {

/// y = the sum of products that an equation such as "bij,bjk->bik" describes: one term of letters for each
/// operand, a letter for each axis, and after "->" the axes of y. For each element of y, operands are
/// multiplied, and the products are summed over all letters that y does not have:
///     einsum("ij,jk->ik", {a, b})      y[i,k] = sum_j a[i,j] b[j,k], a matrix product
///     einsum("ii->i", {a})             the diagonal
///     einsum("bi,oij,bj->bo", ...)     a bilinear form
/// Without "->", y has the axes of "..." and then, in alphabetical order (capitals first), the letters that
/// appear once. "..." stands for any axes in front of, between or behind the letters of a term; those of
/// several operands broadcast, aligned at the last one. An axis of size 1 is repeated to fit a letter's size
/// in other operands. Spaces are ignored. Letters are a-z and A-Z.
///
/// If there are more than two operands, the two whose product has the fewest elements are multiplied first.
///
/// Throws Error when the equation cannot be read, ShapeError when it does not fit the operands or a product
/// of two of them has more than Shape::kMaxRank axes, and DTypeError unless all operands are float32 or all
/// are float64. Differentiable any number of times.
Tensor einsum(std::string_view equation, std::span<const Tensor> operands);
Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands);

}  // namespace adjoint
