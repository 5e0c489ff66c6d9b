// Sums across lanes. Registers are added up several at a time, by interleaving them until each lane holds
// another sum.

#include "autograd/kernels/reduce/lane_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/reduce/lane_sums.cpp"
#include <algorithm>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/simd/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Lanes = hn::CappedTag<T, kInterleaved<T>>;

/// One block of lanes added into one register.
template <class T>
HWY_INLINE hn::Vec<Lanes<T>> folded(const T* values) {
  const Lanes<T> d;
  auto sum = hn::Load(d, values);
  for (std::size_t lane = hn::Lanes(d); lane < kInterleaved<T>; lane += hn::Lanes(d))
    sum = hn::Add(sum, hn::Load(d, values + lane));
  return sum;
}

/// Adds a register's 16-byte parts into one.
template <class D, class V>
HWY_INLINE auto added_parts([[maybe_unused]] D d, V v) {
  if constexpr (sizeof(V) <= 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return added_parts(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

HWY_INLINE void add_up_four(const float* v, float* sums) {
  const Lanes<float> d;
  const hn::Repartition<double, Lanes<float>> pairs;
  const auto a = folded(v), b = folded(v + 16), c = folded(v + 32), e = folded(v + 48);
  const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const auto ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto ab2 = hn::BitCast(pairs, ab), ce2 = hn::BitCast(pairs, ce);
  const auto abce = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab2, ce2)),
                            hn::BitCast(d, hn::InterleaveUpper(pairs, ab2, ce2)));
  hn::StoreU(added_parts(d, abce), hn::CappedTag<float, 4>(), sums);
}

HWY_INLINE void add_up_four(const double* v, double* sums) {
  const Lanes<double> d;
  for (int i = 0; i < 4; i += 2) {
    const auto a = folded(v + i * 8), b = folded(v + i * 8 + 8);
    const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
    hn::StoreU(added_parts(d, ab), hn::CappedTag<double, 2>(), sums + i);
  }
}

template <class T>
void add_up(std::int64_t count, const T* values, T* sums) {
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) add_up_four(values + i * kInterleaved<T>, sums + i);
  for (; i < count; ++i)
    sums[i] = hn::GetLane(hn::SumOfLanes(Lanes<T>(), folded(values + i * kInterleaved<T>)));
}

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
