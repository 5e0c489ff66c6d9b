#include "autograd/kernels/layout/convert.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/layout/convert.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/transpose-inl.h"
#include "autograd/kernels/threads/chunks.h"
#include "autograd/kernels/threads/scratch.h"

#ifndef ADJOINT_LAYOUT_CPP
#define ADJOINT_LAYOUT_CPP
namespace adjoint::kernels {
namespace {

/// Bytes to prefetch ahead. Images drawn at random are in no cache, and the processor does not prefetch
/// sixteen streams by itself.
constexpr std::int64_t kAhead = 192;

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

/// block[f,l] = images[l,f] for kInterleaved<T> images of `features` values.
template <class T>
void interleave_block(std::int64_t features, const T* images, T* block) {
  transpose_blocks<true>(images, features, kInterleaved<T>, features, block, kInterleaved<T>);
}

/// images[l,f] = block[f,l] for the first `count` images of a block.
template <class T>
void deinterleave_block(std::int64_t features, std::int64_t count, const T* block, T* images) {
  transpose_blocks<false>(block, kInterleaved<T>, features, count, images, features);
}

// byte / 255 with the bits of a division, which would be several times slower. 1/255 is kLeading + kRest. The
// product of a byte and kLeading is exact. The product with kRest is so much smaller that its own rounding
// does not matter. Only the sum is rounded, and no byte / 255 lies near the middle between two numbers.
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
HWY_INLINE Vector<T> pixels_of(Vector<T> bytes) {
  const Tag<T> d;
  return hn::MulAdd(bytes, hn::Set(d, kLeading<T>), hn::Mul(bytes, hn::Set(d, kRest<T>)));
}

/// transposed[f * 16 + l] = images[l][f] for 16 features, 0 from l = count on. Four rounds, which each
/// interleave register k with register k + 8, transpose a matrix of 16 x 16.
inline void transpose_bytes(const std::uint8_t* const* images, std::int64_t feature, std::int64_t count,
                            std::uint8_t* transposed) {
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
  for (int k = 0; k < 16; ++k) hn::Store(v[k], d, transposed + 16 * k);
}

/// block[f,l] = images[l][f] / 255 for a block of `count` images, 0 from l = count on.
template <class T>
void bytes_to_block(std::int64_t features, const std::uint8_t* const* images, std::int64_t count, T* block) {
  const Tag<T> d;
  const hn::Rebind<std::int32_t, Tag<T>> integers;
  const hn::Rebind<std::uint8_t, Tag<T>> bytes;
  std::int64_t f = 0;
  for (; f + 16 <= features; f += 16) {
    const std::int64_t ahead = std::min(f + kAhead, features - 1);
    for (std::int64_t l = 0; l < count && f % 64 == 0; ++l) __builtin_prefetch(images[l] + ahead);
    HWY_ALIGN std::uint8_t transposed[16 * 16];
    transpose_bytes(images, f, count, transposed);
    for (std::int64_t k = 0; k < 16; ++k) {
      for (std::int64_t lane = 0; lane < kInterleaved<T>; lane += kVectorSize<T>) {
        const auto whole = hn::PromoteTo(integers, hn::LoadU(bytes, transposed + 16 * k + lane));
        T* to = block + (f + k) * kInterleaved<T> + lane;
        if constexpr (sizeof(T) == 4) {
          hn::Store(pixels_of<T>(hn::ConvertTo(d, whole)), d, to);
        } else {
          hn::Store(pixels_of<T>(hn::PromoteTo(d, whole)), d, to);
        }
      }
    }
  }
  for (; f < features; ++f) {
    for (std::int64_t l = 0; l < kInterleaved<T>; ++l)
      block[f * kInterleaved<T> + l] = l < count ? static_cast<T>(images[l][f]) / 255 : T(0);
  }
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Conversions;

template <class T>
struct Conversions<HWY_TARGET, T> {
  static constexpr auto interleave_block = HWY_NAMESPACE::interleave_block<T>;
  static constexpr auto deinterleave_block = HWY_NAMESPACE::deinterleave_block<T>;
  static constexpr auto bytes_to_pixels = HWY_NAMESPACE::bytes_to_pixels<T>;
  static constexpr auto bytes_to_block = HWY_NAMESPACE::bytes_to_block<T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

template <class T>
void gather_row_major(const std::uint8_t* images, std::int64_t features, const std::int64_t* index,
                      std::int64_t count, T* to) {
  parallel_for(count, count * features * kElementWork, [&](std::int64_t n) {
    best<Conversions, T>(
        [&](auto k) { k.bytes_to_pixels(features, images + index[n] * features, to + n * features); });
  });
}

template <class T>
void gather_interleaved(const std::uint8_t* images, std::int64_t features, const std::int64_t* index,
                        std::int64_t count, T* to) {
  for_chunks_of(kInterleaved<T>, count, count * features * kElementWork,
                [&](std::int64_t first, std::int64_t used) {
                  const std::uint8_t* of_block[kInterleaved<T>];
                  for (std::int64_t l = 0; l < used; ++l) {
                    of_block[l] = images + index[first + l] * features;
                    for (std::int64_t i = 0; i < std::min(kAhead, features); i += 64)
                      __builtin_prefetch(of_block[l] + i);
                  }
                  best<Conversions, T>(
                      [&](auto k) { k.bytes_to_block(features, of_block, used, to + first * features); });
                });
}

}  // namespace

template <class T>
void interleave(std::int64_t count, std::int64_t features, const T* images, T* blocks) {
  for_chunks_of(
      kInterleaved<T>, count, count * features * kElementWork, [&](std::int64_t first, std::int64_t used) {
        const T* from = images + first * features;
        const Scratch<T> padded(used == kInterleaved<T> ? 0 : kInterleaved<T> * features);
        if (used < kInterleaved<T>) {
          std::copy_n(from, used * features, padded.get());
          std::fill_n(padded.get() + used * features, (kInterleaved<T> - used) * features, T(0));
          from = padded.get();
        }
        best<Conversions, T>([&](auto k) { k.interleave_block(features, from, blocks + first * features); });
      });
}

template <class T>
void deinterleave(std::int64_t count, std::int64_t features, const T* blocks, T* images) {
  for_chunks_of(
      kInterleaved<T>, count, count * features * kElementWork, [&](std::int64_t first, std::int64_t used) {
        best<Conversions, T>([&](auto k) {
          k.deinterleave_block(features, used, blocks + first * features, images + first * features);
        });
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
