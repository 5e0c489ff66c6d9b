#include "adjoint/ops/loss.h"

#include <numeric>

#include "adjoint/graph/node.h"
#include "adjoint/ops/arithmetic.h"
#include "adjoint/ops/math.h"
#include "adjoint/ops/reduce.h"
#include "adjoint/ops/softmax.h"
#include "adjoint/tensor/create.h"
#include "autograd/kernels/reduce/reduce.h"
#include "autograd/kernels/softmax/softmax.h"
#include "autograd/kernels/threads/scratch.h"
#include "autograd/ops/loss/reduction.h"
#include "autograd/ops/support/checks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/ops/loss/loss.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/arithmetic-inl.h"

#if HWY_ONCE
namespace adjoint {
namespace {

Values number(DType dtype, double value) {
  Values result(dtype, {});
  visit_floating(dtype, [&]<class T>() { *result.writable<T>() = static_cast<T>(value); });
  return result;
}

bool are_classes(const Tensor& target) { return target.dtype() == DType::int64; }

void check_cross_entropy(const Tensor& logits, const Tensor& target) {
  const char* op = "softmax_cross_entropy";
  ops::check_floating(op, "logits", logits);
  ops::check_rank(op, "logits", logits, 2);
  const std::int64_t batch = logits.size(0), classes = logits.size(1);
  check_shape(classes > 0, "{}: logits must have at least one class, it is {}", op, logits.shape());
  if (!are_classes(target)) {
    check<DTypeError>(target.dtype() == logits.dtype(),
                      "{}: target must be int64 classes or probabilities of logits' dtype {}, it is {}", op,
                      logits.dtype(), target.dtype());
    check_shape(
        target.shape() == logits.shape(),
        "{}: target probabilities must have the shape of logits {}, it is {}; class numbers are int64, "
        "target is {}",
        op, logits.shape(), target.shape(), target.dtype());
    return;
  }
  check_shape(target.shape() == Shape{batch},
              "{}: target classes must be [{}], one for each row of logits {}, it is {}", op, batch,
              logits.shape(), target.shape());
  const auto data = target.data<std::int64_t>();
  for (std::size_t n = 0; n < data.size(); ++n) {
    check(data[n] >= 0 && data[n] < classes, "{}: target[{}] is class {}, logits {} have classes 0 to {}", op,
          n, data[n], logits.shape(), classes - 1);
  }
}

/// Calls f(targets), where targets is target's array of classes or of probabilities.
template <class T, class F>
void with_targets(const Tensor& target, Layout layout, const F& f) {
  if (are_classes(target)) {
    f(target.values().row_major<std::int64_t>());
  } else {
    f(target.values().in<T>(layout));
  }
}

/// The sum of the losses of a batch, and softmax(logits) for the gradient.
double cross_entropy(const Tensor& logits, const Tensor& target, Values& probabilities) {
  const std::int64_t batch = logits.size(0), classes = logits.size(1);
  const Layout layout = probabilities.cheapest_layout();
  return visit_floating(logits.dtype(), [&]<class T>() {
    const kernels::Scratch<T> losses(batch);
    const T* x = logits.values().in<T>(layout);
    T* s = probabilities.writable<T>();
    with_targets<T>(target, layout, [&](const auto* targets) {
      kernels::cross_entropy(layout, batch, classes, x, targets, losses.get(), s);
    });
    // In double: a float32 sum over a large batch would lose digits.
    return std::accumulate(losses.get(), losses.get() + batch, 0.0);
  });
}

/// dlogits = scale (S sum_j t_j - t)
Values cross_entropy_grad(double scale, const Values& probabilities, const Tensor& target) {
  const std::int64_t batch = probabilities.shape()[0], classes = probabilities.shape()[1];
  const Layout layout = probabilities.cheapest_layout();
  Values dlogits(probabilities.dtype(), probabilities.shape(), layout);
  visit_floating(probabilities.dtype(), [&]<class T>() {
    const T factor = static_cast<T>(scale), *s = probabilities.in<T>(layout), *ones = nullptr;
    T* dx = dlogits.writable<T>();
    with_targets<T>(target, layout, [&](const auto* targets) {
      kernels::cross_entropy_grad(layout, batch, classes, factor, ones, s, targets, dx);
    });
  });
  return dlogits;
}

/// t[n,k] = 1 where k is the class of row n, else 0.
Tensor one_hot(const Tensor& classes, const Shape& shape, DType dtype) {
  Values result = zeros(shape, {.dtype = dtype}).values();
  visit_floating(dtype, [&]<class T>() {
    T* row = result.writable<T>();
    for (const std::int64_t k : classes.data<std::int64_t>()) {
      row[k] = 1;
      row += shape[1];
    }
  });
  return Tensor(std::move(result));
}

/// The same as cross_entropy_grad, in ops that can be differentiated.
Tensor recorded_cross_entropy_grad(const Tensor& scale, const Tensor& logits, const Tensor& target) {
  const Tensor s = softmax(logits, 1);
  if (are_classes(target)) return (s - one_hot(target, s.shape(), s.dtype())) * scale;
  return (s * sum(target, {1}, {.keepdim = true}) - target) * scale;
}

}  // namespace

Tensor ops::fused_cross_entropy(const char* op, const Tensor& logits, const Tensor& target,
                                Reduction reduction) {
  const double divisor = loss_divisor(op, reduction, {logits.size(0)}, "logits", logits.shape());
  Values probabilities(logits.dtype(), logits.shape(), logits.values().cheapest_layout());
  const double loss = cross_entropy(logits, target, probabilities);
  return record(op, number(logits.dtype(), loss / divisor), {logits, target},
                [divisor, logits = Saved(logits), target = Saved(target),
                 probabilities = std::move(probabilities)](const Tensor& dy, Needs needs) -> Grads {
                  Tensor dlogits, dtarget;
                  if (needs[0]) {
                    dlogits = grad_enabled()
                                  ? recorded_cross_entropy_grad(dy / divisor, logits, target)
                                  : Tensor(cross_entropy_grad(dy.item() / divisor, probabilities, target));
                  }
                  if (needs[1]) dtarget = log_softmax(logits, 1) * (dy / -divisor);
                  return {dlogits, dtarget};
                });
}

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& target, const LossOptions& options) {
  check_cross_entropy(logits, target);
  if (options.reduction == Reduction::none)
    return cross_entropy(logits, target, {.reduction = Reduction::none});
  return ops::fused_cross_entropy("softmax_cross_entropy", logits, target, options.reduction);
}

Tensor mse(const Tensor& x, const Tensor& target, const LossOptions& options) {
  ops::check_same("mse", "x", x, "target", target);
  if (options.reduction == Reduction::none) return square(x - target);
  const double divisor = ops::loss_divisor("mse", options.reduction, x.shape(), "x", x.shape());
  const Tensor difference = x - target;
  const double sum = visit_floating(x.dtype(), [&]<class T>() {
    const kernels::Scratch<T> squares(x.numel());
    const T* d = difference.values().row_major<T>();
    kernels::zip<kernels::Mul>(x.numel(), d, d, squares.get());
    return static_cast<double>(kernels::sum_all(x.numel(), squares.get()));
  });
  return record("mse", number(x.dtype(), sum / divisor), {difference},
                [divisor, difference = Saved(difference)](const Tensor& dy, Needs) -> Grads {
                  const Tensor& d = difference;
                  return {grad_enabled() ? d * (dy * 2 / divisor) : d * (dy.item() * 2 / divisor)};
                });
}

}  // namespace adjoint
#endif
