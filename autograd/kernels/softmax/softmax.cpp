#include "autograd/kernels/softmax/softmax.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/softmax/softmax.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/math-inl.h"
#include "autograd/kernels/softmax/softmax_loss.h"
#include "autograd/kernels/threads/chunks.h"

#ifndef ADJOINT_SOFTMAX_CPP
#define ADJOINT_SOFTMAX_CPP
namespace adjoint::kernels {
namespace {

/// An array [outer,axis,inner].
struct Sizes {
  std::int64_t outer, axis, inner;
};

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

/// The sum of n terms in three stages, so that its rounding error stays small for any n. add_up(first, last)
/// returns the sum of the terms from `first` to before `last`.
template <class T, class AddUp>
HWY_INLINE Vector<T> sum_in_stages(std::int64_t n, const AddUp& add_up) {
  constexpr std::int64_t kStage = 256;
  auto total = hn::Zero(Tag<T>());
  for (std::int64_t i = 0; i < n; i += kStage * kStage) {
    const std::int64_t end = std::min(n, i + kStage * kStage);
    auto sums = hn::Zero(Tag<T>());
    for (std::int64_t j = i; j < end; j += kStage) sums = hn::Add(sums, add_up(j, std::min(end, j + kStage)));
    total = hn::Add(total, sums);
  }
  return total;
}

// The two ways to walk along the axis. A vector holds what belongs to the whole axis. for_each calls
// body(lanes, offset) for vectors that make up the axis. sum starts with 0; add(lanes, offset, sum) returns
// the new sum. max finishes the maximum of the vectors.

/// Several neighboring axes, each in a lane of its own; Access is AllLanes or FirstLanes.
template <class T, class Access>
struct Columns {
  Access lanes;
  std::int64_t axis, inner;

  template <class Body>
  HWY_INLINE void for_each(const Body& body) const {
    for (std::int64_t k = 0; k < axis; ++k) body(lanes, k * inner);
  }
  template <class Add>
  HWY_INLINE Vector<T> sum(const Add& add) const {
    // If this were inlined, GCC would keep the sum on the stack.
    return sum_in_stages<T>(axis, [&](std::int64_t first, std::int64_t last) HWY_ATTR HWY_NOINLINE {
      auto sum = hn::Zero(Tag<T>());
      for (std::int64_t k = first; k < last; ++k) sum = add(lanes, k * inner, sum);
      return sum;
    });
  }
  HWY_INLINE Vector<T> max(Vector<T> v) const { return v; }
  HWY_INLINE Vector<T> load(const T* from) const { return lanes.load(from); }
  HWY_INLINE void store(Vector<T> v, T* to) const { lanes.store(v, to); }
};

/// One axis of consecutive elements.
template <class T>
struct Row {
  std::int64_t axis;

