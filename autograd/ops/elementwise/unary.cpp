#include "autograd/ops/elementwise/unary.h"

#include "adjoint/ops/arithmetic.h"
#include "autograd/ops/support/checks.h"
#include "autograd/ops/support/layout_policy.h"

namespace adjoint::ops {
namespace {

template <class T>
kernels::Parameters<T> rounded(const Parameters& parameters) {
  kernels::Parameters<T> result;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<T>(parameters[i]);
  return result;
}

/// dx, computed from dy and s, which is the argument or the result of op.
Tensor gradient(const UnaryOp& op, Tensor dy, const Tensor& s, const Parameters& parameters) {
  const Layout layout = common_layout(dy.values(), s.values());
  const bool in_place = !grad_enabled() && dy.is_unique() && layout == dy.values().cheapest_layout();
  Values dx = in_place ? dy.values() : Values(dy.dtype(), dy.shape(), layout);
  visit_floating(dy.dtype(), [&]<class T>() {
    kernels::map<T>(op.gradient(), dx.stored_elements(layout),
                    {dy.values().in<T>(layout), s.values().in<T>(layout)}, dx.writable<T>(),
                    rounded<T>(parameters));
  });
  if (op.second == nullptr) {
    return record(op.gradient_name.c_str(), std::move(dx), {dy},
                  [&op, parameters, s = Saved(s)](Tensor ddx, Needs) -> Grads {
                    return {gradient(op, std::move(ddx), s, parameters)};
                  });
  }
  return record(op.gradient_name.c_str(), std::move(dx), {dy, s},
                [&op, parameters, dy = Saved(dy, s.requires_grad()), s = Saved(s)](const Tensor& ddx,
                                                                                   Needs needs) -> Grads {
                  return {needs[0] ? gradient(op, ddx, s, parameters) : Tensor{},
                          needs[1] ? ddx * dy * op.second(s, parameters) : Tensor{}};
                });
}

}  // namespace

Values mapped(const char* op, const Tensor& x, const kernels::Loops& f, const Parameters& parameters) {
  check_floating(op, "x", x);
  const Values& from = x.values();
  const Layout layout = from.cheapest_layout();
  Values y = x.is_unique() ? from : Values(from.dtype(), from.shape(), layout);
  visit_floating(from.dtype(), [&]<class T>() {
    kernels::map<T>(f, from.stored_elements(layout), {from.in<T>(layout)}, y.writable<T>(),
                    rounded<T>(parameters));
  });
  return y;
}

Tensor unary(const UnaryOp& op, const Tensor& x, const Parameters& parameters) {
  const bool keeps_x = !op.from_result && grad_enabled() && x.requires_grad();
  const Tensor kept = keeps_x ? x : Tensor{};
  Values y = mapped(op.name, x, op.value(), parameters);
  if (op.from_result) {
    return record(op.name, std::move(y), {x}, [&op, parameters](Tensor dy, const Tensor& y, Needs) -> Grads {
      return {gradient(op, std::move(dy), y, parameters)};
    });
  }
  return record(op.name, std::move(y), {x},
                [&op, parameters, x = Saved(kept, keeps_x)](Tensor dy, Needs) -> Grads {
                  return {gradient(op, std::move(dy), x, parameters)};
                });
}

}  // namespace adjoint::ops
