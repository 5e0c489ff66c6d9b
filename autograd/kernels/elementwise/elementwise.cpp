#include "autograd/kernels/elementwise/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/elementwise/elementwise.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/elementwise-inl.h"
#include "autograd/kernels/threads/chunks.h"

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
  Map<T, T> leaky_relu, add_scalar, mul_scalar, div_scalar;
  Zip<T> abs_grad, tanh_grad, sigmoid_grad, relu_grad;
  Zip<T, T> leaky_relu_grad, add_scaled;
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
struct AddScalar {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V s) const {
    return hn::Add(x, s);
  }
};
struct MulScalar {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V s) const {
    return hn::Mul(x, s);
  }
};
struct DivScalar {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V s) const {
    return hn::Div(x, s);
  }
};

struct AbsGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V dy, V x) const {
    const V zero = hn::Zero(d);
    return hn::IfThenElse(hn::Lt(x, zero), hn::Neg(dy), hn::IfThenZeroElse(hn::Eq(x, zero), dy));
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
    return hn::IfThenZeroElse(hn::Le(y, hn::Zero(d)), dy);
  }
};
struct LeakyReluGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V dy, V x, V slope) const {
    return hn::IfThenElse(hn::Le(x, hn::Zero(d)), hn::Mul(slope, dy), dy);
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
constexpr Table<T> kTable = {
    .sqrt = map<Sqrt, T>,
    .square = map<Square, T>,
    .reciprocal = map<Reciprocal, T>,
    .abs = map<Abs, T>,
    .neg = map<Neg, T>,
    .relu = map<Relu, T>,
    .leaky_relu = map<LeakyRelu, T, T>,
    .add_scalar = map<AddScalar, T, T>,
    .mul_scalar = map<MulScalar, T, T>,
    .div_scalar = map<DivScalar, T, T>,
    .abs_grad = zip<AbsGrad, T>,
    .tanh_grad = zip<TanhGrad, T>,
    .sigmoid_grad = zip<SigmoidGrad, T>,
    .relu_grad = zip<ReluGrad, T>,
    .leaky_relu_grad = zip<LeakyReluGrad, T, T>,
    .add_scaled = zip<AddScaled, T, T>,
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
    std::transform(x, x + n, y, [](T value) { return static_cast<T>(-static_cast<std::uint64_t>(value)); });
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
void add_scalar(std::int64_t n, T s, const T* x, T* y) {
  run(table<T>().add_scalar, n, x, y, s);
}

template <class T>
void mul_scalar(std::int64_t n, T s, const T* x, T* y) {
  run(table<T>().mul_scalar, n, x, y, s);
}

template <class T>
void div_scalar(std::int64_t n, T s, const T* x, T* y) {
  run(table<T>().div_scalar, n, x, y, s);
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

template void neg(std::int64_t, const std::int64_t*, std::int64_t*);

#define ADJOINT_INSTANTIATE(T)                                            \
  template void sqrt(std::int64_t, const T*, T*);                         \
  template void square(std::int64_t, const T*, T*);                       \
  template void reciprocal(std::int64_t, const T*, T*);                   \
  template void abs(std::int64_t, const T*, T*);                          \
  template void neg(std::int64_t, const T*, T*);                          \
  template void relu(std::int64_t, const T*, T*);                         \
  template void leaky_relu(std::int64_t, T, const T*, T*);                \
  template void add_scalar(std::int64_t, T, const T*, T*);                \
  template void mul_scalar(std::int64_t, T, const T*, T*);                \
  template void div_scalar(std::int64_t, T, const T*, T*);                \
  template void abs_grad(std::int64_t, const T*, const T*, T*);           \
  template void tanh_grad(std::int64_t, const T*, const T*, T*);          \
  template void sigmoid_grad(std::int64_t, const T*, const T*, T*);       \
  template void relu_grad(std::int64_t, const T*, const T*, T*);          \
  template void leaky_relu_grad(std::int64_t, T, const T*, const T*, T*); \
  template void add_scaled(std::int64_t, T, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
