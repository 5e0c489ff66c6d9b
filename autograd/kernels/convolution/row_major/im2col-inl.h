// im2col: copies of an image in which the values that a tap reads lie one after the other. col2im: products
// of weights with dy, added where they belong in an input gradient. Compiled once per instruction set:
// included inside Highway's foreach_target.
#if defined(ADJOINT_KERNELS_IM2COL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_KERNELS_IM2COL_INL_H
#undef ADJOINT_KERNELS_IM2COL_INL_H
#else
#define ADJOINT_KERNELS_IM2COL_INL_H
#endif

#include <algorithm>

#include "autograd/kernels/convolution/row_major/image_convolution.h"
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

/// p[i kStep] for the i of `inside`, the others 0; reads nothing else.
template <int kStep, class T>
HWY_INLINE hn::Vec<Tag<T>> load_inside(const T* p, Piece inside) {
  const Tag<T> d;
  HWY_ALIGN T values[kVectorSize<T>] = {};
  for (std::int64_t i = inside.begin; i < inside.end; ++i) values[i] = p[i * kStep];
  return hn::Load(d, values);
}

/// to[q, j] = from[q, j kStep] for rows q, and the `count` columns j of one vector. Columns outside `inside`
/// become 0. Past the ends of all rows but the last, unspecified values are written.
template <int kStep, class T>
HWY_INLINE void copy_columns(const T* from, std::int64_t from_row, Piece inside, std::int64_t rows, T* to,
                             std::int64_t to_row, std::int64_t count) {
  const Tag<T> d;
  inside = overlap({0, count}, inside);
  if constexpr (kMaskedLoadsAreSafe) {
    // The lanes of from's vector that starts at `first` that are read, up to the last one that counts.
    const auto mask = [&](std::int64_t first) HWY_ATTR {
      return lanes_of(d, {inside.begin * kStep - first, (inside.end - 1) * kStep + 1 - first});
    };
    const auto low = mask(0), high = mask(kVectorSize<T>);
    const auto load = [&]() HWY_ATTR {
      if constexpr (kStep == 1) return hn::MaskedLoad(low, d, from);
      return hn::ConcatEven(d, hn::MaskedLoad(high, d, from + kVectorSize<T>), hn::MaskedLoad(low, d, from));
    };
    for (; rows > 1; --rows) {
      hn::StoreU(load(), d, to);
      from += from_row, to += to_row;
    }
    if (rows == 1) store_first(load(), d, to, count);
  } else if (kStep == 1 && inside.begin == 0 && inside.end == kVectorSize<T>) {
    for (std::int64_t q = 0; q < rows; ++q) hn::StoreU(hn::LoadU(d, from + q * from_row), d, to + q * to_row);
  } else {
    for (std::int64_t q = 0; q < rows; ++q)
      store_first(load_inside<kStep>(from + q * from_row, inside), d, to + q * to_row, count);
  }
}

/// The same for all columns and any stride.
template <class T>
HWY_INLINE void copy_rows(const ImageConvolution& c, const T* from, std::int64_t from_row, Piece inside,
                          std::int64_t rows, T* to) {
  const auto copy = [&]<int kStep>() {
    // From right to left: values written past the end of a row are overwritten by the next row's first
    // vector.
    for (std::int64_t j = (c.columns.out - 1) / kVectorSize<T> * kVectorSize<T>; j >= 0; j -= kVectorSize<T>)
      copy_columns<kStep>(from + j * kStep, from_row, {inside.begin - j, inside.end - j}, rows, to + j,
                          c.columns.out, std::min(c.columns.out - j, kVectorSize<T>));
  };
  if (c.columns.stride == 1) return copy.template operator()<1>();
  if (c.columns.stride == 2) return copy.template operator()<2>();
  for (std::int64_t q = 0; q < rows; ++q)
    for (std::int64_t j = 0; j < c.columns.out; ++j)
      *to++ = j >= inside.begin && j < inside.end ? from[q * from_row + j * c.columns.stride] : T(0);
}

