#include "autograd/kernels/reduce/lane_sums.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/reduce/lane_sums.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

template <class T>
void add_up(std::int64_t count, const T* values, T* sums) {
  const Tag<T> d;
  // The sum of the vectors of one block.
  const auto vector_of = [&](std::int64_t i) HWY_ATTR {
    const T* block = values + i * kInterleaved<T>;
    auto sum = hn::Load(d, block);
    for (std::int64_t lane = kVectorSize<T>; lane < kInterleaved<T>; lane += kVectorSize<T>)
      sum = hn::Add(sum, hn::Load(d, block + lane));
    return sum;
  };
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4)
    store_sums(d, vector_of(i), vector_of(i + 1), vector_of(i + 2), vector_of(i + 3), sums + i);
  for (; i < count; ++i) sums[i] = hn::GetLane(hn::SumOfLanes(d, vector_of(i)));
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct LaneSums;

template <class T>
struct LaneSums<HWY_TARGET, T> {
  static constexpr auto add_up = HWY_NAMESPACE::add_up<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

template <class T>
void add_up_lanes(std::int64_t count, const T* values, T* sums) {
  best<LaneSums, T>([&](auto k) { k.add_up(count, values, sums); });
}

template <class T>
void clear_spare_lanes(std::int64_t count, std::int64_t used, T* values) {
  for (std::int64_t i = 0; i < count; ++i, values += kInterleaved<T>)
    std::fill(values + used, values + kInterleaved<T>, T(0));
}

template void add_up_lanes(std::int64_t, const float*, float*);
template void add_up_lanes(std::int64_t, const double*, double*);
template void clear_spare_lanes(std::int64_t, std::int64_t, float*);
template void clear_spare_lanes(std::int64_t, std::int64_t, double*);

}  // namespace adjoint::kernels
#endif
