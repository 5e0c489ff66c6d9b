// Transposes between rows and lanes. Sixteen bytes of every image of a block, B values, are turned at once:
// register k takes its 16-byte parts from images k, B + k, 2 B + k, ..., and the B registers are then
// transposed within their parts.

#include "autograd/kernels/layout/convert.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/layout/convert.cpp"
#include <algorithm>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/threads/parallel.h"
#include "autograd/kernels/threads/scratch.h"

#ifndef ADJOINT_LAYOUT_CPP
#define ADJOINT_LAYOUT_CPP
namespace adjoint::kernels {
namespace {

/// How many bytes ahead are prefetched. Images drawn at random are in no cache, and sixteen streams are too
/// many for the processor to prefetch by itself.
constexpr std::int64_t kAhead = 192;

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Lanes = hn::CappedTag<T, kInterleaved<T>>;

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
    for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += hn::Lanes(d)) {
      hn::Vec<Lanes<T>> v[kPart<T>];
      for (std::int64_t k = 0; k < kPart<T>; ++k)
        v[k] = load_parts(d, rows + (lane + k) * features + f, kPart<T> * features);
      transpose_parts(v);
      for (std::int64_t k = 0; k < kPart<T>; ++k)
        hn::Store(v[k], d, lanes + (f + k) * kInterleaved<T> + lane);
    }
  for (; f < features; ++f)
    for (std::int64_t lane = 0; lane < kInterleaved<T>; ++lane)
      lanes[f * kInterleaved<T> + lane] = rows[lane * features + f];
}

/// rows[l * features + f] = lanes[f,l]
template <class T>
void block_to_rows(std::int64_t features, const T* lanes, T* rows) {
  const Lanes<T> d;
  std::int64_t f = 0;
  for (; f + kPart<T> <= features; f += kPart<T>)
    for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += hn::Lanes(d)) {
      hn::Vec<Lanes<T>> v[kPart<T>];
      for (std::int64_t k = 0; k < kPart<T>; ++k)
        v[k] = hn::Load(d, lanes + (f + k) * kInterleaved<T> + lane);
      transpose_parts(v);
      for (std::int64_t k = 0; k < kPart<T>; ++k)
        store_parts(d, v[k], rows + (lane + k) * features + f, kPart<T> * features);
    }
  for (; f < features; ++f)
    for (std::int64_t lane = 0; lane < kInterleaved<T>; ++lane)
      rows[lane * features + f] = lanes[f * kInterleaved<T> + lane];
}

// byte / 255 with the bits of a division, which is several times slower: 1/255 is kLeading + kRest. The
// product of a byte and kLeading is exact, and that with kRest is so small beside it that its own rounding
// does not show: only the sum is rounded, and no byte / 255 lies near the middle between two numbers.
template <class T>
constexpr T kLeading = T(257) / 65536;
template <class T>
constexpr T kRest = static_cast<T>(257.0 / 65536 / 65535);

/// pixels[i] = bytes[i] / 255
template <class T>
void bytes_to_pixels(std::int64_t count, const std::uint8_t* bytes, T* HWY_RESTRICT pixels) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T byte = static_cast<T>(bytes[i]);
    pixels[i] = byte * kLeading<T> + byte * kRest<T>;
  }
}

/// The same for a vector of bytes.
template <class T>
HWY_INLINE hn::Vec<Lanes<T>> pixels_of(hn::Vec<Lanes<T>> bytes) {
  const Lanes<T> d;
  return hn::MulAdd(bytes, hn::Set(d, kLeading<T>), hn::Mul(bytes, hn::Set(d, kRest<T>)));
}

/// turned[f * 16 + l] = images[l][f] for 16 features, 0 from l = count on. Four rounds that each interleave
/// register k with register k + 8 turn a matrix of 16 x 16.
inline void turn_bytes(const std::uint8_t* const* images, std::int64_t feature, std::int64_t count,
                       std::uint8_t* turned) {
  const hn::FixedTag<std::uint8_t, 16> d;
  hn::Vec<decltype(d)> v[16], mixed[16];
  for (std::int64_t l = 0; l < 16; ++l) v[l] = l < count ? hn::LoadU(d, images[l] + feature) : hn::Zero(d);
  for (int round = 0; round < 4; ++round) {
    for (int k = 0; k < 8; ++k) {
      mixed[2 * k] = hn::InterleaveLower(d, v[k], v[k + 8]);
      mixed[2 * k + 1] = hn::InterleaveUpper(d, v[k], v[k + 8]);
    }
    std::copy_n(mixed, 16, v);
  }
  for (int k = 0; k < 16; ++k) hn::Store(v[k], d, turned + 16 * k);
}