template <class T>
void im2col(const ImageConvolution& c, Piece in_channels, const T* in, T* copies) {
  const std::int64_t row_count = c.rows_per_residue(), width = c.columns.out;
  // Values written past the end of a copy are overwritten by the next copy.
  T* to = copies;
  for (std::int64_t channel = in_channels.begin; channel < in_channels.end; ++channel)
    for (std::int64_t v = 0; v < c.columns.taps; ++v) {
      const Piece inside = c.columns.outputs_inside(v);
      for (std::int64_t residue = 0; residue < c.rows.stride; ++residue) {
        const std::int64_t first = residue + c.rows.offset;  // the input row of row 0
        const Piece rows = steps_inside(first, c.rows.stride, c.rows.in, row_count);
        const std::int64_t row = channel * c.rows.in + first + rows.begin * c.rows.stride;
        std::fill(to, to + rows.begin * width, T(0));
        copy_rows(c, in + row * c.columns.in + c.columns.input(0, v), c.rows.stride * c.columns.in, inside,
                  rows.size(), to + rows.begin * width);
        std::fill(to + rows.end * width, to + row_count * width, T(0));
        to += row_count * width;
      }
    }
}

/// The products of weights with dy for every tap of a kernel, `step` apart.
template <class T>
struct TapProducts {
  const Conv2dSizes& s;
  const T* products;
  std::int64_t step;
  const T* of(std::int64_t u, std::int64_t v) const {
    return products + kernel_index(s.kernel_height, s.kernel_width, s.flip, u, v) * step;
  }
};

/// sums[v, i, j] = sum_u products[u, v, i + ph - u dh, j] for the rows i of dx and the columns j of dy, as
/// runs of values over all rows. Sums of different v are sums_step apart.
template <class T>
void add_tap_rows(const Conv2dSizes& s, const TapProducts<T>& products, T* sums, std::int64_t sums_step) {
  const Tag<T> d;
  const std::int64_t next_row =
      (s.flip ? -1 : 1) * s.kernel_width * products.step - s.dilation_height * s.out_width;
  for (std::int64_t v = 0; v < s.kernel_width; ++v) {
    const T* column = products.of(0, v) + s.padding_height * s.out_width;
    for (std::int64_t q = 0; q < s.height * s.out_width; q += kVectorSize<T>) {
      const T* from = column + q;
      auto sum = hn::LoadU(d, from);
      for (std::int64_t u = 1; u < s.kernel_height; ++u) {
        from += next_row;
        sum = hn::Add(sum, hn::LoadU(d, from));
      }
      hn::StoreU(sum, d, sums + v * sums_step + q);
    }
  }
}

/// dx[i, j] = sum_v sums[v, i, j + pw - v dw], where that is a column of dy. Four rows are added up together,
/// so that additions do not wait for each other. They are variables, because GCC would keep an array in
/// memory.
template <class T>
void add_tap_columns(const Conv2dSizes& s, const T* sums, std::int64_t sums_step, T* dx) {
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

/// For any strides, value by value.
template <class T>
void col2im_strided(const Conv2dSizes& s, const TapProducts<T>& products, T* dx) {
  std::fill_n(dx, s.height * s.width, T(0));
  const Axis rows = row_axis(s), columns = column_axis(s);
  for (std::int64_t u = 0; u < rows.taps; ++u)
    for (std::int64_t v = 0; v < columns.taps; ++v) {
      const Piece rows_inside = rows.outputs_inside(u), inside = columns.outputs_inside(v);
      const T* tap_products = products.of(u, v);
      for (std::int64_t i = rows_inside.begin; i < rows_inside.end; ++i) {
        const T* from = tap_products + i * s.out_width;
        T* to = dx + rows.input(i, u) * s.width + columns.input(0, v);
        for (std::int64_t j = inside.begin; j < inside.end; ++j) to[j * columns.stride] += from[j];
      }
    }
}

template <class T>
void col2im(const Conv2dSizes& s, const T* products, std::int64_t product_step, T* dx) {
  const TapProducts<T> of_taps{s, products, product_step};
  if (is_strided(s)) return col2im_strided(s, of_taps, dx);
  // A stride that has no second position counts as 1. Rows that no tap reads may then be left over.
  const Axis rows = row_axis(s);
  if (const std::int64_t read = overlap({0, rows.in}, rows.inputs({0, rows.out})).end; read < s.height) {
    std::fill_n(dx + read * s.width, (s.height - read) * s.width, T(0));
    Conv2dSizes rows_read = s;
    rows_read.height = read;
    return col2im(rows_read, products, product_step, dx);
  }
  const std::int64_t sums_step = round_up(s.height * s.out_width, kVectorSize<T>);
  const Scratch<T> scratch(s.kernel_width * sums_step + 2 * kVectorSize<T>);
  T* sums = scratch.get() + kVectorSize<T>;
  add_tap_rows(s, of_taps, sums, sums_step);
  add_tap_columns(s, sums, sums_step, dx);
}

}  // namespace
}  // namespace adjoint::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
