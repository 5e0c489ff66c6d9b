#include "adjoint/ops/pad.h"

#include <algorithm>
#include <utility>

#include "adjoint/graph/node.h"
#include "adjoint/ops/shape.h"
#include "autograd/kernels/shape/fold.h"
#include "autograd/ops/indexing/rows.h"
#include "autograd/ops/shape/box.h"
#include "autograd/ops/support/checks.h"

namespace adjoint {
namespace {

struct Sides {
  std::int64_t before = 0, after = 0;
};

/// The sides of each axis, from the first axis to the last.
struct AllSides {
  Sides axes[Shape::kMaxRank];
};

AllSides checked_sides(const Tensor& x, std::span<const std::int64_t> sides) {
  check_shape(
      sides.size() % 2 == 0 && std::cmp_less_equal(sides.size() / 2, x.rank()),
      "pad: there must be two sides for each padded axis, from the last axis on; x is {}, sides are {}",
      x.shape(), Listed(sides));
  AllSides all;
  for (std::size_t k = 0; k < sides.size() / 2; ++k) {
    const int axis = x.rank() - 1 - static_cast<int>(k);
    const Sides side{sides[2 * k], sides[2 * k + 1]};
    std::int64_t size = 0;
    check_shape(std::min(side.before, side.after) > INT64_MIN / 2 &&
                    !__builtin_add_overflow(x.size(axis), side.before, &size) &&
                    !__builtin_add_overflow(size, side.after, &size) && size >= 0,
                "pad: axis {} of x gets a size below 0 or too large, with {} before and {} after; x is {}",
                axis, side.before, side.after, x.shape());
    all.axes[axis] = side;
  }
  return all;
}

Tensor pad_constant(const Tensor& x, const AllSides& sides, double value) {
  check(is_floating(x.dtype()) || fits_int64(value), "pad: value is {}, which int64 cannot hold", value);
  ops::Box kept(x.shape());
  Shape padded = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto [before, after] = sides.axes[axis];
    const std::int64_t size = x.size(axis), begin = std::clamp<std::int64_t>(-before, 0, size),
                       end = std::clamp<std::int64_t>(size + std::min<std::int64_t>(after, 0), begin, size);
    kept.keep(axis, begin, 1, end - begin);
    padded = padded.with(axis, size + before + after);
  }
  ops::Box place(padded);
  for (int axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t begin = std::max<std::int64_t>(sides.axes[axis].before, 0);
    place.keep(axis, std::min(begin, padded[axis]), 1, kept.size(axis));
  }
  return ops::write_box("pad", ops::read_box("pad", x, kept), place, value);
}

const char* name(PadMode mode) {
  return mode == PadMode::reflect ? "reflect" : mode == PadMode::replicate ? "replicate" : "circular";
}

/// Where element `position` of an axis comes from; positions in front of it are negative.
std::int64_t source(PadMode mode, std::int64_t position, std::int64_t size) {
  if (mode == PadMode::replicate) return std::clamp<std::int64_t>(position, 0, size - 1);
  if (mode == PadMode::circular)
    return position < 0 ? position + size : position >= size ? position - size : position;
  return position < 0 ? -position : position >= size ? 2 * (size - 1) - position : position;
}

/// x with one axis padded with its own elements.
Tensor pad_axis(const Tensor& x, int axis, Sides sides, PadMode mode) {
  const std::int64_t size = x.size(axis), larger = std::max(sides.before, sides.after);
  const std::int64_t most = mode == PadMode::reflect                 ? size - 1
                            : mode == PadMode::circular || size == 0 ? size
                                                                     : larger;
  check_shape(larger <= std::max<std::int64_t>(most, 0),
              "pad: mode {} pads axis {} by at most {}; x is {}, the sides are {} and {}", name(mode), axis,
              std::max<std::int64_t>(most, 0), x.shape(), sides.before, sides.after);
  Values index(DType::int64, Shape{size + sides.before + sides.after});
  auto* to = index.writable<std::int64_t>();
  for (std::int64_t i = 0; i < index.numel(); ++i) to[i] = source(mode, i - sides.before, size);
  return ops::take_rows("pad", x, axis, Tensor(std::move(index)));
}

/// Of images [planes, H, W], as in the headers of unfold() and fold().
kernels::FoldSizes fold_sizes(const char* op, std::int64_t planes, PerAxis image,
                              const ops::Windows& windows) {
  ops::check_at_least(1, op, "window", windows.size);
  ops::check_at_least(1, op, "stride", windows.stride);
  ops::check_at_least(0, op, "padding", windows.padding);
  ops::check_at_least(1, op, "dilation", windows.dilation);
  const PerAxis out = ops::count_windows(op, Shape{1, 1, image.height, image.width}, windows);
  return {.planes = planes,
          .height = image.height,
          .width = image.width,
          .out_height = out.height,
          .out_width = out.width,
          .window_height = windows.size.height,
          .window_width = windows.size.width,
          .stride_height = ops::step_between(out.height, windows.stride.height),
          .stride_width = ops::step_between(out.width, windows.stride.width),
          .padding_height = windows.padding.height,
          .padding_width = windows.padding.width,
          .dilation_height = ops::step_between(windows.size.height, windows.dilation.height),
          .dilation_width = ops::step_between(windows.size.width, windows.dilation.width)};
}

Tensor fold_to(const Shape& shape, const kernels::FoldSizes& sizes, const Tensor& x);

/// The windows of x, whose last two axes are those of an image, in the given shape.
Tensor unfold_to(const Shape& shape, const kernels::FoldSizes& sizes, const Tensor& x) {
  Values y(x.dtype(), shape);
  kernels::unfold(size_of(x.dtype()), sizes, ops::bytes_of(x.values()), ops::writable_bytes(y));
  return record("unfold", std::move(y), {x}, [sizes, xs = x.shape()](const Tensor& dy, Needs) -> Grads {
    return {fold_to(xs, sizes, dy)};
  });
}

Tensor fold_to(const Shape& shape, const kernels::FoldSizes& sizes, const Tensor& x) {
  Values y(x.dtype(), shape);
  visit_numbers(x.dtype(),
                [&]<class T>() { kernels::fold(sizes, x.values().row_major<T>(), y.writable<T>()); });
  return record("fold", std::move(y), {x}, [sizes, xs = x.shape()](const Tensor& dy, Needs) -> Grads {
    return {unfold_to(xs, sizes, dy)};
  });
}

}  // namespace

