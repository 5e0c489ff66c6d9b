// How pooling walks over windows. Included once per instruction set (see hwy/foreach_target.h), hence no
// #pragma once.
#if defined(ADJOINT_POOL2D_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_POOL2D_INL_H
#undef ADJOINT_POOL2D_INL_H
#else
#define ADJOINT_POOL2D_INL_H
#endif

#include <algorithm>
#include <bit>
#include <type_traits>

#include "autograd/kernels/layout/interleaved.h"
#include "autograd/kernels/pooling/pool2d.h"
#include "autograd/kernels/simd/vectors-inl.h"
#include "autograd/kernels/threads/chunks.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {

/// The rows or columns of a window that lie in an image of `size` rows or columns, if the window begins at
/// row or column `start` of the image, which may be negative.
constexpr Piece inside_image(std::int64_t start, std::int64_t window, std::int64_t size) {
  return {std::max<std::int64_t>(0, -start), std::min(window, size - start)};
}

/// The windows of a group. The edges of the image cut all of them in the same way.
struct Window {
  Piece rows, columns;
  std::int64_t start;     // Element of the plane where the first window begins, perhaps outside.
  std::int64_t row_step;  // Elements from one row of the plane to the next.
  std::int64_t width;     // Of a window not cut.

  /// Calls body(element, offset) for the places of the window that lie in the image, in order.
  template <class Body>
  HWY_INLINE void for_places(const Body& body) const {
    for (std::int64_t u = rows.begin; u < rows.end; ++u) {
      for (std::int64_t v = columns.begin; v < columns.end; ++v)
        body(start + u * row_step + v, u * width + v);
    }
  }
};

// A group consists of neighboring outputs of one row, which are computed together in kVectors vectors. load
// and store read and write outputs. for_window calls body(offset, values) for every place of the windows;
// values(k) is vector k of the input at that place. scatter writes or adds the outputs' values to the input
// elements at one place of their windows; `to` is the element of the first output.

/// The first `count` elements, at most two vectors of them, as elements 0, 2, ... and 1, 3, ...
template <class T>
class Pairs {
 public:
  HWY_INLINE explicit Pairs(std::int64_t count)
      : begin_of_high_(std::min(count, kVectorSize<T>)),
        low_(begin_of_high_),
        high_(count - begin_of_high_) {}
  HWY_INLINE void load(const T* from, Vector<T>& even, Vector<T>& odd) const {
    const Tag<T> d;
    const auto first = low_.load(from), second = high_.load(from + begin_of_high_);
    even = hn::ConcatEven(d, second, first);
    odd = hn::ConcatOdd(d, second, first);
  }
  HWY_INLINE void store(Vector<T> even, Vector<T> odd, T* to) const {
    HWY_ALIGN T both[2 * kVectorSize<T>];
    hn::StoreInterleaved2(even, odd, Tag<T>(), both);
    if (begin_of_high_ < kVectorSize<T>) return low_.store(hn::Load(Tag<T>(), both), to);
    AllLanes<T>().store(hn::Load(Tag<T>(), both), to);
    high_.store(hn::Load(Tag<T>(), both + kVectorSize<T>), to + kVectorSize<T>);
  }

 private:
  std::int64_t begin_of_high_;
  FirstLanes<T> low_, high_;
};

/// Neighboring columns side by side in one vector; Access is AllLanes or FirstLanes, kStride 2 or 0 for any
/// stride.
template <class T, class Access, int kStride>
struct RowMajorGroup {
  static constexpr int kVectors = 1;
  static constexpr bool kPairs = kStride == 2;
  Access access;
  std::int64_t count, stride;
  Pairs<T> pairs{2 * count};

  HWY_INLINE Vector<T> load(const T* from, int) const { return access.load(from); }
  HWY_INLINE void store(Vector<T> value, T* to, int) const { access.store(value, to); }

