#pragma once
// Elementwise ops of one argument. The source of an op has a function of vectors (see
// kernels/elementwise/map.h) and calls one of the templates below. The op is then vectorized, runs in either
// layout, computes in the memory of a temporary, and can be differentiated any number of times. The templates
// only make a table for the op; the code behind them is compiled once.

#include <string>
#include <type_traits>
#include <utility>

#include "adjoint/graph/node.h"
#include "autograd/kernels/elementwise/map.h"

namespace adjoint::ops {

using Parameters = kernels::Parameters<double>;

/// What makes up an op of one argument.
struct UnaryOp {
  const char* name;
  std::string gradient_name;  ///< Of the op that computes the gradient: name_grad.
  bool from_result;           ///< Whether the gradient reads the result, not the argument.
  const kernels::Loops& (*value)();
  const kernels::Loops& (*gradient)();
  /// See unary() below; null for NoSecondDerivative.
  Tensor (*second)(const Tensor& s, const Parameters& parameters);
};

/// The values of f at x, in the memory of x if x is unique. Throws DTypeError unless x is floating.
Values mapped(const char* op, const Tensor& x, const kernels::Loops& f, const Parameters& parameters);
Tensor unary(const UnaryOp& op, const Tensor& x, const Parameters& parameters);

/// y = F(x, p...), recorded with rule. If x is a temporary that the rule does not keep, y takes its memory.
template <class F, class Rule, class... P>
Tensor map_op(const char* op, Tensor x, Rule&& rule, P... p) {
  Values y = mapped(op, x, kernels::map_loops<F, sizeof...(P)>(), {static_cast<double>(p)...});
  return record(op, std::move(y), {x}, std::forward<Rule>(rule));
}

/// For a piecewise linear function: its gradient does not change with x.
struct NoSecondDerivative {};

template <class F, class Second, class... P>
UnaryOp unary_op(const char* op, bool from_result) {
  UnaryOp result = {op,
                    std::string(op) + "_grad",
                    from_result,
                    kernels::map_loops<F, sizeof...(P)>,
                    kernels::gradient_loops<F, sizeof...(P)>,
                    nullptr};
  if constexpr (!std::is_same_v<Second, NoSecondDerivative>) {
    result.second = [](const Tensor& s, const Parameters& parameters) {
      return [&]<std::size_t... i>(std::index_sequence<i...>) {
        return Second()(s, static_cast<P>(parameters[i])...);
      }
      (std::index_sequence_for<P...>());
    };
  }
  return result;
}

/// y = F(x, p...), whose gradient is computed from x. second, a lambda without captures, is the derivative of
/// dx/dy by x: second(x, p...). The parameters p are of type double.
template <class F, class Second, class... P>
Tensor unary(const char* op, Tensor x, Second, P... p) {
  static const UnaryOp self = unary_op<F, Second, P...>(op, false);
  return unary(self, x, {p...});
}

/// y = F(x, p...), whose gradient is computed from y, so that x need not be kept. second(y, p...) is the
/// derivative of the gradient by y.
template <class F, class Second, class... P>
Tensor unary_from_result(const char* op, Tensor x, Second, P... p) {
  static const UnaryOp self = unary_op<F, Second, P...>(op, true);
  return unary(self, x, {p...});
}

}  // namespace adjoint::ops
