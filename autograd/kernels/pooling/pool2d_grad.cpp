// The gradients of pooling.
#include "autograd/kernels/pooling/pool2d.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/pooling/pool2d_grad.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/pooling/pool2d-inl.h"
#include "autograd/kernels/pooling/pool2d_planes.h"
#include "autograd/kernels/simd/dispatch.h"

#ifndef ADJOINT_POOL2D_GRAD_CPP
#define ADJOINT_POOL2D_GRAD_CPP
namespace adjoint::kernels {
namespace {

/// dx of some planes from dy and the offsets of the maxima (null for averages), as compiled for one
/// instruction set.
template <class T>
using Gradient = void (*)(const Pool2dSizes& sizes, std::int64_t planes, const T* dy, const T* offset, T* dx);

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

/// What an output adds to each place of its window: the same everywhere (Shares), or everything at one place
/// (Choices).
template <class T, class Group>
struct Shares {
  Vector<T> dy[Group::kVectors];

  Shares(const Group& group, const T* from, const Divisor<T>& divisor) {
    for (int k = 0; k < Group::kVectors; ++k) dy[k] = divisor.divide(group.load(from, k));
  }
  HWY_INLINE Vector<T> at(std::int64_t, int k) const { return dy[k]; }
};

template <class T, class Group>
struct Choices {
  Vector<T> dy[Group::kVectors], offset[Group::kVectors];