  template <class Body>
  HWY_INLINE void for_each(const Body& body) const {
    for_vectors<T>(axis, [&](std::int64_t i, auto lanes) HWY_ATTR { body(lanes, i); });
  }
  template <class Add>
  HWY_INLINE Vector<T> sum(const Add& add) const {
    const std::int64_t vectors = axis / kVectorSize<T>, rest = axis % kVectorSize<T>;
    auto sum = sum_in_stages<T>(vectors, [&](std::int64_t first, std::int64_t last) HWY_ATTR {
      auto some = hn::Zero(Tag<T>());
      for (std::int64_t v = first; v < last; ++v) some = add(AllLanes<T>(), v * kVectorSize<T>, some);
      return some;
    });
    if (rest > 0) sum = add(FirstLanes<T>(rest), vectors * kVectorSize<T>, sum);
    return hn::SumOfLanes(Tag<T>(), sum);
  }
  HWY_INLINE Vector<T> max(Vector<T> v) const { return hn::MaxOfLanes(Tag<T>(), v); }
  HWY_INLINE Vector<T> load(const T* from) const { return hn::Set(Tag<T>(), *from); }
  HWY_INLINE void store(Vector<T> v, T* to) const { *to = hn::GetLane(v); }
};

/// Calls body(Columns or Row, offset in [outer,axis,inner], offset in [outer,inner]) for every axis.
template <class T, class Body>
HWY_INLINE void for_axes(const Sizes& sizes, const Body& body) {
  for (std::int64_t o = 0; o < sizes.outer; ++o) {
    if (sizes.inner == 1) {
      body(Row<T>{sizes.axis}, o * sizes.axis, o);
    } else {
      for_vectors<T>(sizes.inner, [&](std::int64_t i, auto lanes) HWY_ATTR {
        body(Columns<T, decltype(lanes)>{lanes, sizes.axis, sizes.inner}, o * sizes.axis * sizes.inner + i,
             o * sizes.inner + i);
      });
    }
  }
}

// Lanes beyond a row's end count as logits of -inf: their exponentials are 0.
template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();

template <class T, class Axis>
HWY_INLINE Vector<T> largest_of(const Axis& axis, const T* x) {
  Vector<T> largest = hn::Set(Tag<T>(), kNever<T>);
  axis.for_each([&](auto lanes, std::int64_t k)
                    HWY_ATTR { largest = hn::Max(largest, lanes.load_or(x + k, kNever<T>)); });
  return axis.max(largest);
}

template <class T>
void softmax(Sizes sizes, const T* x, T* y, T* largest, T* log_sum) {
  const Tag<T> d;
  for_axes<T>(sizes, [&](const auto& axis, std::int64_t at, std::int64_t out) HWY_ATTR {
    const auto top = largest_of(axis, x + at);
    const auto total = axis.sum([&](auto lanes, std::int64_t k, Vector<T> sum) HWY_ATTR {
      const auto e = ExpNegative()(d, hn::Sub(lanes.load_or(x + at + k, kNever<T>), top));
      lanes.store(e, y + at + k);
      return hn::Add(sum, e);
    });
    const auto scale = hn::Div(hn::Set(d, T(1)), total);
    axis.for_each([&](auto lanes, std::int64_t k)
                      HWY_ATTR { lanes.store(hn::Mul(lanes.load(y + at + k), scale), y + at + k); });
    if (log_sum != nullptr) {
      axis.store(top, largest + out);
      axis.store(Log()(d, total), log_sum + out);
    }
  });
}

template <class T>
void log_softmax(Sizes sizes, const T* x, T* y) {
  const Tag<T> d;
  for_axes<T>(sizes, [&](const auto& axis, std::int64_t at, std::int64_t) HWY_ATTR {
    const auto top = largest_of(axis, x + at);
    const auto log_sum = Log()(d, axis.sum([&](auto lanes, std::int64_t k, Vector<T> sum) HWY_ATTR {
      return hn::Add(sum, ExpNegative()(d, hn::Sub(lanes.load_or(x + at + k, kNever<T>), top)));
    }));
    axis.for_each([&](auto lanes, std::int64_t k) HWY_ATTR {
      lanes.store(hn::Sub(hn::Sub(lanes.load(x + at + k), top), log_sum), y + at + k);
    });
  });
}

template <class T>
void softmax_grad(Sizes sizes, const T* dy, const T* y, T* dx) {
  for_axes<T>(sizes, [&](const auto& axis, std::int64_t at, std::int64_t) HWY_ATTR {
    const auto dot = axis.sum([&](auto lanes, std::int64_t k, Vector<T> sum) HWY_ATTR {
      return hn::MulAdd(lanes.load(dy + at + k), lanes.load(y + at + k), sum);
    });
    axis.for_each([&](auto lanes, std::int64_t k) HWY_ATTR {
      lanes.store(hn::Mul(lanes.load(y + at + k), hn::Sub(lanes.load(dy + at + k), dot)), dx + at + k);
    });
  });
}

template <class T>
void log_softmax_grad(Sizes sizes, const T* dy, const T* y, T* dx) {
  const Tag<T> d;
  for_axes<T>(sizes, [&](const auto& axis, std::int64_t at, std::int64_t) HWY_ATTR {
    const auto total = axis.sum([&](auto lanes, std::int64_t k, Vector<T> sum)
                                    HWY_ATTR { return hn::Add(sum, lanes.load(dy + at + k)); });
    axis.for_each([&](auto lanes, std::int64_t k) HWY_ATTR {
      lanes.store(hn::NegMulAdd(ExpNegative()(d, lanes.load(y + at + k)), total, lanes.load(dy + at + k)),
                  dx + at + k);
    });
  });
}

template <class T>
void target_loss(Sizes sizes, const T* x, const T* targets, const T* largest, const T* log_sum, T* loss) {
  const Tag<T> d;
  for_axes<T>(sizes, [&](const auto& axis, std::int64_t at, std::int64_t out) HWY_ATTR {
    const auto top = axis.load(largest + out), logarithm = axis.load(log_sum + out);
    const auto total = axis.sum([&](auto lanes, std::int64_t k, Vector<T> sum) HWY_ATTR {
      const auto target = lanes.load(targets + at + k);
      const auto surprise = hn::Add(hn::Sub(top, lanes.load(x + at + k)), logarithm);
      return hn::Add(
          sum, hn::IfThenZeroElse(hn::Eq(target, hn::Zero(d)), hn::Mul(target, surprise)));  // 0 inf = 0 here
    });
    axis.store(total, loss + out);
  });
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Softmax;

template <class T>
struct Softmax<HWY_TARGET, T> {
  static constexpr auto softmax = HWY_NAMESPACE::softmax<T>;
  static constexpr auto log_softmax = HWY_NAMESPACE::log_softmax<T>;
  static constexpr auto softmax_grad = HWY_NAMESPACE::softmax_grad<T>;
  static constexpr auto log_softmax_grad = HWY_NAMESPACE::log_softmax_grad<T>;
  static constexpr auto target_loss = HWY_NAMESPACE::target_loss<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

/// Calls body(sizes, offset in [outer,axis,inner], offset in [outer,inner]) for chunks of the outer axis.
template <class Body>
void for_outer_chunks(const Sizes& sizes, const Body& body) {
  constexpr std::int64_t kElements = 4096;  // Of a chunk.
  constexpr std::int64_t kCost = 2;         // Of an element, compared with one that is read and written.
  const std::int64_t each = sizes.axis * sizes.inner;
  if (each == 0) return;
  for_chunks_of(parts_in_chunk(each, kElements), sizes.outer, sizes.outer * each * kCost * kElementWork,
                [&](std::int64_t first, std::int64_t count) {
                  body(Sizes{count, sizes.axis, sizes.inner}, first * each, first * sizes.inner);
                });
}

}  // namespace

template <class T>
void softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y) {
  for_outer_chunks({outer, axis, inner}, [&](const Sizes& sizes, std::int64_t at, std::int64_t) {
    best<Softmax, T>([&](auto k) { k.softmax(sizes, x + at, y + at, nullptr, nullptr); });
  });
}

template <class T>
void log_softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y) {
  for_outer_chunks({outer, axis, inner}, [&](const Sizes& sizes, std::int64_t at, std::int64_t) {
    best<Softmax, T>([&](auto k) { k.log_softmax(sizes, x + at, y + at); });
  });
}

template <class T>
void softmax_grad(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* dy, const T* y, T* dx) {
  for_outer_chunks({outer, axis, inner}, [&](const Sizes& sizes, std::int64_t at, std::int64_t) {
    best<Softmax, T>([&](auto k) { k.softmax_grad(sizes, dy + at, y + at, dx + at); });
  });
}

template <class T>
void log_softmax_grad(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* dy, const T* y,
                      T* dx) {
  for_outer_chunks({outer, axis, inner}, [&](const Sizes& sizes, std::int64_t at, std::int64_t) {
    best<Softmax, T>([&](auto k) { k.log_softmax_grad(sizes, dy + at, y + at, dx + at); });
  });
}

template <class T>
void softmax_and_sums(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, T* y, T* largest,
                      T* log_sum) {
  for_outer_chunks({outer, axis, inner}, [&](const Sizes& sizes, std::int64_t at, std::int64_t out) {
    best<Softmax, T>([&](auto k) { k.softmax(sizes, x + at, y + at, largest + out, log_sum + out); });
  });
}

template <class T>
void target_loss(std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x, const T* targets,
                 const T* largest, const T* log_sum, T* loss) {
  for_outer_chunks({outer, axis, inner}, [&](const Sizes& sizes, std::int64_t at, std::int64_t out) {
    best<Softmax, T>([&](auto k) {
      k.target_loss(sizes, x + at, targets + at, largest + out, log_sum + out, loss + out);
    });
  });
}

#define ADJOINT_INSTANTIATE(T)                                                                      \
  template void softmax(std::int64_t, std::int64_t, std::int64_t, const T*, T*);                    \
  template void log_softmax(std::int64_t, std::int64_t, std::int64_t, const T*, T*);                \
  template void softmax_grad(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T*);     \
  template void log_softmax_grad(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T*); \
  template void softmax_and_sums(std::int64_t, std::int64_t, std::int64_t, const T*, T*, T*, T*);   \
  template void target_loss(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, const T*, \
                            const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
