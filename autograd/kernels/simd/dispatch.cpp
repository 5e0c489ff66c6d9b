#include "autograd/kernels/simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/simd/dispatch.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

std::int64_t this_set() { return HWY_TARGET; }

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

HWY_EXPORT(this_set);

std::int64_t instruction_set() { return HWY_DYNAMIC_DISPATCH(this_set)(); }

}  // namespace adjoint::kernels
#endif