  template <class Body>
  HWY_INLINE void for_window(const Window& w, const T* image, const Body& body) const {
    const T* row = image + w.start + w.rows.begin * w.row_step;
    for (std::int64_t u = w.rows.begin; u < w.rows.end; ++u, row += w.row_step) {
      const std::int64_t offset = u * w.width;
      std::int64_t v = w.columns.begin;
      if constexpr (kStride == 2) {
        for (; v + 2 <= w.columns.end; v += 2) {  // Two columns use all that is read.
          Vector<T> even, odd;
          pairs.load(row + v, even, odd);
          body(offset + v, [&](int) HWY_ATTR { return even; });
          body(offset + v + 1, [&](int) HWY_ATTR { return odd; });
        }
      }
      for (; v < w.columns.end; ++v) {
        body(offset + v, [&](int) HWY_ATTR { return gather(row + v); });
      }
    }
  }

  template <bool kAdd>
  HWY_INLINE void scatter(Vector<T> value, T* to, int) const {
    HWY_ALIGN T values[kVectorSize<T>];
    hn::Store(value, Tag<T>(), values);
    for (std::int64_t k = 0; k < count; ++k) to[k * stride] = kAdd ? to[k * stride] + values[k] : values[k];
  }

 private:
  HWY_INLINE Vector<T> gather(const T* from) const {
    if constexpr (kStride == 2) {
      Vector<T> even, odd;
      // What follows the last column may lie outside the array.
      Pairs<T>(2 * count - 1).load(from, even, odd);
      return even;
    }
    if (stride == 1) return access.load(from);
    HWY_ALIGN T values[kVectorSize<T>] = {};
    for (std::int64_t k = 0; k < count; ++k) values[k] = from[k * stride];
    return hn::Load(Tag<T>(), values);
  }
};

/// Neighboring columns of interleaved images: each column is one vector, or several.
template <class T, int kColumns>
struct InterleavedGroup {
  static constexpr int kParts = static_cast<int>(kInterleaved<T> / kVectorSize<T>);
  static constexpr int kVectors = kColumns * kParts;
  static constexpr bool kPairs = false;
  std::int64_t stride;

  HWY_INLINE std::int64_t place(int k) const {
    return k / kParts * stride * kInterleaved<T> + k % kParts * kVectorSize<T>;
  }

  HWY_INLINE Vector<T> load(const T* from, int k) const {
    return hn::LoadU(Tag<T>(), from + k * kVectorSize<T>);
  }
  HWY_INLINE void store(Vector<T> value, T* to, int k) const {
    hn::StoreU(value, Tag<T>(), to + k * kVectorSize<T>);
  }

  template <class Body>
  HWY_INLINE void for_window(const Window& w, const T* image, const Body& body) const {
    w.for_places([&](std::int64_t element, std::int64_t offset) HWY_ATTR {
      const T* first = image + element * kInterleaved<T>;
      body(offset, [&](int k) HWY_ATTR { return hn::LoadU(Tag<T>(), first + place(k)); });
    });
  }

  template <bool kAdd>
  HWY_INLINE void scatter(Vector<T> value, T* to, int k) const {
    if constexpr (kAdd) value = hn::Add(value, hn::LoadU(Tag<T>(), to + place(k)));
    hn::StoreU(value, Tag<T>(), to + place(k));
  }
};

/// The layouts: kElement is the number of T in an element of a plane. with_group calls body with a group of
/// at most `count` columns and returns how many it has.
template <class T>
struct RowMajorLayout {
  static constexpr std::int64_t kElement = 1;
  template <class Body>
  static HWY_INLINE std::int64_t with_group(std::int64_t count, std::int64_t stride, const Body& body) {
    count = std::min(count, kVectorSize<T>);
    if (stride != 2) {
      body(RowMajorGroup<T, FirstLanes<T>, 0>{FirstLanes<T>(count), count, stride});
    } else if (count < kVectorSize<T>) {
      body(RowMajorGroup<T, FirstLanes<T>, 2>{FirstLanes<T>(count), count, stride});
    } else {
      body(RowMajorGroup<T, AllLanes<T>, 2>{{}, count, stride});
    }
    return count;
  }
};

