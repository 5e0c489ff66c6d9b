#include "autograd/kernels/elementwise/map.h"

#include <type_traits>

#include "autograd/kernels/elementwise/rows.h"
#include "autograd/kernels/threads/chunks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/elementwise/map.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {
namespace HWY_NAMESPACE {
namespace {

/// Computes n elements. The last ones, which do not fill a vector, go through copies that do.
template <class T>
HWY_INLINE void map_row(Loop<T> loop, int operands, Arrays<T>& at, std::int64_t n) {
  constexpr std::int64_t kSize = kVectorSize<T>;
  const std::int64_t whole = n & -kSize;
  if (whole > 0) loop(at, whole);
  if (whole == n) return;
  HWY_ALIGN T copies[kMaxOperands + 1][kSize];
  const FirstLanes<T> lanes(n - whole);
  for (int k = 0; k < operands; ++k) {
    if (at.steps[k] == 0) continue;
    hn::Store(lanes.load(at.operands[k] + whole), Tag<T>(), copies[k]);
    at.operands[k] = copies[k];
  }
  T* y = at.y + whole;
  at.y = copies[kMaxOperands];
  loop(at, kSize);
  lanes.store(hn::Load(Tag<T>(), copies[kMaxOperands]), y);
}

template <class T>
void map(Loop<T> loop, int operands, Arrays<T>& at, std::int64_t n) {
  for (std::int64_t& step : at.steps) step = kVectorSize<T>;
  map_row(loop, operands, at, n);
}

template <class T>
void map_rows(Loop<T> loop, int operands, std::int64_t rows, std::int64_t n, const RowOperands<T>& from,
              T* y) {
  constexpr std::int64_t kSize = kVectorSize<T>;
  HWY_ALIGN T repeated[kMaxOperands][kSize];
  for (std::int64_t row = 0; row < rows; ++row, y += n) {
    Arrays<T> at = {from.values, {kSize, kSize, kSize}, y, nullptr};
    for (int k = 0; k < operands; ++k) {
      at.operands[k] += row * from.row_steps[k];
      if (from.steps[k] != 0) continue;
      at.steps[k] = 0;
      hn::Store(hn::Set(Tag<T>(), *at.operands[k]), Tag<T>(), repeated[k]);
      at.operands[k] = repeated[k];
    }
    map_row(loop, operands, at, n);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

namespace {
template <std::int64_t kInstructionSet, class T>
struct Rows;
}

template <class T>
struct Rows<HWY_TARGET, T> {
  static constexpr auto map = HWY_NAMESPACE::map<T>;
  static constexpr auto map_rows = HWY_NAMESPACE::map_rows<T>;
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

template <class T>
void map_rows(const Loops& f, std::int64_t rows, std::int64_t n, const RowOperands<T>& operands, T* y) {
  if constexpr (std::is_integral_v<T>) {
    for (std::int64_t row = 0; row < rows; ++row, y += n) {
      Arrays<T> at = {operands.values, {}, y, nullptr};
      for (int k = 0; k < f.operands; ++k) {
        at.operands[k] += row * operands.row_steps[k];
        at.steps[k] = operands.steps[k];
      }
      f.of<T>()(at, n);
    }
  } else {
    best<Rows, T>([&](auto of) { of.map_rows(f.of<T>(), f.operands, rows, n, operands, y); },
                  f.instruction_set);
  }
}

template <class T>
void map(const Loops& f, std::int64_t n, const Operands<T>& operands, T* y, const Parameters<T>& parameters) {
  const auto chunk = [&](std::int64_t i, std::int64_t count) {
    Arrays<T> at;
    for (int k = 0; k < f.operands; ++k) at.operands[k] = operands[k] + i;
    at.y = y + i;
    at.parameters = parameters.data();
    if constexpr (std::is_integral_v<T>) {
      for (std::int64_t& step : at.steps) step = 1;
      f.of<T>()(at, count);
    } else {
      best<Rows, T>([&](auto of) { of.map(f.of<T>(), f.operands, at, count); }, f.instruction_set);
    }
  };
  if (n <= kChunkElements) return chunk(0, n);  // As for_chunks would, but sooner.
  for_chunks(n, n * f.work, chunk);
}

#define ADJOINT_INSTANTIATE(T)                                                                 \
  template void map(const Loops&, std::int64_t, const Operands<T>&, T*, const Parameters<T>&); \
  template void map_rows(const Loops&, std::int64_t, std::int64_t, const RowOperands<T>&, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
ADJOINT_INSTANTIATE(std::int64_t);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
