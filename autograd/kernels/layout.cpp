// Transposes between rows and lanes. Sixteen bytes of every image of a block, B values, are turned at once:
// register k takes its 16-byte parts from images k, B + k, 2 B + k, ..., and the B registers are then
// transposed within their parts.

#include "autograd/kernels/layout.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/layout.cpp"
#include <algorithm>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/lanes.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/scratch.h"

#ifndef ADJOINT_LAYOUT_TABLE
#define ADJOINT_LAYOUT_TABLE
namespace adjoint::kernels {
namespace {

/// The functions as compiled for one instruction set.
template <class T>
struct Table {
  void (*block_to_lanes)(std::int64_t features, const T* rows, T* lanes);
  void (*block_to_rows)(std::int64_t features, const T* lanes, T* rows);
  void (*scale_bytes)(std::int64_t count, const std::uint8_t* bytes, T scale, T* values);
};

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Lanes = hn::CappedTag<T, kLanes<T>>;

/// Values in 16 bytes.
template <class T>
constexpr std::int64_t kPart = 16 / sizeof(T);

/// A register whose part p is the 16 bytes at from + p stride.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_parts(D d, const T* from, std::int64_t stride) {
  if constexpr (hn::MaxLanes(D()) == kPart<T>) {
    return hn::LoadU(d, from);
  } else {
    const hn::Half<D> half;
    constexpr std::int64_t parts = hn::MaxLanes(half) / kPart<T>;
    return hn::Combine(d, load_parts(half, from + parts * stride, stride), load_parts(half, from, stride));
  }
}

template <class D, class T>
HWY_INLINE void store_parts(D d, hn::Vec<D> v, T* to, std::int64_t stride) {
  if constexpr (hn::MaxLanes(D()) == kPart<T>) {
    hn::StoreU(v, d, to);
  } else {
    const hn::Half<D> half;
    constexpr std::int64_t parts = hn::MaxLanes(half) / kPart<T>;
    store_parts(half, hn::LowerHalf(half, v), to, stride);
    store_parts(half, hn::UpperHalf(half, v), to + parts * stride, stride);
  }
}

/// Transposes B registers within each 16-byte part.
HWY_INLINE void transpose_parts(hn::Vec<Lanes<float>>* v) {
  const Lanes<float> d;
  const hn::Repartition<double, Lanes<float>> pairs;
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, v[0], v[1]));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, v[0], v[1]));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, v[2], v[3]));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, v[2], v[3]));
  v[0] = hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23));
  v[1] = hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23));
  v[2] = hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23));
  v[3] = hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23));
}

HWY_INLINE void transpose_parts(hn::Vec<Lanes<double>>* v) {
  const Lanes<double> d;
  const auto low = hn::InterleaveLower(d, v[0], v[1]);
  v[1] = hn::InterleaveUpper(d, v[0], v[1]);
  v[0] = low;
}

/// lanes[f,l] = rows[l * features + f]
template <class T>
void block_to_lanes(std::int64_t features, const T* rows, T* lanes) {
  const Lanes<T> d;
  std::int64_t f = 0;
  for (; f + kPart<T> <= features; f += kPart<T>)
    for (std::int64_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(d)) {
      hn::Vec<Lanes<T>> v[kPart<T>];
      for (std::int64_t k = 0; k < kPart<T>; ++k)
        v[k] = load_parts(d, rows + (lane + k) * features + f, kPart<T> * features);
      transpose_parts(v);
      for (std::int64_t k = 0; k < kPart<T>; ++k) hn::Store(v[k], d, lanes + (f + k) * kLanes<T> + lane);
    }
  for (; f < features; ++f)
    for (std::int64_t lane = 0; lane < kLanes<T>; ++lane)
      lanes[f * kLanes<T> + lane] = rows[lane * features + f];
}

/// rows[l * features + f] = lanes[f,l]
template <class T>
void block_to_rows(std::int64_t features, const T* lanes, T* rows) {
  const Lanes<T> d;
  std::int64_t f = 0;
  for (; f + kPart<T> <= features; f += kPart<T>)
    for (std::int64_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(d)) {
      hn::Vec<Lanes<T>> v[kPart<T>];
      for (std::int64_t k = 0; k < kPart<T>; ++k) v[k] = hn::Load(d, lanes + (f + k) * kLanes<T> + lane);
      transpose_parts(v);
      for (std::int64_t k = 0; k < kPart<T>; ++k)
        store_parts(d, v[k], rows + (lane + k) * features + f, kPart<T> * features);
    }
  for (; f < features; ++f)
    for (std::int64_t lane = 0; lane < kLanes<T>; ++lane)
      rows[lane * features + f] = lanes[f * kLanes<T> + lane];
}

