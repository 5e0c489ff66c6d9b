// The products of weights with dy added up to an input gradient, compiled once per instruction set. Included
// inside Highway's foreach_target.
#if defined(ADJOINT_KERNELS_IM2COL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_IM2COL_INL_H
#undef ADJOINT_KERNELS_IM2COL_INL_H
#else
#define ADJOINT_KERNELS_IM2COL_INL_H
#endif

#include <algorithm>

#include "autograd/kernels/convolution/row_major/row_major.h"
#include "autograd/kernels/linalg/tile-inl.h"
#include "autograd/kernels/threads/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels::HWY_NAMESPACE {
namespace {

/// A mask of those lanes of a vector that a piece contains.
template <class D>
HWY_INLINE hn::Mask<D> lanes_of(D d, Piece piece) {
  constexpr std::int64_t kLanes = kVectorSize<hn::TFromD<D>>;
  const auto first = [&](std::int64_t n) HWY_ATTR {
    return hn::FirstN(d, static_cast<std::size_t>(std::clamp<std::int64_t>(n, 0, kLanes)));
  };
  return hn::AndNot(first(piece.begin), first(piece.end));
}

/// The products of weights with dy for every tap of a kernel.
template <class T>
struct TapProducts {
  TapProducts(const Conv2dSizes& s, const T* products, std::int64_t step)
      : first(products + (s.flip ? s.kernel_height * s.kernel_width - 1 : 0) * step),
        next_column(s.flip ? -step : step),
        next_row(s.kernel_width * next_column) {}
  const T* of(std::int64_t u, std::int64_t v) const { return first + u * next_row + v * next_column; }
  const T* first;
  std::int64_t next_column, next_row;
};

/// sums[v, i, j] = sum_u products[u, v, i + ph - u dh, j] for the rows i of dx and the columns j of dy, as
/// runs of values over all rows; sums of different v are sums_step apart.
template <class T>
void fold_rows(const Conv2dSizes& s, const TapProducts<T>& products, T* sums, std::int64_t sums_step) {
  const Tag<T> d;
  const std::int64_t next_row = products.next_row - s.dilation_height * s.out_width;
  for (std::int64_t v = 0; v < s.kernel_width; ++v)
    for (std::int64_t q = 0; q < s.height * s.out_width; q += kVectorSize<T>) {
      const T* from = products.of(0, v) + s.padding_height * s.out_width + q;
      auto sum = hn::LoadU(d, from);
      for (std::int64_t u = 1; u < s.kernel_height; ++u) sum = hn::Add(sum, hn::LoadU(d, from += next_row));
      hn::StoreU(sum, d, sums + v * sums_step + q);
    }
}

/// dx[i, j] = sum_v sums[v, i, j + pw - v dw], where that is a column of dy. Four rows are added up together,
/// so that additions need not wait for each other; as variables, since GCC would keep an array in memory.
template <class T>
void fold_columns(const Conv2dSizes& s, const T* sums, std::int64_t sums_step, T* dx) {
  const Tag<T> d;
  for (std::int64_t j = 0; j < s.width; j += kVectorSize<T>)
    for (std::int64_t i = 0; i < s.height; i += 4) {
      const std::int64_t last_row = std::min<std::int64_t>(s.height - i, 4) - 1;
      auto row0 = hn::Zero(d), row1 = row0, row2 = row0, row3 = row0;
      for (std::int64_t v = 0; v < s.kernel_width; ++v) {
        const std::int64_t column = j + s.padding_width - v * s.dilation_width;
        const Piece lanes = steps_inside(column, 1, s.out_width, kVectorSize<T>);
        if (lanes.size() == 0) continue;
        const auto inside = lanes_of(d, lanes);
        const T* from = sums + v * sums_step + i * s.out_width + column;
        const auto load = [&](std::int64_t r) HWY_ATTR {
          return hn::IfThenElseZero(inside, hn::LoadU(d, from + std::min(r, last_row) * s.out_width));
        };
        row0 = hn::Add(row0, load(0));
        row1 = hn::Add(row1, load(1));
        row2 = hn::Add(row2, load(2));
        row3 = hn::Add(row3, load(3));
      }
      const auto store = [&](hn::Vec<Tag<T>> row, std::int64_t r) HWY_ATTR {
        if (r <= last_row)
          store_first(row, d, dx + (i + r) * s.width + j, std::min(s.width - j, kVectorSize<T>));
      };
      store(row0, 0), store(row1, 1), store(row2, 2), store(row3, 3);
    }
}

/// As fold, for any strides, value by value.
template <class T>
void fold_strided(const Conv2dSizes& s, const TapProducts<T>& products, T* dx) {
  std::fill_n(dx, s.height * s.width, T(0));
  const Axis rows = row_axis(s), columns = column_axis(s);
  for (std::int64_t u = 0; u < rows.taps; ++u)
    for (std::int64_t v = 0; v < columns.taps; ++v) {
      const Piece inside_rows = rows.outputs_inside(u), inside = columns.outputs_inside(v);
      for (std::int64_t i = inside_rows.begin; i < inside_rows.end; ++i) {
        const T* from = products.of(u, v) + i * s.out_width;
        T* to = dx + rows.input(i, u) * s.width + columns.input(0, v);
        for (std::int64_t j = inside.begin; j < inside.end; ++j) to[j * columns.stride] += from[j];
      }
    }
}

template <class T>
void fold(const Conv2dSizes& s, const T* products, std::int64_t product_step, T* dx) {
  const TapProducts<T> of_taps(s, products, product_step);
  if (s.stride_height > 1 || s.stride_width > 1) return fold_strided(s, of_taps, dx);
  // A stride that finds no second position counts as 1, and leaves rows over that no tap meets.
  const Axis rows = row_axis(s);
  if (const std::int64_t met = overlap({0, rows.in}, rows.inputs({0, rows.out})).end; met < s.height) {
    std::fill_n(dx + met * s.width, (s.height - met) * s.width, T(0));
    Conv2dSizes rows_met = s;
    rows_met.height = met;
    return fold(rows_met, products, product_step, dx);
  }
  const std::int64_t sums_step = round_up(s.height * s.out_width, kVectorSize<T>);
  const Scratch<T> scratch(s.kernel_width * sums_step + 2 * kVectorSize<T>);
  T* sums = scratch.get() + kVectorSize<T>;
  fold_rows(s, of_taps, sums, sums_step);
  fold_columns(s, sums, sums_step, dx);
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
