#pragma once
// Functions of a few numbers, applied to every element of arrays. A function is written once, in the source
// of its op. It is a specialization of Function, in the part of the source that is compiled for each
// instruction set (map-inl.h). Only its loops over whole vectors are compiled there: ends of arrays, repeated
// arguments (broadcast.h), threads and the choice of the instruction set are code that all functions share.
// Elements do not depend on their neighbors, so arrays may have either layout. An element's result does not
// depend on its position, on n or on the number of threads.

#include <array>
#include <cstdint>
#include <type_traits>

#include "autograd/kernels/simd/dispatch.h"

namespace adjoint::kernels {

/// The function that F stands for, as compiled for an instruction set. For vectors V, and m with constants
/// and functions of them (Math):
///     value(m, x, p...)         y, with the parameters p of the call as vectors
///     value(m, a, b)            y, of a function of two arrays; likewise of three. For int64, V is
///                               std::uint64_t.
///     gradient(m, dy, s, p...)  dx; s is the function's argument (ops::unary) or its result
///                               (ops::unary_from_result)
template <class F, std::int64_t kInstructionSet>
struct Function;

inline constexpr int kMaxOperands = 3, kMaxParameters = 3;

template <class T>
using Operands = std::array<const T*, kMaxOperands>;
template <class T>
using Parameters = std::array<T, kMaxParameters>;

/// The arrays of one loop.
template <class T>
struct Arrays {
  Operands<T> operands;
  /// From one vector of an operand to the next: its size, or 0 for an operand that is the same for all of y.
  /// For int64, from one element to the next.
  std::int64_t steps[kMaxOperands];
  T* y;
  const T* parameters;
};

/// Computes n elements of y; n is a multiple of the vector size, except for int64.
template <class T>
using Loop = void (*)(const Arrays<T>& arrays, std::int64_t n);

/// The loops of one function, for each type of element.
struct Loops {
  std::int64_t instruction_set;
  int operands;
  std::int64_t work;  ///< For one element, in multiply-adds as parallel_for counts them.
  Loop<float> of_float;
  Loop<double> of_double;
  Loop<std::int64_t> of_int64;  ///< Null for a function that takes floating numbers only.

  template <class T>
  Loop<T> of() const {
    if constexpr (std::is_same_v<T, float>) {
      return of_float;
    } else if constexpr (std::is_same_v<T, double>) {
      return of_double;
    } else {
      static_assert(std::is_same_v<T, std::int64_t>);
      return of_int64;
    }
  }
};

/// The Loops of F, as compiled for an instruction set: see map-inl.h.
template <std::int64_t kInstructionSet, class F>
struct LoopsOf;

/// y = value(x), with this number of parameters.
template <class F, int kParameters>
const Loops& map_loops() {
  return *best<LoopsOf, F>([]<class L>(L) { return &L::template kMap<kParameters>; });
}
/// dx = gradient(dy, s), likewise.
template <class F, int kParameters>
const Loops& gradient_loops() {
  return *best<LoopsOf, F>([]<class L>(L) { return &L::template kGradient<kParameters>; });
}
/// y = value(a, b) or value(a, b, c); for int64, too, if kIntegers.
template <class F, int kOperands, bool kIntegers>
const Loops& zip_loops() {
  return *best<LoopsOf, F>([]<class L>(L) { return &L::template kZip<kOperands, kIntegers>; });
}

/// y = f(operands), n elements each; y may be one of the operands. T is float, double or std::int64_t.
template <class T>
void map(const Loops& f, std::int64_t n, const Operands<T>& operands, T* y,
         const Parameters<T>& parameters = {});

/// y = F's value at a and b, n elements each; y may be a or b.
template <class F, class T>
void zip(std::int64_t n, const T* a, const T* b, T* y) {
  map<T>(zip_loops<F, 2, false>(), n, {a, b}, y);
}

}  // namespace adjoint::kernels
