#pragma once
// Elementwise ops of one argument. The source of an op has a function of vectors (see
// kernels/elementwise/map.h) and calls one of the templates below. The op is then vectorized, runs in either
// layout, computes in the memory of a temporary, and can be differentiated any number of times.

#include <string>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "autograd/kernels/elementwise/map.h"
#include "autograd/ops/support/checks.h"
#include "autograd/ops/support/layout_policy.h"

namespace adjoint::ops {

/// For a piecewise linear function: its gradient does not change with x.
struct NoSecondDerivative {};

/// y = F(x, p...), recorded with rule. If x is a temporary that the rule does not keep, y takes its memory.
template <class F, class Rule, class... P>
Tensor map_op(const char* op, Tensor x, Rule&& rule, P... p) {
  check_floating(op, "x", x);
  const Values& from = x.values();
  const Layout layout = from.cheapest_layout();
  Values y = x.is_unique() ? from : Values(from.dtype(), from.shape(), layout);
  visit_floating(from.dtype(), [&]<class T>() {
    kernels::map<F>(from.stored_elements(layout), from.in<T>(layout), y.writable<T>(), static_cast<T>(p)...);
  });
  return record(op, std::move(y), {x}, std::forward<Rule>(rule));
}

/// dx = F's gradient, computed from dy, p and s, which is F's argument or its result. second(s) is the
/// derivative of dx with respect to s, divided by dy.
template <class F, class Second, class... P>
Tensor gradient_op(const char* op, Tensor dy, const Tensor& s, const Second& second, P... p) {
  static const std::string name = std::string(op) + "_grad";
  const Layout layout = common_layout(dy.values(), s.values());
  const bool in_place = !grad_enabled() && dy.is_unique() && layout == dy.values().cheapest_layout();
  Values dx = in_place ? dy.values() : Values(dy.dtype(), dy.shape(), layout);
  visit_floating(dy.dtype(), [&]<class T>() {
    kernels::map_gradient<F>(dx.stored_elements(layout), dy.values().in<T>(layout), s.values().in<T>(layout),
                             dx.writable<T>(), static_cast<T>(p)...);
  });
  if constexpr (std::is_same_v<Second, NoSecondDerivative>) {
    return record(name.c_str(), std::move(dx), {dy}, [=, s = Saved(s)](Tensor ddx, Needs) -> Grads {
      return {gradient_op<F>(op, std::move(ddx), s, second, p...)};
    });
  } else {
    return record(
        name.c_str(), std::move(dx), {dy, s},
        [=, dy = Saved(dy, s.requires_grad()), s = Saved(s)](const Tensor& ddx, Needs needs) -> Grads {
          return {needs[0] ? gradient_op<F>(op, ddx, s, second, p...) : Tensor{},
                  needs[1] ? ddx * dy * second(s) : Tensor{}};
        });
  }
}

/// y = F(x, p...), whose gradient is computed from x.
template <class F, class Second, class... P>
Tensor unary(const char* op, Tensor x, const Second& second, P... p) {
  const bool keeps_x = grad_enabled() && x.requires_grad();
  const Tensor kept = keeps_x ? x : Tensor{};
  return map_op<F>(
      op, std::move(x),
      [=, x = Saved(kept, keeps_x)](Tensor dy, Needs) -> Grads {
        return {gradient_op<F>(op, std::move(dy), x, second, p...)};
      },
      p...);
}

/// y = F(x, p...), whose gradient is computed from y, so that x need not be kept.
template <class F, class Second, class... P>
Tensor unary_from_result(const char* op, Tensor x, const Second& second, P... p) {
  return map_op<F>(
      op, std::move(x),
      [=](Tensor dy, const Tensor& y, Needs) -> Grads {
        return {gradient_op<F>(op, std::move(dy), y, second, p...)};
      },
      p...);
}

}  // namespace adjoint::ops