Tensor pad(const Tensor& x, std::span<const std::int64_t> sides, const PadOptions& options) {
  const AllSides all = checked_sides(x, sides);
  if (options.mode == PadMode::constant) return pad_constant(x, all, options.value);
  Tensor y = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const Sides& side = all.axes[axis];
    if (side.before != 0 || side.after != 0) y = pad_axis(y, axis, side, options.mode);
  }
  return y.is_same(x) ? pass_through("pad", x) : y;
}
Tensor pad(const Tensor& x, std::initializer_list<std::int64_t> sides, const PadOptions& options) {
  return pad(x, std::span(sides.begin(), sides.size()), options);
}

Tensor unfold(const Tensor& x, const UnfoldOptions& options) {
  check_shape(x.rank() == 3 || x.rank() == 4, "unfold: x must have 3 or 4 axes, it is {}", x.shape());
  check_shape(x.size(-3) > 0 && x.size(-2) > 0 && x.size(-1) > 0,
              "unfold: x must have at least one channel, row and column, it is {}", x.shape());
  const std::int64_t batch = x.rank() == 4 ? x.size(0) : 1, channels = x.size(-3);
  const kernels::FoldSizes sizes =
      fold_sizes("unfold", batch * channels, {x.size(-2), x.size(-1)},
                 {options.window, options.stride, options.padding, options.dilation});
  std::int64_t rows = 0;
  check_shape(!__builtin_mul_overflow(sizes.window_height, sizes.window_width, &rows) &&
                  !__builtin_mul_overflow(rows, channels, &rows),
              "unfold: window {} is too large", options.window);
  const std::int64_t columns = sizes.out_height * sizes.out_width;
  return unfold_to(x.rank() == 4 ? Shape{batch, rows, columns} : Shape{rows, columns}, sizes, x);
}

Tensor fold(const Tensor& x, const FoldOptions& options) {
  ops::check_number("fold", "x", x);
  check_shape(x.rank() == 2 || x.rank() == 3, "fold: x must have 2 or 3 axes, it is {}", x.shape());
  ops::check_at_least(1, "fold", "size", options.size);
  const std::int64_t batch = x.rank() == 3 ? x.size(0) : 1;
  kernels::FoldSizes sizes = fold_sizes("fold", 0, options.size,
                                        {options.window, options.stride, options.padding, options.dilation});
  std::int64_t taps = 0;
  const std::int64_t columns = sizes.out_height * sizes.out_width;
  check_shape(!__builtin_mul_overflow(sizes.window_height, sizes.window_width, &taps) && x.size(-2) > 0 &&
                  x.size(-2) % taps == 0 && x.size(-1) == columns,
              "fold: x must have a multiple of {} rows and {} columns; x is {}, size {}, window {}", taps,
              columns, x.shape(), options.size, options.window);
  const std::int64_t channels = x.size(-2) / taps, height = options.size.height, width = options.size.width;
  sizes.planes = batch * channels;
  return fold_to(x.rank() == 3 ? Shape{batch, channels, height, width} : Shape{channels, height, width},
                 sizes, x);
}

}  // namespace adjoint