template <class T>
struct InterleavedLayout {
  static constexpr std::int64_t kElement = kInterleaved<T>;
  template <class Body>
  static HWY_INLINE std::int64_t with_group(std::int64_t count, std::int64_t stride, const Body& body) {
    // Four vectors hide the latency of an addition.
    constexpr int kColumns = std::max<int>(1, 4 * static_cast<int>(kVectorSize<T> / kInterleaved<T>));
    if (count < kColumns) {
      body(InterleavedGroup<T, 1>{stride});
      return 1;
    }
    body(InterleavedGroup<T, kColumns>{stride});
    return kColumns;
  }
};

/// Division by a count. For powers of two, multiplication by the reciprocal gives the same bits in a fraction
/// of the time.
template <class T>
class Divisor {
 public:
  HWY_INLINE explicit Divisor(std::int64_t count)
      : multiplies_(std::has_single_bit(static_cast<std::uint64_t>(count))),
        operand_(multiplies_ ? T(1) / static_cast<T>(count) : static_cast<T>(count)) {}
  HWY_INLINE Vector<T> divide(Vector<T> x) const {
    const auto operand = hn::Set(Tag<T>(), operand_);
    return multiplies_ ? hn::Mul(x, operand) : hn::Div(x, operand);
  }

 private:
  bool multiplies_;
  T operand_;
};

/// The divisors of averages.
template <class T>
class AverageDivisor {
 public:
  HWY_INLINE explicit AverageDivisor(const Pool2dSizes& s)
      : of_window_(s.window_height * s.window_width), count_include_pad_(s.count_include_pad) {}
  HWY_INLINE Divisor<T> at(const Window& w) const {
    if (count_include_pad_) return of_window_;
    return Divisor<T>(w.rows.size() * w.columns.size());
  }

 private:
  Divisor<T> of_window_;
  bool count_include_pad_;
};

/// Calls body(group, window, plane, output of the plane) for groups that make up all outputs of some planes.
template <class Layout, class Body>
HWY_INLINE void for_groups(const Pool2dSizes& s, std::int64_t planes, const Body& body) {
  // Columns whose windows no padding cuts.
  const std::int64_t whole_first = divide_up(s.padding_width, s.stride_width);
  const std::int64_t room = s.width + s.padding_width - s.window_width;
  const std::int64_t whole_last = room < 0 ? 0 : std::min(s.out_width, room / s.stride_width + 1);
  // Calls body for one group from column j on, at some rows of some planes; returns the next group's column.
  const auto with_group = [&](Piece some_planes, Piece some_rows, std::int64_t j) HWY_ATTR {
    const std::int64_t left = j * s.stride_width - s.padding_width;
    const Piece columns = inside_image(left, s.window_width, s.width);
    const std::int64_t alike = j >= whole_first && j < whole_last ? whole_last - j : 1;
    return j + Layout::with_group(alike, s.stride_width, [&](const auto& group) HWY_ATTR {
             for (std::int64_t plane = some_planes.begin; plane < some_planes.end; ++plane)
               for (std::int64_t i = some_rows.begin; i < some_rows.end; ++i) {
                 const std::int64_t top = i * s.stride_height - s.padding_height;
                 const Piece rows = inside_image(top, s.window_height, s.height);
                 body(group, Window{rows, columns, top * s.width + left, s.width, s.window_width}, plane,
                      i * s.out_width + j);
               }
           });
  };
  if constexpr (Layout::kElement == 1) {  // Rows are short. A group sets up its masks once for all of them.
    for (std::int64_t j = 0; j < s.out_width;) j = with_group({0, planes}, {0, s.out_height}, j);
  } else {
    for (std::int64_t plane = 0; plane < planes; ++plane)
      for (std::int64_t i = 0; i < s.out_height; ++i)
        for (std::int64_t j = 0; j < s.out_width;) j = with_group({plane, plane + 1}, {i, i + 1}, j);
  }
}

}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
