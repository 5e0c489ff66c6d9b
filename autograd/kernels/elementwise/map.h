#pragma once
// Functions of one or two numbers, applied to every element of an array. A function is written once, in the
// source of its op. It is a specialization of Function, in the part of the source that is compiled for each
// instruction set (map-inl.h). Elements do not depend on their neighbors, so arrays may have either layout.
// An element's result does not depend on its position, on n or on the number of threads. For arrays of
// different shapes, see broadcast.h.

#include <cstdint>

#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {

/// The function that F stands for, as compiled for an instruction set. For vectors V, and m with constants
/// and functions of them (Math):
///     value(m, x, p...)         y, with the parameters p of the call as vectors
///     value(m, a, b)            y, of a function of two arrays. For int64, V is std::uint64_t.
///     gradient(m, dy, s, p...)  dx; s is the function's argument (ops::unary) or its result
///                               (ops::unary_from_result)
template <class F, std::int64_t kInstructionSet>
struct Function;

/// Loops over arrays of T, as compiled for an instruction set: see map-inl.h.
template <std::int64_t kInstructionSet, class T>
struct Loops;

/// A loop of Loops, and the work of its function for one element, in multiply-adds as parallel_for counts
/// them: the function's kWork if it has one.
template <class Call>
struct Loop {
  Call call;
  std::int64_t work;
};
template <class Call>
Loop(Call, std::int64_t) -> Loop<Call>;  // Clang 14 deduces no aggregates by itself.
template <class Function>
constexpr std::int64_t work_of() {
  if constexpr (requires { Function::kWork; }) {
    return Function::kWork;
  } else {
    return 16;
  }
}

/// y = F's value at x, n elements each; y may be x.
template <class F, class T, class... P>
void map(std::int64_t n, const T* x, T* y, P... parameters) {
  const auto loop = best<Loops, T>([]<class L>(L) {
    return Loop{L::template map<F, P...>, L::template kWork<F>};
  });
  for_chunks(n, n * loop.work,
             [&](std::int64_t i, std::int64_t count) { loop.call(count, x + i, y + i, parameters...); });
}

/// y = F's value at a and b, n elements each; y may be a or b.
template <class F, class T>
void zip(std::int64_t n, const T* a, const T* b, T* y) {
  const auto loop = best<Loops, T>([]<class L>(L) { return Loop{L::template zip<F>, L::template kWork<F>}; });
  for_chunks(n, n * loop.work,
             [&](std::int64_t i, std::int64_t count) { loop.call(count, a + i, b + i, y + i); });
}

/// dx = F's gradient from dy and x, n elements each; dx may be dy or x.
template <class F, class T, class... P>
void map_gradient(std::int64_t n, const T* dy, const T* x, T* dx, P... parameters) {
  const auto loop = best<Loops, T>([]<class L>(L) {
    return Loop{L::template map_gradient<F, P...>, L::template kWork<F>};
  });
  for_chunks(n, n * loop.work, [&](std::int64_t i, std::int64_t count) {
    loop.call(count, dy + i, x + i, dx + i, parameters...);
  });
}

}  // namespace adjoint::kernels
