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
        if (column <= -kVectorSize<T> || column >= s.out_width) continue;
        const auto lanes = [&](std::int64_t n) HWY_ATTR {
          return hn::FirstN(d, static_cast<std::size_t>(std::clamp<std::int64_t>(n, 0, kVectorSize<T>)));
        };
        const auto inside = hn::AndNot(lanes(-column), lanes(s.out_width - column));
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
  for (std::int64_t u = 0; u < s.kernel_height; ++u)
    for (std::int64_t v = 0; v < s.kernel_width; ++v) {
      const std::int64_t top = u * s.dilation_height - s.padding_height,
                         left = v * s.dilation_width - s.padding_width;
      const Piece rows = steps_inside(top, s.stride_height, s.height, s.out_height),
                  columns = steps_inside(left, s.stride_width, s.width, s.out_width);
      for (std::int64_t i = rows.begin; i < rows.end; ++i) {
        const T* from = products.of(u, v) + i * s.out_width;
        T* to = dx + (top + i * s.stride_height) * s.width + left;
        for (std::int64_t j = columns.begin; j < columns.end; ++j) to[j * s.stride_width] += from[j];
      }
    }
}

template <class T>
void fold(const Conv2dSizes& s, const T* products, std::int64_t product_step, T* dx) {
  const TapProducts<T> of_taps(s, products, product_step);
  if (s.stride_height > 1 || s.stride_width > 1) return fold_strided(s, of_taps, dx);
  // A stride that finds no second position counts as 1, and leaves rows over that no tap meets.
  const std::int64_t reach = s.out_height + (s.kernel_height - 1) * s.dilation_height - s.padding_height;
  if (const std::int64_t met = std::clamp<std::int64_t>(reach, 0, s.height); met < s.height) {
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