/// values[i] = scale bytes[i]
template <class T>
void scale_bytes(std::int64_t count, const std::uint8_t* bytes, T scale, T* HWY_RESTRICT values) {
  for (std::int64_t i = 0; i < count; ++i) values[i] = scale * static_cast<T>(bytes[i]);
}

template <class T>
constexpr Table<T> kTable = {block_to_lanes<T>, block_to_rows<T>, scale_bytes<T>};

ADJOINT_TABLES_OF_INSTRUCTION_SET

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

namespace {

ADJOINT_TABLES_OF_PROCESSOR(table)

/// Asks for an image that is to be read soon. Drawn at random it is in no cache, and too short for the
/// processor to see where reads will go on.
void prefetch(std::int64_t count, const std::uint8_t* bytes) {
  for (std::int64_t i = 0; i < count; i += 64) __builtin_prefetch(bytes + i);
}

template <class T>
std::int64_t images_in_block(std::int64_t block, std::int64_t count) {
  return std::min(count - block * kLanes<T>, kLanes<T>);
}

}  // namespace

template <class T>
void rows_to_lanes(std::int64_t count, std::int64_t features, const T* rows, T* lanes) {
  const std::int64_t block_size = kLanes<T> * features;
  parallel_for(lane_blocks<T>(count), count * features * kElementWork, [&](std::int64_t block) {
    const std::int64_t used = images_in_block<T>(block, count) * features;
    const T* from = rows + block * block_size;
    const Scratch<T> padded(used == block_size ? 0 : block_size);
    if (used < block_size) {
      std::copy(from, from + used, padded.get());
      std::fill(padded.get() + used, padded.get() + block_size, T(0));
      from = padded.get();
    }
    table<T>().block_to_lanes(features, from, lanes + block * block_size);
  });
}

template <class T>
void lanes_to_rows(std::int64_t count, std::int64_t features, const T* lanes, T* rows) {
  const std::int64_t block_size = kLanes<T> * features;
  parallel_for(lane_blocks<T>(count), count * features * kElementWork, [&](std::int64_t block) {
    const std::int64_t used = images_in_block<T>(block, count) * features;
    T* to = rows + block * block_size;
    const Scratch<T> padded(used == block_size ? 0 : block_size);
    T* whole = used == block_size ? to : padded.get();
    table<T>().block_to_rows(features, lanes + block * block_size, whole);
    if (used < block_size) std::copy(whole, whole + used, to);
  });
}

template <class T>
void gather_rows(const std::uint8_t* images, std::int64_t features, const std::int64_t* index,
                 std::int64_t count, T scale, T* rows) {
  parallel_for(count, count * features * kElementWork, [&](std::int64_t n) {
    table<T>().scale_bytes(features, images + index[n] * features, scale, rows + n * features);
  });
}

template <class T>
void gather_lanes(const std::uint8_t* images, std::int64_t features, const std::int64_t* index,
                  std::int64_t count, T scale, T* lanes) {
  const std::int64_t block_size = kLanes<T> * features;
  parallel_for(lane_blocks<T>(count), count * features * kElementWork, [&](std::int64_t block) {
    const Scratch<T> rows(block_size);
    const std::int64_t used = images_in_block<T>(block, count), *const of_block = index + block * kLanes<T>;
    for (std::int64_t l = 0; l < used; ++l) {
      if (l + 1 < used) prefetch(features, images + of_block[l + 1] * features);
      table<T>().scale_bytes(features, images + of_block[l] * features, scale, rows.get() + l * features);
    }
    std::fill(rows.get() + used * features, rows.get() + block_size, T(0));
    table<T>().block_to_lanes(features, rows.get(), lanes + block * block_size);
  });
}

template void rows_to_lanes(std::int64_t, std::int64_t, const float*, float*);
template void rows_to_lanes(std::int64_t, std::int64_t, const double*, double*);
template void lanes_to_rows(std::int64_t, std::int64_t, const float*, float*);
template void lanes_to_rows(std::int64_t, std::int64_t, const double*, double*);
template void gather_rows(const std::uint8_t*, std::int64_t, const std::int64_t*, std::int64_t, float,
                          float*);
template void gather_rows(const std::uint8_t*, std::int64_t, const std::int64_t*, std::int64_t, double,
                          double*);
template void gather_lanes(const std::uint8_t*, std::int64_t, const std::int64_t*, std::int64_t, float,
                           float*);
template void gather_lanes(const std::uint8_t*, std::int64_t, const std::int64_t*, std::int64_t, double,
                           double*);

}  // namespace adjoint::kernels
#endif
