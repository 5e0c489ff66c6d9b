#include "autograd/kernels/pooling/pool2d.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/pooling/pool2d.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/pooling/pool2d-inl.h"
#include "autograd/kernels/pooling/pool2d_planes.h"
#include "autograd/kernels/simd/dispatch.h"

#ifndef ADJOINT_POOL2D_CPP
#define ADJOINT_POOL2D_CPP
namespace adjoint::kernels {
namespace {

/// Pooling of some planes in one layout, as compiled for one instruction set.
template <class T>
struct PlaneKernels {
  void (*average)(const Pool2dSizes& sizes, std::int64_t planes, const T* x, T* y);
  void (*maximum)(const Pool2dSizes& sizes, std::int64_t planes, const T* x, T* y, T* offset);
  void (*gather)(const Pool2dSizes& sizes, std::int64_t planes, const T* x, const T* offset, T* y);
};

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

/// Calls body(group, window, x of the plane, index of the first output) for groups of outputs of all planes.
template <class Layout, class T, class Body>
HWY_INLINE void for_planes_groups(const Pool2dSizes& s, std::int64_t planes, const T* x, const Body& body) {
  const std::int64_t outputs = s.out_height * s.out_width, inputs = s.height * s.width;
  for_groups<Layout>(s, planes,
                     [&](const auto& group, const Window& window, std::int64_t plane, std::int64_t output)
                         HWY_ATTR {
                           body(group, window, x + plane * inputs * Layout::kElement,
                                (plane * outputs + output) * Layout::kElement);
                         });
}

template <class Layout, class T>
void average(const Pool2dSizes& s, std::int64_t planes, const T* x, T* y) {
  const Tag<T> d;
  const AverageDivisor<T> divisors(s);
  // A window's rows are added in bands, so that the rounding error of a long sum stays small.
  constexpr std::int64_t kBand = 512;
  const std::int64_t rows_of_band = std::max<std::int64_t>(1, kBand / s.window_width);
  for_planes_groups<Layout>(
      s, planes, x, [&](const auto& group, const Window& w, const T* image, std::int64_t at) HWY_ATTR {
        constexpr int kVectors = std::remove_cvref_t<decltype(group)>::kVectors;
        Vector<T> sums[kVectors];
        Window band = w;
        do {
          band.rows.end = std::min(band.rows.begin + rows_of_band, w.rows.end);
          Vector<T> some[kVectors];
          for (int k = 0; k < kVectors; ++k) some[k] = hn::Zero(d);
          group.for_window(band, image, [&](std::int64_t, const auto& values) HWY_ATTR {
            for (int k = 0; k < kVectors; ++k) some[k] = hn::Add(some[k], values(k));
          });
          const bool is_first = band.rows.begin == w.rows.begin;
          for (int k = 0; k < kVectors; ++k) sums[k] = is_first ? some[k] : hn::Add(sums[k], some[k]);
          band.rows.begin = band.rows.end;
        } while (band.rows.begin < w.rows.end);
        const Divisor<T> divisor = divisors.at(w);
        for (int k = 0; k < kVectors; ++k) group.store(divisor.divide(sums[k]), y + at, k);
      });
}

template <class Layout, class T>
void maximum(const Pool2dSizes& s, std::int64_t planes, const T* x, T* y, T* offset) {
  const Tag<T> d;
  for_planes_groups<Layout>(
      s, planes, x, [&](const auto& group, const Window& w, const T* image, std::int64_t at) HWY_ATTR {
        constexpr int kVectors = std::remove_cvref_t<decltype(group)>::kVectors;
        Vector<T> best[kVectors], place[kVectors];
        for (int k = 0; k < kVectors; ++k) {
          best[k] = hn::Set(d, -std::numeric_limits<T>::infinity());
          place[k] = hn::Set(d, static_cast<T>(w.rows.begin * w.width + w.columns.begin));
        }
        group.for_window(w, image, [&](std::int64_t number, const auto& values) HWY_ATTR {
          const auto here = hn::Set(d, static_cast<T>(number));
          for (int k = 0; k < kVectors; ++k) {
            const auto value = values(k);
            // Greater, or NaN, which is not less or equal. After a NaN, nothing is better.
            const auto better = hn::AndNot(hn::Le(value, best[k]), hn::Eq(best[k], best[k]));
            best[k] = hn::IfThenElse(better, value, best[k]);
            place[k] = hn::IfThenElse(better, here, place[k]);
          }
        });
        for (int k = 0; k < kVectors; ++k) {
          group.store(best[k], y + at, k);
          if (offset != nullptr) group.store(place[k], offset + at, k);
        }
      });
}

template <class Layout, class T>
void gather(const Pool2dSizes& s, std::int64_t planes, const T* x, const T* offset, T* y) {
  const Tag<T> d;
  for_planes_groups<Layout>(
      s, planes, x, [&](const auto& group, const Window& w, const T* image, std::int64_t at) HWY_ATTR {
        constexpr int kVectors = std::remove_cvref_t<decltype(group)>::kVectors;
        Vector<T> found[kVectors], place[kVectors];
        for (int k = 0; k < kVectors; ++k) {
          found[k] = hn::Zero(d);
          place[k] = group.load(offset + at, k);
        }
        group.for_window(w, image, [&](std::int64_t number, const auto& values) HWY_ATTR {
          const auto here = hn::Set(d, static_cast<T>(number));
          for (int k = 0; k < kVectors; ++k)
            found[k] = hn::IfThenElse(hn::Eq(place[k], here), values(k), found[k]);
        });
        for (int k = 0; k < kVectors; ++k) group.store(found[k], y + at, k);
      });
}

template <class L, class T>
constexpr PlaneKernels<T> kLayout = {average<L, T>, maximum<L, T>, gather<L, T>};
}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Pooling;

template <class T>
struct Pooling<HWY_TARGET, T> {
  static constexpr PlaneKernels<T> row_major = HWY_NAMESPACE::kLayout<HWY_NAMESPACE::RowMajorLayout<T>, T>;
  static constexpr PlaneKernels<T> interleaved =
      HWY_NAMESPACE::kLayout<HWY_NAMESPACE::InterleavedLayout<T>, T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

template <class T>
PlaneKernels<T> kernels_for(Layout layout) {
  return best<Pooling, T>(
      [&](auto k) { return layout == Layout::interleaved ? k.interleaved : k.row_major; });
}

}  // namespace

template <class T>
void avg_pool2d(Layout layout, const Pool2dSizes& sizes, const T* x, T* y) {
  const auto kernels = kernels_for<T>(layout);
  for_planes<T>(sizes, layout, [&](std::int64_t planes, std::int64_t in, std::int64_t out) {
    kernels.average(sizes, planes, x + in, y + out);
  });
}

template <class T>
void max_pool2d(Layout layout, const Pool2dSizes& sizes, const T* x, T* y, T* offset) {
  const auto kernels = kernels_for<T>(layout);
  for_planes<T>(sizes, layout, [&](std::int64_t planes, std::int64_t in, std::int64_t out) {
    kernels.maximum(sizes, planes, x + in, y + out, offset == nullptr ? nullptr : offset + out);
  });
}

template <class T>
void max_pool2d_gather(Layout layout, const Pool2dSizes& sizes, const T* x, const T* offset, T* y) {
  const auto kernels = kernels_for<T>(layout);
  for_planes<T>(sizes, layout, [&](std::int64_t planes, std::int64_t in, std::int64_t out) {
    kernels.gather(sizes, planes, x + in, offset + out, y + out);
  });
}

#define ADJOINT_INSTANTIATE(T)                                            \
  template void avg_pool2d(Layout, const Pool2dSizes&, const T*, T*);     \
  template void max_pool2d(Layout, const Pool2dSizes&, const T*, T*, T*); \
  template void max_pool2d_gather(Layout, const Pool2dSizes&, const T*, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
