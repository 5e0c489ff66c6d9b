#include "autograd/kernels/reduce/reduce.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/reduce/reduce.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/broadcast_axes.h"
#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/reduce/long_sums.h"
#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/vectors-inl.h"
#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

#ifndef ADJOINT_REDUCE_CPP
#define ADJOINT_REDUCE_CPP
namespace adjoint::kernels {
namespace {

/// A sum, product, maximum or minimum, as compiled for one instruction set.
template <class T>
struct Reducer {
  /// y[i] = over k < n of x[i n + k], for i < rows.
  void (*rows)(std::int64_t rows, std::int64_t n, const T* x, T* y);
  /// y[c] = over i < rows of x[i stride + c], for c < columns.
  void (*columns)(std::int64_t rows, std::int64_t columns, std::int64_t stride, const T* x, T* y);
};

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

// combine() takes vectors of floating numbers, or whole numbers and booleans one by one.

struct Sum {
  template <class T>
  static constexpr T kNone = 0;
  static std::int64_t combine(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  }
  template <class V>
  static HWY_INLINE V combine(V a, V b) {
    return hn::Add(a, b);
  }
  template <class D, class V>
  static HWY_INLINE hn::TFromD<D> lanes(D d, V v) {
    return hn::GetLane(hn::SumOfLanes(d, v));
  }
};

struct Product {
  template <class T>
  static constexpr T kNone = 1;
  static std::int64_t combine(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  }
  template <class V>
  static HWY_INLINE V combine(V a, V b) {
    return hn::Mul(a, b);
  }
  template <class D, class V>
  static HWY_INLINE hn::TFromD<D> lanes(D d, V v) {
    using T = hn::TFromD<D>;
    HWY_ALIGN T factors[kVectorSize<T>];
    hn::Store(v, d, factors);
    T product = 1;
    for (const T factor : factors) product *= factor;
    return product;
  }
};

/// The lowest number, and the largest; -infinity and infinity if there are any.
template <class T>
constexpr T kLowest = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                           : std::numeric_limits<T>::lowest();
template <class T>
constexpr T kLargest = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                            : std::numeric_limits<T>::max();

struct Max {
  template <class T>
  static constexpr T kNone = kLowest<T>;
  static std::int64_t combine(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
  static bool combine(bool a, bool b) { return a | b; }
  // NaN wins. If b is NaN, a > b is false, and the result is b.
  template <class V>
  static HWY_INLINE V combine(V a, V b) {
    return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
  }
  template <class D, class V>
  static HWY_INLINE hn::TFromD<D> lanes(D d, V v) {
    using T = hn::TFromD<D>;
    if (!hn::AllFalse(d, hn::IsNaN(v))) return std::numeric_limits<T>::quiet_NaN();
    return hn::GetLane(hn::MaxOfLanes(d, v));
  }
};

struct Min {
  template <class T>
  static constexpr T kNone = kLargest<T>;
  static std::int64_t combine(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
  static bool combine(bool a, bool b) { return a & b; }
  template <class V>
  static HWY_INLINE V combine(V a, V b) {
    return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
  }
  template <class D, class V>
  static HWY_INLINE hn::TFromD<D> lanes(D d, V v) {
    using T = hn::TFromD<D>;
    if (!hn::AllFalse(d, hn::IsNaN(v))) return std::numeric_limits<T>::quiet_NaN();
    return hn::GetLane(hn::MinOfLanes(d, v));
  }
};

constexpr int kStreams = 4;  // Independent sums, since an addition takes several cycles.

// Whole numbers and booleans: plain loops, which the compiler turns into vectors.

template <class F, class T>
void fold_rows(std::int64_t rows, std::int64_t n, const T* x, T* y) {
  for (std::int64_t row = 0; row < rows; ++row, x += n) {
    T total = F::template kNone<T>;
    for (std::int64_t i = 0; i < n; ++i) total = F::combine(total, x[i]);
    y[row] = total;
  }
}

template <class F, class T>
void fold_columns(std::int64_t rows, std::int64_t columns, std::int64_t stride, const T* x, T* y) {
  std::fill_n(y, columns, F::template kNone<T>);
  for (std::int64_t row = 0; row < rows; ++row, x += stride) {
    for (std::int64_t c = 0; c < columns; ++c) y[c] = F::combine(y[c], x[c]);
  }
}

template <class F, class T>
HWY_INLINE Vector<T> combine_streams(const Vector<T> (&streams)[kStreams]) {
  static_assert(kStreams == 4);
  return F::combine(F::combine(streams[0], streams[1]), F::combine(streams[2], streams[3]));
}

template <class F, class T>
HWY_INLINE T reduce_row(std::int64_t n, const T* x) {
  const auto none = hn::Set(Tag<T>(), F::template kNone<T>);
  Vector<T> streams[kStreams] = {none, none, none, none};
  std::int64_t i = 0;
  for (; i + kStreams * kVectorSize<T> <= n; i += kStreams * kVectorSize<T>) {
    for (int k = 0; k < kStreams; ++k) {
      streams[k] = F::combine(streams[k], hn::LoadU(Tag<T>(), x + i + k * kVectorSize<T>));
    }
  }
  for_vectors<T>(n - i, [&](std::int64_t j, auto lanes) HWY_ATTR {
    streams[0] = F::combine(streams[0], lanes.load_or(x + i + j, F::template kNone<T>));
  });
  return F::lanes(Tag<T>(), combine_streams<F, T>(streams));
}

template <class F, class T>
void reduce_rows(std::int64_t rows, std::int64_t n, const T* x, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) y[row] = reduce_row<F>(n, x + row * n);
}

template <class F, class T>
void reduce_columns(std::int64_t rows, std::int64_t columns, std::int64_t stride, const T* x, T* y) {
  const auto none = hn::Set(Tag<T>(), F::template kNone<T>);
  std::int64_t first = 0;
  for (; first + kStreams * kVectorSize<T> <= columns; first += kStreams * kVectorSize<T>) {
    Vector<T> sums[kStreams] = {none, none, none, none};
    for (std::int64_t row = 0; row < rows; ++row) {
      for (int k = 0; k < kStreams; ++k) {
        sums[k] = F::combine(sums[k], hn::LoadU(Tag<T>(), x + row * stride + first + k * kVectorSize<T>));
      }
    }
    for (int k = 0; k < kStreams; ++k) hn::StoreU(sums[k], Tag<T>(), y + first + k * kVectorSize<T>);
  }
  for_vectors<T>(columns - first, [&](std::int64_t i, auto lanes) HWY_ATTR {
    const T* column = x + first + i;
    Vector<T> streams[kStreams] = {none, none, none, none};
    std::int64_t row = 0;
    for (; row + kStreams <= rows; row += kStreams) {
      for (int k = 0; k < kStreams; ++k) {
        streams[k] = F::combine(streams[k], lanes.load(column + (row + k) * stride));
      }
    }
    for (; row < rows; ++row) streams[0] = F::combine(streams[0], lanes.load(column + row * stride));
    lanes.store(combine_streams<F, T>(streams), y + first + i);
  });
}

/// y[c] = the sum of whole[c] over all lanes and of last[c] over the first `images`; whole may be null.
template <class T>
void add_lanes(std::int64_t channels, const T* whole, const T* last, std::int64_t images, T* y) {
  const Tag<T> d;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    Vector<T> sum = hn::Zero(d);
    for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += kVectorSize<T>) {
      const std::int64_t at = channel * kInterleaved<T> + lane;
      const auto counts =
          hn::FirstN(d, static_cast<std::size_t>(std::clamp<std::int64_t>(images - lane, 0, kVectorSize<T>)));
      if (whole != nullptr) sum = hn::Add(sum, hn::LoadU(d, whole + at));
      sum = hn::Add(sum, hn::IfThenElseZero(counts, hn::LoadU(d, last + at)));
    }
    y[channel] = hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

template <class F, class T>
constexpr Reducer<T> reducer() {
  if constexpr (std::is_integral_v<T>) {
    return {fold_rows<F, T>, fold_columns<F, T>};
  } else {
    return {reduce_rows<F, T>, reduce_columns<F, T>};
  }
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Reducers;

template <class T>
struct Reducers<HWY_TARGET, T> {
  static constexpr Reducer<T> sum = HWY_NAMESPACE::reducer<HWY_NAMESPACE::Sum, T>();
  static constexpr Reducer<T> product = HWY_NAMESPACE::reducer<HWY_NAMESPACE::Product, T>();
  static constexpr Reducer<T> max = HWY_NAMESPACE::reducer<HWY_NAMESPACE::Max, T>();
  static constexpr Reducer<T> min = HWY_NAMESPACE::reducer<HWY_NAMESPACE::Min, T>();
  static constexpr auto add_lanes = HWY_NAMESPACE::add_lanes<T>;
};

template <>
struct Reducers<HWY_TARGET, bool> {
  static constexpr Reducer<bool> max = HWY_NAMESPACE::reducer<HWY_NAMESPACE::Max, bool>();
  static constexpr Reducer<bool> min = HWY_NAMESPACE::reducer<HWY_NAMESPACE::Min, bool>();
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

/// y[o] = over a of x[o,a], x [outer,axis].
template <class T>
void reduce_last(const Reducer<T>& f, std::int64_t outer, std::int64_t axis, const T* x, T* y) {
  for_chunks_of(
      parts_in_chunk(axis), outer, outer * axis * kElementWork,
      [&](std::int64_t first, std::int64_t count) { f.rows(count, axis, x + first * axis, y + first); });
}

/// y[o,p,i] = over the a of piece p of x[o,a,i], x [outer,axis,inner]. Piece p contains `piece` values of a,
/// the last one perhaps fewer.
template <class T>
void reduce_pieces(const Reducer<T>& f, std::int64_t outer, std::int64_t axis, std::int64_t inner,
                   std::int64_t piece, const T* x, T* y) {
  const std::int64_t pieces = std::max<std::int64_t>(1, divide_up(axis, piece));
  const std::int64_t span = std::min(inner, kChunkElements / 4), spans = divide_up(inner, span);
  parallel_for(outer * pieces * spans, outer * axis * inner * kElementWork, [&](std::int64_t chunk) {
    const std::int64_t column = chunk % spans * span, p = chunk / spans % pieces, o = chunk / spans / pieces;
    const std::int64_t rows = std::min(piece, axis - p * piece), columns = std::min(span, inner - column);
    const T* from = x + (o * axis + p * piece) * inner + column;
    T* to = y + (o * pieces + p) * inner + column;
    if (inner == 1) {
      f.rows(1, rows, from, to);
    } else {
      f.columns(rows, columns, inner, from, to);
    }
  });
}

/// y[o,i] = over a of x[o,a,i], x [outer,axis,inner]. A long axis is cut into pieces, whose results are then
/// reduced.
template <class T>
void reduce_axis(const Reducer<T>& f, std::int64_t outer, std::int64_t axis, std::int64_t inner, const T* x,
                 T* y) {
  if (outer * inner == 0) return;
  const std::int64_t piece =
      inner == 1 ? kChunkElements / 4 : std::clamp<std::int64_t>(kChunkElements / inner, 128, kShortSum);
  if (axis <= piece)
    return inner == 1 ? reduce_last(f, outer, axis, x, y) : reduce_pieces(f, outer, axis, inner, piece, x, y);
  const std::int64_t pieces = divide_up(axis, piece);
  const Scratch<T> partial(outer * pieces * inner);
  reduce_pieces(f, outer, axis, inner, piece, x, partial.get());
  reduce_axis(f, outer, pieces, inner, static_cast<const T*>(partial.get()), y);
}

/// Reduces x over the axes from number `axis` on that y repeats; the axes before it, inner elements, are
/// kept.
template <class T>
void reduce_axes(const Reducer<T>& f, const BroadcastAxes<1>& axes, int axis, std::int64_t inner, const T* x,
                 T* y) {
  while (axis < axes.rank && axes.strides[axis][0] != 0) inner *= axes.sizes[axis++];
  if (axis == axes.rank) {
    std::copy_n(x, inner, y);
    return;
  }
  const std::int64_t outer = axes.count_from(axis + 1);
  const bool last = std::none_of(axes.strides + axis + 1, axes.strides + axes.rank,
                                 [](const auto& s) { return s[0] == 0; });
  if (last) return reduce_axis(f, outer, axes.sizes[axis], inner, x, y);
  const Scratch<T> partial(outer * inner);
  reduce_axis(f, outer, axes.sizes[axis], inner, x, partial.get());
  reduce_axes(f, axes, axis + 1, inner, static_cast<const T*>(partial.get()), y);
}

}  // namespace

template <class T>
T sum_all(std::int64_t n, const T* x) {
  T sum;
  reduce_axis(best<Reducers, T>([](auto k) { return k.sum; }), 1, n, 1, x, &sum);
  return sum;
}

template <class T>
void sum_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y) {
  reduce_axes(best<Reducers, T>([](auto k) { return k.sum; }), {x_shape, {&y_shape}}, 0, 1, x, y);
}

template <class T>
void product_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y) {
  reduce_axes(best<Reducers, T>([](auto k) { return k.product; }), {x_shape, {&y_shape}}, 0, 1, x, y);
}

template <class T>
void max_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y) {
  reduce_axes(best<Reducers, T>([](auto k) { return k.max; }), {x_shape, {&y_shape}}, 0, 1, x, y);
}

template <class T>
void min_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y) {
  reduce_axes(best<Reducers, T>([](auto k) { return k.min; }), {x_shape, {&y_shape}}, 0, 1, x, y);
}

