// Plain loops, which the compiler turns into vectors for each instruction set.
#include "autograd/kernels/elementwise/compare.h"

#include <cstdint>

#include "autograd/kernels/elementwise/broadcast_axes.h"
#include "autograd/kernels/simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/elementwise/compare.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>

#ifndef ADJOINT_COMPARE_CPP
#define ADJOINT_COMPARE_CPP
namespace adjoint::kernels {
namespace {

/// An argument of a function of rows. The distance to the next element of a row is `step` (0 or 1), and that
/// to the next row is row_step.
template <class T>
struct RowOperand {
  const T* values;
  std::int64_t step, row_step;
};

/// Computes y[rows,n] from rows of n elements.
template <class T>
using RowFunction = void (*)(std::int64_t rows, std::int64_t n, RowOperand<T> a, RowOperand<T> b, bool* y);

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

struct Equal {
  template <class T>
  static bool of(T a, T b) {
    return a == b;
  }
};
struct NotEqual {
  template <class T>
  static bool of(T a, T b) {
    return a != b;
  }
};
struct Less {
  template <class T>
  static bool of(T a, T b) {
    return a < b;
  }
};
struct LessEqual {
  template <class T>
  static bool of(T a, T b) {
    return a <= b;
  }
};
struct And {
  static bool of(bool a, bool b) { return a & b; }
};
struct Or {
  static bool of(bool a, bool b) { return a | b; }
};

template <class F, class T>
void compare_rows(std::int64_t rows, std::int64_t n, RowOperand<T> a, RowOperand<T> b, bool* y) {
  for (std::int64_t row = 0; row < rows; ++row, y += n) {
    const T* p = a.values + row * a.row_step;
    const T* q = b.values + row * b.row_step;
    if (a.step == b.step) {
      for (std::int64_t i = 0; i < n; ++i) y[i] = F::of(p[i], q[i]);
    } else if (a.step == 1) {
      const T same = *q;
      for (std::int64_t i = 0; i < n; ++i) y[i] = F::of(p[i], same);
    } else {
      const T same = *p;
      for (std::int64_t i = 0; i < n; ++i) y[i] = F::of(same, q[i]);
    }
  }
}

template <bool kRepeatA, bool kRepeatB, class T>
void select_row(std::int64_t n, const bool* mask, const T* a, const T* b, T* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    const T p = a[kRepeatA ? 0 : i], q = b[kRepeatB ? 0 : i];  // Both are read, so that no branch is needed.
    y[i] = mask[i] ? p : q;
  }
}

template <class T>
void copy_row(std::int64_t n, const T* from, std::int64_t step, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = from[i * step];
}

template <class T>
void select_rows(std::int64_t rows, std::int64_t n, RowOperand<bool> mask, RowOperand<T> a, RowOperand<T> b,
                 T* y) {
  for (std::int64_t row = 0; row < rows; ++row, y += n) {
    const bool* m = mask.values + row * mask.row_step;
    const T* p = a.values + row * a.row_step;
    const T* q = b.values + row * b.row_step;
    if (mask.step == 0) {
      *m ? copy_row(n, p, a.step, y) : copy_row(n, q, b.step, y);
    } else if (a.step == 1) {
      b.step == 1 ? select_row<false, false>(n, m, p, q, y) : select_row<false, true>(n, m, p, q, y);
    } else {
      b.step == 1 ? select_row<true, false>(n, m, p, q, y) : select_row<true, true>(n, m, p, q, y);
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct CompareRows;

template <class T>
struct CompareRows<HWY_TARGET, T> {
  // In the order of Comparison.
  static constexpr RowFunction<T> kComparisons[] = {HWY_NAMESPACE::compare_rows<HWY_NAMESPACE::Equal, T>,
                                                    HWY_NAMESPACE::compare_rows<HWY_NAMESPACE::NotEqual, T>,
                                                    HWY_NAMESPACE::compare_rows<HWY_NAMESPACE::Less, T>,
                                                    HWY_NAMESPACE::compare_rows<HWY_NAMESPACE::LessEqual, T>};
  static constexpr auto select_rows = HWY_NAMESPACE::select_rows<T>;
};

template <std::int64_t kInstructionSet, class>
struct CombineRows;

template <class T>
struct CombineRows<HWY_TARGET, T> {
  // In the order of Logical.
  static constexpr RowFunction<bool> kOperations[] = {HWY_NAMESPACE::compare_rows<HWY_NAMESPACE::And, bool>,
                                                      HWY_NAMESPACE::compare_rows<HWY_NAMESPACE::Or, bool>};
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

template <class T>
void broadcast_rows(RowFunction<T> f, const Shape& a_shape, const T* a, const Shape& b_shape, const T* b,
                    const Shape& y_shape, bool* y) {
  const BroadcastAxes<2> axes(y_shape, {&a_shape, &b_shape});
  for_rows(axes, kElementWork,
           [&](const std::array<std::int64_t, 2>& at, std::int64_t out, std::int64_t rows, std::int64_t n) {
             f(rows, n, {a + at[0], axes.strides[0][0], axes.strides[1][0]},
               {b + at[1], axes.strides[0][1], axes.strides[1][1]}, y + out);
           });
}

}  // namespace

template <class T>
void compare(Comparison op, const Shape& a_shape, const T* a, const Shape& b_shape, const T* b,
             const Shape& y_shape, bool* y) {
  const auto rows =
      best<CompareRows, T>([&](auto k) { return k.kComparisons[static_cast<std::size_t>(op)]; });
  broadcast_rows<T>(rows, a_shape, a, b_shape, b, y_shape, y);
}

void combine(Logical op, const Shape& a_shape, const bool* a, const Shape& b_shape, const bool* b,
             const Shape& y_shape, bool* y) {
  const auto rows =
      best<CombineRows, bool>([&](auto k) { return k.kOperations[static_cast<std::size_t>(op)]; });
  broadcast_rows<bool>(rows, a_shape, a, b_shape, b, y_shape, y);
}

template <class T>
void where(const Shape& mask_shape, const bool* mask, const Shape& a_shape, const T* a, const Shape& b_shape,
           const T* b, const Shape& y_shape, T* y) {
  const auto select_rows = best<CompareRows, T>([](auto k) { return k.select_rows; });
  const BroadcastAxes<3> axes(y_shape, {&mask_shape, &a_shape, &b_shape});
  for_rows(axes, kElementWork,
           [&](const std::array<std::int64_t, 3>& at, std::int64_t out, std::int64_t rows, std::int64_t n) {
             const auto& step = axes.strides[0];
             const auto& row_step = axes.strides[1];
             select_rows(rows, n, {mask + at[0], step[0], row_step[0]}, {a + at[1], step[1], row_step[1]},
                         {b + at[2], step[2], row_step[2]}, y + out);
           });
}

#define ADJOINT_INSTANTIATE(T)                                                                            \
  template void compare(Comparison, const Shape&, const T*, const Shape&, const T*, const Shape&, bool*); \
  template void where(const Shape&, const bool*, const Shape&, const T*, const Shape&, const T*,          \
                      const Shape&, T*)
ADJOINT_INSTANTIATE(float);
ADJOINT_INSTANTIATE(double);
ADJOINT_INSTANTIATE(std::int64_t);
ADJOINT_INSTANTIATE(bool);
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
