#include "autograd/kernels/elementwise/broadcast.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/elementwise/broadcast.cpp"
#include <hwy/foreach_target.h>  // Must come before highway.h.

#include "autograd/kernels/elementwise/broadcast_axes.h"
#include "autograd/kernels/simd/dispatch.h"
#include "autograd/kernels/simd/math-inl.h"
#include "autograd/kernels/threads/chunks.h"

#ifndef ADJOINT_BROADCAST_CPP
#define ADJOINT_BROADCAST_CPP
namespace adjoint::kernels {
namespace {

/// An argument of an operation on rows: a step along the row moves by 0 or 1, one to the next row by
/// row_step.
template <class T>
struct Operand {
  const T* values;
  std::int64_t step, row_step;
};

/// An operation on arrays of n elements, and on rows of n: y [rows,n] from a and b.
template <class T>
struct Zip {
  void (*flat)(std::int64_t n, const T* a, const T* b, T* y);
  void (*rows)(std::int64_t rows, std::int64_t n, Operand<T> a, Operand<T> b, T* y);
};

}  // namespace
}  // namespace adjoint::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

struct Add {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Add(a, b);
  }
};
struct Sub {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Sub(a, b);
  }
};
struct Mul {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Mul(a, b);
  }
};
struct Div {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Div(a, b);
  }
};
struct Equal {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V b) const {
    return hn::IfThenElseZero(hn::Eq(a, b), hn::Set(d, hn::TFromD<D>(1)));
  }
};
// exp(b log a) would lose digits, so this is <cmath>'s.
struct Pow {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return Math<hn::TFromD<D>>().pow(a, b);
  }
};

template <class F, class T>
void zip(std::int64_t n, const T* a, const T* b, T* y) {
  for_vectors<T>(n, [&](std::int64_t i, auto part)
                        HWY_ATTR { part.store(F()(Tag<T>(), part.load(a + i), part.load(b + i)), y + i); });
}