/// lanes[f,l] = images[l][f] / 255 for a block of `count` images, 0 from l = count on.
template <class T>
void images_to_lanes(std::int64_t features, const std::uint8_t* const* images, std::int64_t count, T* lanes) {
  const Lanes<T> d;
  const hn::Rebind<std::int32_t, Lanes<T>> integers;
  const hn::Rebind<std::uint8_t, Lanes<T>> bytes;
  std::int64_t f = 0;
  for (; f + 16 <= features; f += 16) {
    const std::int64_t ahead = std::min(f + kAhead, features - 1);
    for (std::int64_t l = 0; l < count && f % 64 == 0; ++l) __builtin_prefetch(images[l] + ahead);
    HWY_ALIGN std::uint8_t turned[16 * 16];
    turn_bytes(images, f, count, turned);
    for (std::int64_t k = 0; k < 16; ++k)
      for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += hn::Lanes(d)) {
        const auto whole = hn::PromoteTo(integers, hn::LoadU(bytes, turned + 16 * k + lane));
        T* to = lanes + (f + k) * kInterleaved<T> + lane;
        if constexpr (sizeof(T) == 4) {
          hn::Store(pixels_of<T>(hn::ConvertTo(d, whole)), d, to);
        } else {
          hn::Store(pixels_of<T>(hn::PromoteTo(d, whole)), d, to);
        }
      }
  }
  for (; f < features; ++f)
    for (std::int64_t l = 0; l < kInterleaved<T>; ++l)
      lanes[f * kInterleaved<T> + l] = l < count ? static_cast<T>(images[l][f]) / 255 : T(0);
}

}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Conversions;

template <class T>
struct Conversions<HWY_TARGET, T> {
  static constexpr auto block_to_lanes = HWY_NAMESPACE::block_to_lanes<T>;
  static constexpr auto block_to_rows = HWY_NAMESPACE::block_to_rows<T>;
  static constexpr auto bytes_to_pixels = HWY_NAMESPACE::bytes_to_pixels<T>;
  static constexpr auto images_to_lanes = HWY_NAMESPACE::images_to_lanes<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {

namespace {

template <class T>
std::int64_t images_in_block(std::int64_t block, std::int64_t count) {
  return std::min(count - block * kInterleaved<T>, kInterleaved<T>);
}

template <class T>
void gather_row_major(const std::uint8_t* images, std::int64_t features, const std::int64_t* index,
                      std::int64_t count, T* rows) {
  parallel_for(count, count * features * kElementWork, [&](std::int64_t n) {
    best<Conversions, T>(
        [&](auto k) { k.bytes_to_pixels(features, images + index[n] * features, rows + n * features); });
  });
}

template <class T>
void gather_interleaved(const std::uint8_t* images, std::int64_t features, const std::int64_t* index,
                        std::int64_t count, T* lanes) {
  const std::int64_t block_size = kInterleaved<T> * features;
  parallel_for(interleaved_blocks<T>(count), count * features * kElementWork, [&](std::int64_t block) {
    const std::int64_t used = images_in_block<T>(block, count);
    const std::uint8_t* of_block[kInterleaved<T>];
    for (std::int64_t l = 0; l < used; ++l) {
      of_block[l] = images + index[block * kInterleaved<T> + l] * features;
      for (std::int64_t i = 0; i < std::min(kAhead, features); i += 64) __builtin_prefetch(of_block[l] + i);
    }
    best<Conversions, T>(
        [&](auto k) { k.images_to_lanes(features, of_block, used, lanes + block * block_size); });
  });
}

}  // namespace

template <class T>
void interleave(std::int64_t count, std::int64_t features, const T* rows, T* lanes) {
  const std::int64_t block_size = kInterleaved<T> * features;
  parallel_for(interleaved_blocks<T>(count), count * features * kElementWork, [&](std::int64_t block) {
    const std::int64_t used = images_in_block<T>(block, count) * features;
    const T* from = rows + block * block_size;
    const Scratch<T> padded(used == block_size ? 0 : block_size);
    if (used < block_size) {
      std::copy(from, from + used, padded.get());
      std::fill(padded.get() + used, padded.get() + block_size, T(0));
      from = padded.get();
    }
    best<Conversions, T>([&](auto k) { k.block_to_lanes(features, from, lanes + block * block_size); });
  });
}

template <class T>
void deinterleave(std::int64_t count, std::int64_t features, const T* lanes, T* rows) {
  const std::int64_t block_size = kInterleaved<T> * features;
  parallel_for(interleaved_blocks<T>(count), count * features * kElementWork, [&](std::int64_t block) {
    const std::int64_t used = images_in_block<T>(block, count) * features;
    T* to = rows + block * block_size;
    const Scratch<T> padded(used == block_size ? 0 : block_size);
    T* whole = used == block_size ? to : padded.get();
    best<Conversions, T>([&](auto k) { k.block_to_rows(features, lanes + block * block_size, whole); });
    if (used < block_size) std::copy(whole, whole + used, to);
  });
}

template <class T>
void gather_images(Layout layout, const std::uint8_t* images, std::int64_t features,
                   const std::int64_t* index, std::int64_t count, T* to) {
  layout == Layout::interleaved ? gather_interleaved(images, features, index, count, to)
                                : gather_row_major(images, features, index, count, to);
}

#define ADJOINT_INSTANTIATE(T)                                                                              \
  template void interleave(std::int64_t, std::int64_t, const T*, T*);                                       \
  template void deinterleave(std::int64_t, std::int64_t, const T*, T*);                                     \
  template void gather_images(Layout, const std::uint8_t*, std::int64_t, const std::int64_t*, std::int64_t, \
                              T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