  Choices(const Group& group, const T* from, const T* offsets) {
    for (int k = 0; k < Group::kVectors; ++k) {
      dy[k] = group.load(from, k);
      offset[k] = group.load(offsets, k);
    }
  }
  HWY_INLINE Vector<T> at(std::int64_t place, int k) const {
    return hn::IfThenElseZero(hn::Eq(offset[k], hn::Set(Tag<T>(), static_cast<T>(place))), dy[k]);
  }
};

/// Neighboring outputs of a row with windows 2 wide, side by side: their elements form one run.
template <class T, class Access, class Values>
HWY_INLINE void write_pairs(const RowMajorGroup<T, Access, 2>& group, const Window& w, const Values& values,
                            T* dx) {
  const Tag<T> d;
  for (std::int64_t u = w.rows.begin; u < w.rows.end; ++u) {
    const auto even = values.at(2 * u, 0), odd = values.at(2 * u + 1, 0);
    T* to = dx + w.start + u * w.row_step;
    if constexpr (std::is_same_v<Access, AllLanes<T>>) {
      hn::StoreInterleaved2(even, odd, d, to);
    } else {
      group.pairs.store(even, odd, to);
    }
  }
}

template <bool kAdd, class Layout, class T, class Group, class Values>
HWY_INLINE void scatter(const Group& group, const Window& w, const Values& values, T* dx) {
  if constexpr (!kAdd && Group::kPairs) {
    if (w.width == 2 && w.columns.end == 2) return write_pairs(group, w, values, dx);
  }
  w.for_places([&](std::int64_t element, std::int64_t place) HWY_ATTR {
    for (int k = 0; k < Group::kVectors; ++k) {
      group.template scatter<kAdd>(values.at(place, k), dx + element * Layout::kElement, k);
    }
  });
}

/// Zeros to the right of the last window and below it, if windows lie side by side from the corner on.
template <class Layout, class T>
HWY_INLINE void clear_ragged_edges(const Pool2dSizes& s, T* dx) {
  const std::int64_t rows = std::min(s.height, s.out_height * s.window_height);
  const std::int64_t columns = std::min(s.width, s.out_width * s.window_width);
  for (std::int64_t row = 0; row < rows && columns < s.width; ++row) {
    std::fill(dx + (row * s.width + columns) * Layout::kElement, dx + (row + 1) * s.width * Layout::kElement,
              T(0));
  }
  std::fill(dx + rows * s.width * Layout::kElement, dx + s.height * s.width * Layout::kElement, T(0));
}

template <bool kAdd, bool kMaximum, class Layout, class T>
HWY_INLINE void scatter_planes(const Pool2dSizes& s, std::int64_t planes, const T* dy, const T* offset,
                               T* dx) {
  const std::int64_t outputs = s.out_height * s.out_width, inputs = s.height * s.width;
  [[maybe_unused]] const AverageDivisor<T> divisors(s);
  for_groups<Layout>(
      s, planes, [&](const auto& group, const Window& w, std::int64_t plane, std::int64_t output) HWY_ATTR {
        using Group = std::remove_cvref_t<decltype(group)>;
        const std::int64_t at = (plane * outputs + output) * Layout::kElement;
        T* image = dx + plane * inputs * Layout::kElement;
        if constexpr (kMaximum) {
          scatter<kAdd, Layout>(group, w, Choices<T, Group>(group, dy + at, offset + at), image);
        } else {
          scatter<kAdd, Layout>(group, w, Shares<T, Group>(group, dy + at, divisors.at(w)), image);
        }
      });
}

template <bool kMaximum, class Layout, class T>
void gradient(const Pool2dSizes& s, std::int64_t planes, const T* dy, const T* offset, T* dx) {
  const bool side_by_side = s.stride_height == s.window_height && s.stride_width == s.window_width &&
                            s.padding_height == 0 && s.padding_width == 0;
  const std::int64_t inputs = s.height * s.width * Layout::kElement;
  if (side_by_side) {  // Every element is written once.
    for (std::int64_t plane = 0; plane < planes; ++plane) clear_ragged_edges<Layout>(s, dx + plane * inputs);
    scatter_planes<false, kMaximum, Layout>(s, planes, dy, offset, dx);
  } else {
    std::fill_n(dx, planes * inputs, T(0));
    scatter_planes<true, kMaximum, Layout>(s, planes, dy, offset, dx);
  }
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Gradients;

template <class T>
struct Gradients<HWY_TARGET, T> {
  static constexpr Gradient<T> average_row_major =
      HWY_NAMESPACE::gradient<false, HWY_NAMESPACE::RowMajorLayout<T>, T>;
  static constexpr Gradient<T> average_interleaved =
      HWY_NAMESPACE::gradient<false, HWY_NAMESPACE::InterleavedLayout<T>, T>;
  static constexpr Gradient<T> maximum_row_major =
      HWY_NAMESPACE::gradient<true, HWY_NAMESPACE::RowMajorLayout<T>, T>;
  static constexpr Gradient<T> maximum_interleaved =
      HWY_NAMESPACE::gradient<true, HWY_NAMESPACE::InterleavedLayout<T>, T>;
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

template <class T>
void run(Gradient<T> gradient, Layout layout, const Pool2dSizes& s, const T* dy, const T* offset, T* dx) {
  for_planes<T>(s, layout, [&](std::int64_t planes, std::int64_t in, std::int64_t out) {
    gradient(s, planes, dy + out, offset == nullptr ? nullptr : offset + out, dx + in);
  });
}

}  // namespace

template <class T>
void avg_pool2d_grad(Layout layout, const Pool2dSizes& sizes, const T* dy, T* dx) {
  const auto gradient = best<Gradients, T>(
      [&](auto k) { return layout == Layout::interleaved ? k.average_interleaved : k.average_row_major; });
  run<T>(gradient, layout, sizes, dy, nullptr, dx);
}

template <class T>
void max_pool2d_grad(Layout layout, const Pool2dSizes& sizes, const T* dy, const T* offset, T* dx) {
  const auto gradient = best<Gradients, T>(
      [&](auto k) { return layout == Layout::interleaved ? k.maximum_interleaved : k.maximum_row_major; });
  run<T>(gradient, layout, sizes, dy, offset, dx);
}

#define ADJOINT_INSTANTIATE(T)                                             \
  template void avg_pool2d_grad(Layout, const Pool2dSizes&, const T*, T*); \
  template void max_pool2d_grad(Layout, const Pool2dSizes&, const T*, const T*, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