template <class F, class T>
void zip_rows(std::int64_t rows, std::int64_t n, Operand<T> a, Operand<T> b, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* p = a.values + row * a.row_step;
    const T* q = b.values + row * b.row_step;
    T* out = y + row * n;
    if (a.step == 1 && b.step == 1) {
      zip<F>(n, p, q, out);
    } else if (a.step == 1) {
      const auto same = hn::Set(Tag<T>(), *q);
      for_vectors<T>(n, [&](std::int64_t i, auto part)
                            HWY_ATTR { part.store(F()(Tag<T>(), part.load(p + i), same), out + i); });
    } else {
      const auto same = hn::Set(Tag<T>(), *p);
      for_vectors<T>(n, [&](std::int64_t i, auto part)
                            HWY_ATTR { part.store(F()(Tag<T>(), same, part.load(q + i)), out + i); });
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE

namespace adjoint::kernels {
namespace {

template <std::int64_t kInstructionSet, class T>
struct Zips;

template <class T>
struct Zips<HWY_TARGET, T> {
  static constexpr Zip<T> add = {HWY_NAMESPACE::zip<HWY_NAMESPACE::Add, T>,
                                 HWY_NAMESPACE::zip_rows<HWY_NAMESPACE::Add, T>};
  static constexpr Zip<T> sub = {HWY_NAMESPACE::zip<HWY_NAMESPACE::Sub, T>,
                                 HWY_NAMESPACE::zip_rows<HWY_NAMESPACE::Sub, T>};
  static constexpr Zip<T> mul = {HWY_NAMESPACE::zip<HWY_NAMESPACE::Mul, T>,
                                 HWY_NAMESPACE::zip_rows<HWY_NAMESPACE::Mul, T>};
  static constexpr Zip<T> div = {HWY_NAMESPACE::zip<HWY_NAMESPACE::Div, T>,
                                 HWY_NAMESPACE::zip_rows<HWY_NAMESPACE::Div, T>};
  static constexpr Zip<T> pow = {HWY_NAMESPACE::zip<HWY_NAMESPACE::Pow, T>,
                                 HWY_NAMESPACE::zip_rows<HWY_NAMESPACE::Pow, T>};
  static constexpr Zip<T> equal = {HWY_NAMESPACE::zip<HWY_NAMESPACE::Equal, T>,
                                   HWY_NAMESPACE::zip_rows<HWY_NAMESPACE::Equal, T>};
};

}  // namespace
}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adjoint::kernels {
namespace {

/// F(a, b) modulo 2^64: F computes with unsigned numbers, whose overflow is defined.
template <auto F>
std::int64_t integer_result(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(F(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
}

/// For integers, which Highway cannot multiply everywhere.
template <auto F>
constexpr Zip<std::int64_t> kIntegerZip = {
    [](std::int64_t n, const std::int64_t* a, const std::int64_t* b, std::int64_t* y) {
      for (std::int64_t i = 0; i < n; ++i) y[i] = integer_result<F>(a[i], b[i]);
    },
    [](std::int64_t rows, std::int64_t n, Operand<std::int64_t> a, Operand<std::int64_t> b, std::int64_t* y) {
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t i = 0; i < n; ++i) {
          y[row * n + i] = integer_result<F>(a.values[row * a.row_step + i * a.step],
                                             b.values[row * b.row_step + i * b.step]);
        }
      }
    }};

struct IntegerZips {
  static constexpr auto add = kIntegerZip<[](std::uint64_t a, std::uint64_t b) { return a + b; }>;
  static constexpr auto sub = kIntegerZip<[](std::uint64_t a, std::uint64_t b) { return a - b; }>;
  static constexpr auto mul = kIntegerZip<[](std::uint64_t a, std::uint64_t b) { return a * b; }>;
  static constexpr auto equal =
      kIntegerZip<[](std::uint64_t a, std::uint64_t b) -> std::uint64_t { return a == b; }>;
};

/// get(the operations on T).
template <class T, class Get>
Zip<T> zip_of(const Get& get) {
  if constexpr (std::is_integral_v<T>) {
    return get(IntegerZips());
  } else {
    return best<Zips, T>(get);
  }
}

template <class T>
void run(const Zip<T>& f, std::int64_t n, const T* a, const T* b, T* y, std::int64_t cost = 1) {
  for_chunks(n, n * cost * kElementWork,
             [&](std::int64_t i, std::int64_t count) { f.flat(count, a + i, b + i, y + i); });
}

/// Calls body(offsets, y offset, rows, n) for blocks of rows that make up the whole of the array that axes
/// describe: the last axis is a row's, the one before counts a block's rows, and long rows are cut.
template <int Count, class Body>
void for_rows(const BroadcastAxes<Count>& axes, std::int64_t cost, const Body& body) {
  constexpr std::int64_t kChunk = 16384;
  const std::int64_t n = axes.rank > 0 ? axes.sizes[0] : 1;
  const std::int64_t rows = axes.rank > 1 ? axes.sizes[1] : 1;
  const std::int64_t blocks = axes.count_from(2);
  if (n * rows * blocks == 0) return;
  if (blocks == 1 && n * rows <= kChunk) return body({}, 0, rows, n);
  const std::int64_t chunk_columns = std::min(n, kChunk),
                     chunk_rows = std::clamp<std::int64_t>(kChunk / n, 1, rows);
  const std::int64_t across = (n + chunk_columns - 1) / chunk_columns,
                     down = (rows + chunk_rows - 1) / chunk_rows;
  parallel_for(blocks * down * across, n * rows * blocks * cost * kElementWork, [&](std::int64_t chunk) {
    const std::int64_t column = chunk % across * chunk_columns;
    const std::int64_t row = chunk / across % down * chunk_rows;
    const std::int64_t block = chunk / across / down;
    auto offsets = axes.offsets(2, block);
    for (int k = 0; k < Count; ++k) offsets[k] += column * axes.strides[0][k] + row * axes.strides[1][k];
    body(offsets, (block * rows + row) * n + column, std::min(chunk_rows, rows - row),
         std::min(chunk_columns, n - column));
  });
}

template <class T>
void run(const Zip<T>& f, const Shape& a_shape, const T* a, const Shape& b_shape, const T* b,
         const Shape& y_shape, T* y, std::int64_t cost = 1) {
  if (a_shape == y_shape && b_shape == y_shape) return run(f, y_shape.numel(), a, b, y, cost);
  const BroadcastAxes<2> axes(y_shape, {&a_shape, &b_shape});
  for_rows(axes, cost,
           [&](const std::array<std::int64_t, 2>& at, std::int64_t out, std::int64_t rows, std::int64_t n) {
             f.rows(rows, n, {a + at[0], axes.strides[0][0], axes.strides[1][0]},
                    {b + at[1], axes.strides[0][1], axes.strides[1][1]}, y + out);
           });
}

constexpr std::int64_t kPowCost = 64;

}  // namespace

template <class T>
void broadcast_to(const Shape& x_shape, const T* x, const Shape& y_shape, T* y) {
  const BroadcastAxes<1> axes(y_shape, {&x_shape});
  for_rows(axes, 1,
           [&](const std::array<std::int64_t, 1>& at, std::int64_t out, std::int64_t rows, std::int64_t n) {
             for (std::int64_t row = 0; row < rows; ++row) {
               const T* from = x + at[0] + row * axes.strides[1][0];
               T* to = y + out + row * n;
               if (axes.strides[0][0] == 0) {
                 std::fill_n(to, n, *from);
               } else {
                 std::copy_n(from, n, to);
               }
             }
           });
}

template <class T>
void add(std::int64_t n, const T* a, const T* b, T* y) {
  run(zip_of<T>([](auto k) { return k.add; }), n, a, b, y);
}

template <class T>
void add(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y) {
  run(zip_of<T>([](auto k) { return k.add; }), a_shape, a, b_shape, b, y_shape, y);
}

template <class T>
void sub(std::int64_t n, const T* a, const T* b, T* y) {
  run(zip_of<T>([](auto k) { return k.sub; }), n, a, b, y);
}

template <class T>
void sub(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y) {
  run(zip_of<T>([](auto k) { return k.sub; }), a_shape, a, b_shape, b, y_shape, y);
}

template <class T>
void mul(std::int64_t n, const T* a, const T* b, T* y) {
  run(zip_of<T>([](auto k) { return k.mul; }), n, a, b, y);
}

template <class T>
void mul(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y) {
  run(zip_of<T>([](auto k) { return k.mul; }), a_shape, a, b_shape, b, y_shape, y);
}

template <class T>
void div(std::int64_t n, const T* a, const T* b, T* y) {
  run(zip_of<T>([](auto k) { return k.div; }), n, a, b, y);
}

template <class T>
void div(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y) {
  run(zip_of<T>([](auto k) { return k.div; }), a_shape, a, b_shape, b, y_shape, y);
}

template <class T>
void pow(std::int64_t n, const T* a, const T* b, T* y) {
  run(zip_of<T>([](auto k) { return k.pow; }), n, a, b, y, kPowCost);
}

template <class T>
void pow(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y) {
  run(zip_of<T>([](auto k) { return k.pow; }), a_shape, a, b_shape, b, y_shape, y, kPowCost);
}

template <class T>
void equal(std::int64_t n, const T* a, const T* b, T* y) {
  run(zip_of<T>([](auto k) { return k.equal; }), n, a, b, y);
}

template <class T>
void equal(const Shape& a_shape, const T* a, const Shape& b_shape, const T* b, const Shape& y_shape, T* y) {
  run(zip_of<T>([](auto k) { return k.equal; }), a_shape, a, b_shape, b, y_shape, y);
}

#define ADJOINT_INSTANTIATE(NAME, T)                        \
  template void NAME(std::int64_t, const T*, const T*, T*); \
  template void NAME(const Shape&, const T*, const Shape&, const T*, const Shape&, T*)
#define ADJOINT_INSTANTIATE_FOR_ALL(T)                                  \
  template void broadcast_to(const Shape&, const T*, const Shape&, T*); \
  ADJOINT_INSTANTIATE(add, T);                                          \
  ADJOINT_INSTANTIATE(sub, T);                                          \
  ADJOINT_INSTANTIATE(mul, T);                                          \
  ADJOINT_INSTANTIATE(equal, T)
#define ADJOINT_INSTANTIATE_FOR_FLOATING(T) \
  ADJOINT_INSTANTIATE_FOR_ALL(T);           \
  ADJOINT_INSTANTIATE(div, T);              \
  ADJOINT_INSTANTIATE(pow, T)
ADJOINT_INSTANTIATE_FOR_ALL(std::int64_t);
ADJOINT_INSTANTIATE_FOR_FLOATING(float);
ADJOINT_INSTANTIATE_FOR_FLOATING(double);
#undef ADJOINT_INSTANTIATE_FOR_FLOATING
#undef ADJOINT_INSTANTIATE_FOR_ALL
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::kernels
#endif
