#include "autograd/kernels/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/elementwise.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/chunks.h"
#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/elementwise-inl.h"

#ifndef ADJOINT_ELEMENTWISE_TABLE
#define ADJOINT_ELEMENTWISE_TABLE
namespace adjoint::kernels {
namespace {

/// y from x and parameters.
template <class T, class... P>
using Map = void (*)(std::int64_t n, const T* x, T* y, P... parameters);
/// y from a, b and parameters.
template <class T, class... P>
using Zip = void (*)(std::int64_t n, const T* a, const T* b, T* y, P... parameters);

/// The functions as compiled for one instruction set.
template <class T>
struct Table {
  Map<T> sqrt, square, reciprocal, abs, neg, relu;
  Map<T, T> leaky_relu;
  Map<T, T, T> scale_shift;
  Zip<T> abs_grad, tanh_grad, sigmoid_grad, relu_grad;
  Zip<T, T> leaky_relu_grad, add_scaled;
  void (*sgd_step)(std::int64_t n, const SgdStep& step, const T* grad, T* velocity, T* param);
  void (*adam_step)(std::int64_t n, const AdamStep& step, const T* grad, T* m, T* v, T* param);
};

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

struct Sqrt {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Sqrt(x);
  }
};
struct Square {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Mul(x, x);
  }
};
struct Reciprocal {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(hn::Set(d, hn::TFromD<D>(1)), x);
  }
};
struct Abs {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Abs(x);
  }
};
struct Neg {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Neg(x);
  }
};
struct Relu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);
  }
};
struct LeakyRelu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V slope) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(slope, x));
  }
};
struct ScaleShift {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V scale, V shift) const {
    return hn::MulAdd(scale, x, shift);
  }
};

struct AbsGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V dy, V x) const {
    const V signed_dy = hn::Xor(dy, hn::And(x, hn::SignBit(d)));
    return hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), signed_dy);
  }
};
struct TanhGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V dy, V y) const {
    return hn::Mul(dy, hn::NegMulAdd(y, y, hn::Set(d, hn::TFromD<D>(1))));
  }
};
struct SigmoidGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V dy, V y) const {
    return hn::Mul(hn::Mul(dy, y), hn::Sub(hn::Set(d, hn::TFromD<D>(1)), y));
  }
};
struct ReluGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V dy, V y) const {
    return hn::IfThenElseZero(hn::Gt(y, hn::Zero(d)), dy);
  }
};
struct LeakyReluGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V dy, V x, V slope) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), dy, hn::Mul(slope, dy));
  }
};
struct AddScaled {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y, V scale) const {
    return hn::MulAdd(scale, x, y);
  }
};

template <class F, class T, class... P>
void map(std::int64_t n, const T* x, T* y, P... parameters) {
  for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    part.store(F()(Tag<T>(), part.load(x + i), hn::Set(Tag<T>(), parameters)...), y + i);
  });
}

template <class F, class T, class... P>
void zip(std::int64_t n, const T* a, const T* b, T* y, P... parameters) {
  for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    part.store(F()(Tag<T>(), part.load(a + i), part.load(b + i), hn::Set(Tag<T>(), parameters)...), y + i);
  });
}

template <class T>
void sgd_step(std::int64_t n, const SgdStep& step, const T* grad, T* velocity, T* param) {
  const Tag<T> d;
  const auto rate = hn::Set(d, static_cast<T>(step.learning_rate));
  const auto momentum = hn::Set(d, static_cast<T>(step.momentum));
  const auto decay = hn::Set(d, static_cast<T>(step.weight_decay));
  const bool moving = step.momentum != 0;
  for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    const auto p = part.load(param + i);
    auto g = hn::MulAdd(decay, p, part.load(grad + i));
    if (moving) {
      g = hn::MulAdd(momentum, part.load(velocity + i), g);
      part.store(g, velocity + i);
    }
    part.store(hn::NegMulAdd(rate, g, p), param + i);
  });
}

template <class T>
void adam_step(std::int64_t n, const AdamStep& step, const T* grad, T* m, T* v, T* param) {
  const Tag<T> d;
  const auto decay = hn::Set(d, static_cast<T>(step.weight_decay));
  const auto beta1 = hn::Set(d, static_cast<T>(step.beta1)),
             rest1 = hn::Set(d, static_cast<T>(1 - step.beta1));
  const auto beta2 = hn::Set(d, static_cast<T>(step.beta2)),
             rest2 = hn::Set(d, static_cast<T>(1 - step.beta2));
  const auto rate = hn::Set(d, static_cast<T>(step.learning_rate / step.bias_correction1));
  const auto unbias2 = hn::Set(d, static_cast<T>(1 / step.bias_correction2));
  const auto epsilon = hn::Set(d, static_cast<T>(step.epsilon));
  for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    const auto p = part.load(param + i);
    const auto g = hn::MulAdd(decay, p, part.load(grad + i));
    const auto mean = hn::MulAdd(beta1, part.load(m + i), hn::Mul(rest1, g));
    const auto square = hn::MulAdd(beta2, part.load(v + i), hn::Mul(hn::Mul(rest2, g), g));
    part.store(mean, m + i);
    part.store(square, v + i);
    const auto root = hn::Add(hn::Sqrt(hn::Mul(square, unbias2)), epsilon);
    part.store(hn::Sub(p, hn::Div(hn::Mul(rate, mean), root)), param + i);
  });
}

