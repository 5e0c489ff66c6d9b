#pragma once
// How kernels call the functions that are compiled for this processor's instruction set. A source that
// includes hwy/foreach_target.h is compiled once for each set; there it specializes a struct of its
// functions,
//
//     template <std::int64_t kInstructionSet, class T>
//     struct Sums;
//
//     template <class T>
//     struct Sums<HWY_TARGET, T> {
//       static constexpr auto sum = HWY_NAMESPACE::sum<T>;
//     };
//
// and calls best<Sums, T>([&](auto sums) { sums.sum(...); }) from the part that is compiled once.

#include <cstdint>
#include <hwy/detect_targets.h>

namespace adjoint::kernels {

/// The best instruction set that this processor has and kernels are compiled for: HWY_AVX2, HWY_SSE4, ...
std::int64_t instruction_set();

/// Calls call(Kernels<set, T>()), set being instruction_set(), and returns what it returns.
template <template <std::int64_t, class> class Kernels, class T, std::int64_t kSets = HWY_TARGETS, class Call>
auto best(const Call& call, std::int64_t set = instruction_set()) {
  constexpr std::int64_t kFirst = kSets & -kSets;
  if constexpr (kFirst != kSets) {
    if (set != kFirst) return best<Kernels, T, kSets ^ kFirst>(call, set);
  }
  return call(Kernels<kFirst, T>());
}

}  // namespace adjoint::kernels
