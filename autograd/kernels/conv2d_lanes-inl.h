// What the inner kernels of the lanes convolution share, once per instruction set.

#if defined(ADJOINT_CONV2D_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_CONV2D_LANES_INL_H
#undef ADJOINT_CONV2D_LANES_INL_H
#else
#define ADJOINT_CONV2D_LANES_INL_H
#endif

#include <hwy/highway.h>

#include "autograd/kernels/conv2d_lanes.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A block of images, or the part of it that one register holds.
template <class T>
using Lanes = hn::CappedTag<T, kLanes<T>>;

/// kMostColumns[m - 1]: into how many sums each of m values goes at once. All m x columns sums stay in
/// registers, of which AVX-512 has 32 and the others 16.
/// Never growing with m, so that what suits a block suits one of fewer rows.
#if HWY_TARGET <= HWY_AVX3
constexpr int kMostColumns[kBlockChannels] = {8, 8, 8, 6};
#else
constexpr int kMostColumns[kBlockChannels] = {5, 4, 4, 3};
#endif
constexpr int kMaxColumns = 8;  // of all

// Two hints for GCC, which would load a value again for each of its uses, and compile every loop twice, the
// second time for a step of 1.
template <class V>
HWY_INLINE void keep_in_register([[maybe_unused]] V& value) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC && !HWY_COMPILER_CLANG
  asm("" : "+v"(value.raw));
#endif
}
HWY_INLINE std::int64_t of_unknown_size(std::int64_t step) {
  asm("" : "+r"(step));
  return step;
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