template <class T>
constexpr Table<T> kTable = {
    .sqrt = map<Sqrt, T>,
    .square = map<Square, T>,
    .reciprocal = map<Reciprocal, T>,
    .abs = map<Abs, T>,
    .neg = map<Neg, T>,
    .relu = map<Relu, T>,
    .leaky_relu = map<LeakyRelu, T, T>,
    .scale_shift = map<ScaleShift, T, T, T>,
    .abs_grad = zip<AbsGrad, T>,
    .tanh_grad = zip<TanhGrad, T>,
    .sigmoid_grad = zip<SigmoidGrad, T>,
    .relu_grad = zip<ReluGrad, T>,
    .leaky_relu_grad = zip<LeakyReluGrad, T, T>,
    .add_scaled = zip<AddScaled, T, T>,
    .sgd_step = sgd_step<T>,
    .adam_step = adam_step<T>,
};

ADJOINT_TABLES_OF_INSTRUCTION_SET

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

ADJOINT_TABLES_OF_PROCESSOR(table)

template <class T, class... P>
void run(Map<T, P...> f, std::int64_t n, const T* x, T* y, P... parameters) {
  for_chunks(n, n * kElementWork,
             [&](std::int64_t i, std::int64_t count) { f(count, x + i, y + i, parameters...); });
}

template <class T, class... P>
void run(Zip<T, P...> f, std::int64_t n, const T* a, const T* b, T* y, P... parameters) {
  for_chunks(n, n * kElementWork,
             [&](std::int64_t i, std::int64_t count) { f(count, a + i, b + i, y + i, parameters...); });
}

}  // namespace

template <class T>
void sqrt(std::int64_t n, const T* x, T* y) {
  run(table<T>().sqrt, n, x, y);
}

template <class T>
void square(std::int64_t n, const T* x, T* y) {
  run(table<T>().square, n, x, y);
}

template <class T>
void reciprocal(std::int64_t n, const T* x, T* y) {
  run(table<T>().reciprocal, n, x, y);
}

template <class T>
void abs(std::int64_t n, const T* x, T* y) {
  run(table<T>().abs, n, x, y);
}

template <class T>
void neg(std::int64_t n, const T* x, T* y) {
  if constexpr (std::is_integral_v<T>) {
    std::transform(x, x + n, y, [](T value) { return -value; });
  } else {
    run(table<T>().neg, n, x, y);
  }
}

template <class T>
void relu(std::int64_t n, const T* x, T* y) {
  run(table<T>().relu, n, x, y);
}

template <class T>
void leaky_relu(std::int64_t n, T slope, const T* x, T* y) {
  run(table<T>().leaky_relu, n, x, y, slope);
}

template <class T>
void scale_shift(std::int64_t n, T scale, T shift, const T* x, T* y) {
  run(table<T>().scale_shift, n, x, y, scale, shift);
}

template <class T>
void abs_grad(std::int64_t n, const T* dy, const T* x, T* dx) {
  run(table<T>().abs_grad, n, dy, x, dx);
}

template <class T>
void tanh_grad(std::int64_t n, const T* dy, const T* y, T* dx) {
  run(table<T>().tanh_grad, n, dy, y, dx);
}

template <class T>
void sigmoid_grad(std::int64_t n, const T* dy, const T* y, T* dx) {
  run(table<T>().sigmoid_grad, n, dy, y, dx);
}

template <class T>
void relu_grad(std::int64_t n, const T* dy, const T* y, T* dx) {
  run(table<T>().relu_grad, n, dy, y, dx);
}

template <class T>
void leaky_relu_grad(std::int64_t n, T slope, const T* dy, const T* x, T* dx) {
  run(table<T>().leaky_relu_grad, n, dy, x, dx, slope);
}

template <class T>
void add_scaled(std::int64_t n, T scale, const T* x, T* y) {
  run(table<T>().add_scaled, n, x, static_cast<const T*>(y), y, scale);
}

// Updates count as one multiply-add for each parameter: parameters whose products one thread forms stay with
// it.

template <class T>
void sgd_step(std::int64_t n, const SgdStep& step, const T* grad, T* velocity, T* param) {
  for_chunks(n, n, [&](std::int64_t i, std::int64_t count) {
    table<T>().sgd_step(count, step, grad + i, step.momentum == 0 ? nullptr : velocity + i, param + i);
  });
}

template <class T>
void adam_step(std::int64_t n, const AdamStep& step, const T* grad, T* m, T* v, T* param) {
  for_chunks(n, n, [&](std::int64_t i, std::int64_t count) {
    table<T>().adam_step(count, step, grad + i, m + i, v + i, param + i);
  });
}

template void neg(std::int64_t, const std::int64_t*, std::int64_t*);

#define ADJOINT_INSTANTIATE(T)                                            \
  template void sqrt(std::int64_t, const T*, T*);                         \
  template void square(std::int64_t, const T*, T*);                       \
  template void reciprocal(std::int64_t, const T*, T*);                   \
  template void abs(std::int64_t, const T*, T*);                          \
  template void neg(std::int64_t, const T*, T*);                          \
  template void relu(std::int64_t, const T*, T*);                         \
  template void leaky_relu(std::int64_t, T, const T*, T*);                \
  template void scale_shift(std::int64_t, T, T, const T*, T*);            \
  template void abs_grad(std::int64_t, const T*, const T*, T*);           \
  template void tanh_grad(std::int64_t, const T*, const T*, T*);          \
  template void sigmoid_grad(std::int64_t, const T*, const T*, T*);       \
  template void relu_grad(std::int64_t, const T*, const T*, T*);          \
  template void leaky_relu_grad(std::int64_t, T, const T*, const T*, T*); \
  template void add_scaled(std::int64_t, T, const T*, T*);                \
  template void sgd_step(std::int64_t, const SgdStep&, const T*, T*, T*); \
  template void adam_step(std::int64_t, const AdamStep&, const T*, T*, T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
