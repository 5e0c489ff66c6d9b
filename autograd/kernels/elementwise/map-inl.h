// The loops of map.h and broadcast.h. Sources that specialize Function include it after hwy/foreach_target.h.
#if defined(ADJOINT_MAP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_MAP_INL_H
#undef ADJOINT_MAP_INL_H
#else
#define ADJOINT_MAP_INL_H
#endif

#include "autograd/kernels/elementwise/broadcast.h"
#include "autograd/kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {

template <class T>
struct Loops<HWY_TARGET, T> {
  template <class F>
  static constexpr std::int64_t kWork = work_of<Function<F, HWY_TARGET>>();

  template <class F, class... P>
  static void map(std::int64_t n, const T* x, T* y, P... parameters) {
    const HWY_NAMESPACE::Math<T> m{};
    HWY_NAMESPACE::for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
      part.store(Function<F, HWY_TARGET>::value(m, part.load(x + i), m(parameters)...), y + i);
    });
  }

  template <class F, class... P>
  static void map_gradient(std::int64_t n, const T* dy, const T* x, T* dx, P... parameters) {
    const HWY_NAMESPACE::Math<T> m{};
    HWY_NAMESPACE::for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
      part.store(Function<F, HWY_TARGET>::gradient(m, part.load(dy + i), part.load(x + i), m(parameters)...),
                 dx + i);
    });
  }

  template <class F>
  static void zip(std::int64_t n, const T* a, const T* b, T* y) {
    const HWY_NAMESPACE::Math<T> m{};
    HWY_NAMESPACE::for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
      part.store(Function<F, HWY_TARGET>::value(m, part.load(a + i), part.load(b + i)), y + i);
    });
  }

  template <class F>
  static void zip_rows(std::int64_t rows, std::int64_t n, RowOperand<T> a, RowOperand<T> b, T* y) {
    const HWY_NAMESPACE::Math<T> m{};
    for (std::int64_t row = 0; row < rows; ++row, y += n) {
      const T* p = a.values + row * a.row_step;
      const T* q = b.values + row * b.row_step;
      if (a.step == b.step) {
        zip<F>(n, p, q, y);
      } else if (a.step == 1) {
        const auto same = m(*q);
        HWY_NAMESPACE::for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
          part.store(Function<F, HWY_TARGET>::value(m, part.load(p + i), same), y + i);
        });
      } else {
        const auto same = m(*p);
        HWY_NAMESPACE::for_vectors<T>(n, [&](std::int64_t i, auto part) HWY_ATTR {
          part.store(Function<F, HWY_TARGET>::value(m, same, part.load(q + i)), y + i);
        });
      }
    }
  }
};

// Integers are computed modulo 2^64, as unsigned numbers. Highway cannot multiply them on every instruction
// set.
template <>
struct Loops<HWY_TARGET, std::int64_t> {
  template <class F>
  static constexpr std::int64_t kWork = work_of<Function<F, HWY_TARGET>>();

  template <class F>
  static void zip(std::int64_t n, const std::int64_t* a, const std::int64_t* b, std::int64_t* y) {
    zip_rows<F>(1, n, {a, 1, 0}, {b, 1, 0}, y);
  }

  template <class F>
  static void zip_rows(std::int64_t rows, std::int64_t n, RowOperand<std::int64_t> a,
                       RowOperand<std::int64_t> b, std::int64_t* y) {
    for (std::int64_t row = 0; row < rows; ++row, y += n) {
      for (std::int64_t i = 0; i < n; ++i) {
        const auto p = static_cast<std::uint64_t>(a.values[row * a.row_step + i * a.step]);
        const auto q = static_cast<std::uint64_t>(b.values[row * b.row_step + i * b.step]);
        y[i] = static_cast<std::int64_t>(Function<F, HWY_TARGET>::value(0, p, q));
      }
    }
  }
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#endif