// Each lane keeps its own sum until the end. Only the last block has spare lanes, and its sums are kept
// apart.
template <class T>
void sum_interleaved_per_channel(std::int64_t batch, std::int64_t channels, std::int64_t plane, const T* x,
                                 T* y) {
  if (batch == 0) return static_cast<void>(std::fill_n(y, channels, T(0)));
  const Reducer<T> sum = best<Reducers, T>([](auto k) { return k.sum; });
  const std::int64_t blocks = interleaved_blocks<T>(batch), block = channels * kInterleaved<T>;
  const Scratch<T> planes(plane == 1 ? 0 : blocks * block), whole(block);
  if (plane != 1) reduce_axis(sum, blocks * channels, plane, kInterleaved<T>, x, planes.get());
  const T* values = plane == 1 ? x : planes.get();
  if (blocks > 1) reduce_axis(sum, 1, blocks - 1, block, values, whole.get());
  best<Reducers, T>([&](auto k) {
    k.add_lanes(channels, blocks > 1 ? whole.get() : nullptr, values + (blocks - 1) * block,
                last_block_images<T>(batch), y);
  });
}

template float sum_all(std::int64_t, const float*);
template double sum_all(std::int64_t, const double*);
template void sum_interleaved_per_channel(std::int64_t, std::int64_t, std::int64_t, const float*, float*);
template void sum_interleaved_per_channel(std::int64_t, std::int64_t, std::int64_t, const double*, double*);

#define ADJOINT_INSTANTIATE(f, T) template void f(const Shape&, const T*, const Shape&, T*)
#define ADJOINT_INSTANTIATE_NUMBERS(f) \
  ADJOINT_INSTANTIATE(f, float);       \
  ADJOINT_INSTANTIATE(f, double);      \
  ADJOINT_INSTANTIATE(f, std::int64_t)
ADJOINT_INSTANTIATE_NUMBERS(sum_to);
ADJOINT_INSTANTIATE_NUMBERS(product_to);
ADJOINT_INSTANTIATE_NUMBERS(max_to);
ADJOINT_INSTANTIATE_NUMBERS(min_to);
ADJOINT_INSTANTIATE(max_to, bool);
ADJOINT_INSTANTIATE(min_to, bool);
#undef ADJOINT_INSTANTIATE_NUMBERS
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
