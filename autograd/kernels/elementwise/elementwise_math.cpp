// The elementwise functions made of exponentials and logarithms.
#include <cmath>

#include "autograd/kernels/elementwise/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/elementwise/elementwise_math.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/elementwise_math-inl.h"
#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/threads/chunks.h"

#ifndef ADJOINT_ELEMENTWISE_MATH_TABLE
#define ADJOINT_ELEMENTWISE_MATH_TABLE
namespace adjoint::kernels {
namespace {

/// The functions as compiled for one instruction set.
template <class T>
struct Table {
  using Map = void (*)(std::int64_t n, const T* x, T* y);
  Map exp, log, tanh, sigmoid, softplus;
  void (*softplus_grad)(std::int64_t n, const T* dy, const T* x, T* dx);
};

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

template <class F, class T>
void map(std::int64_t n, const T* x, T* y) {
  for_vectors<T>(
      n, [&](std::int64_t i, auto part) HWY_ATTR { part.store(F()(Tag<T>(), part.load(x + i)), y + i); });
}

template <class T>
void softplus_grad(std::int64_t n, const T* dy, const T* x, T* dx) {
  for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
    part.store(hn::Mul(part.load(dy + i), Sigmoid()(Tag<T>(), part.load(x + i))), dx + i);
  });
}

template <class T>
constexpr Table<T> kTable = {.exp = map<Exp, T>,
                             .log = map<Log, T>,
                             .tanh = map<Tanh, T>,
                             .sigmoid = map<Sigmoid, T>,
                             .softplus = map<Softplus, T>,
                             .softplus_grad = softplus_grad<T>};

ADJOINT_TABLES_OF_INSTRUCTION_SET

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

ADJOINT_TABLES_OF_PROCESSOR(table)

constexpr std::int64_t kFunctionWork = 16;  // Multiply-adds that one of these functions is worth.

template <class T>
void run(typename Table<T>::Map f, std::int64_t n, const T* x, T* y) {
  for_chunks(n, n * kFunctionWork, [&](std::int64_t i, std::int64_t count) { f(count, x + i, y + i); });
}

}  // namespace

template <class T>
void exp(std::int64_t n, const T* x, T* y) {
  run(table<T>().exp, n, x, y);
}

template <class T>
void log(std::int64_t n, const T* x, T* y) {
  run(table<T>().log, n, x, y);
}

template <class T>
void tanh(std::int64_t n, const T* x, T* y) {
  run(table<T>().tanh, n, x, y);
}

template <class T>
void sigmoid(std::int64_t n, const T* x, T* y) {
  run(table<T>().sigmoid, n, x, y);
}

template <class T>
void softplus(std::int64_t n, const T* x, T* y) {
  run(table<T>().softplus, n, x, y);
}

template <class T>
void softplus_grad(std::int64_t n, const T* dy, const T* x, T* dx) {
  for_chunks(n, n * kFunctionWork, [&](std::int64_t i, std::int64_t count) {
    table<T>().softplus_grad(count, dy + i, x + i, dx + i);
  });
}

// exp(p log x) would lose digits, so this is <cmath>'s; the powers that models use have faster functions.
template <class T>
void pow_scalar(std::int64_t n, T p, const T* x, T* y) {
  if (p == T(2)) return square(n, x, y);
  if (p == T(-1)) return reciprocal(n, x, y);
  for_chunks(n, n * 8 * kFunctionWork, [&](std::int64_t i, std::int64_t count) {
    std::transform(x + i, x + i + count, y + i, [p](T value) { return std::pow(value, p); });
  });
}

#define ADJOINT_INSTANTIATE(T)                                       \
  template void exp(std::int64_t, const T*, T*);                     \
  template void log(std::int64_t, const T*, T*);                     \
  template void tanh(std::int64_t, const T*, T*);                    \
  template void sigmoid(std::int64_t, const T*, T*);                 \
  template void softplus(std::int64_t, const T*, T*);                \
  template void softplus_grad(std::int64_t, const T*, const T*, T*); \
  template void pow_scalar(std::int64_t, T, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
