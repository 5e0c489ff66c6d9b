#pragma once
// Which taps of a kernel read inside an image. Every convolution and gradient, in either layout, derives it
// here, for rows and for columns alike.

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "autograd/kernels/convolution/conv2d.h"
#include "autograd/kernels/linalg/tile.h"

namespace adjoint::kernels {

/// Whether index i lies in [0, size).
inline bool is_inside(std::int64_t i, std::int64_t size) { return i >= 0 && i < size; }

/// The part of a that lies in b. If there is none, the result is empty, and still within a.
inline Piece overlap(Piece a, Piece b) {
  return {std::clamp(b.begin, a.begin, a.end), std::clamp(b.end, a.begin, a.end)};
}

/// The i in [0, count) for which first + i step lies in [0, size). step is not 0. Empty pieces lie within
/// [0, count].
inline Piece steps_inside(std::int64_t first, std::int64_t step, std::int64_t size, std::int64_t count) {
  if (step < 0) return steps_inside(size - 1 - first, -step, size, count);
  // Divisions are slow compared to a small image's rows.
  const auto steps = [&](std::int64_t distance) { return step == 1 ? distance : divide_up(distance, step); };
  const std::int64_t begin = std::clamp<std::int64_t>(steps(-first), 0, count);
  return {begin, std::clamp(steps(size - first), begin, count)};
}

/// Where the weight of tap (u, v) stands in a kernel.
inline std::int64_t kernel_index(std::int64_t height, std::int64_t width, bool flip, std::int64_t u,
                                 std::int64_t v) {
  const std::int64_t tap = u * width + v;
  return flip ? height * width - 1 - tap : tap;
}

/// The rows, or the columns, of a convolution. Output o reads input o stride + t dilation + offset at tap t.
/// Inputs outside [0, in) count as 0.
struct Axis {
  std::int64_t in, out, taps;  // sizes
  std::int64_t stride = 1, dilation = 1, offset = 0;

  std::int64_t input(std::int64_t o, std::int64_t t) const { return o * stride + t * dilation + offset; }
  /// The taps that read inside the image at output o.
  Piece taps_inside(std::int64_t o) const { return steps_inside(input(o, 0), dilation, in, taps); }
  /// The outputs that read inside the image at tap t.
  Piece outputs_inside(std::int64_t t) const { return steps_inside(input(0, t), stride, in, out); }
  /// From the first to the last input that some outputs read, inside the image or not. Neither the outputs
  /// nor the taps may be empty.
  Piece inputs(Piece outputs) const {
    const std::int64_t reach = (taps - 1) * dilation, first = input(outputs.begin, 0);
    return {first + std::min<std::int64_t>(reach, 0),
            first + (outputs.size() - 1) * stride + std::max<std::int64_t>(reach, 0) + 1};
  }
  /// The same axis with some of its outputs only.
  Axis part(Piece outputs) const {
    return {in, outputs.size(), taps, stride, dilation, input(outputs.begin, 0)};
  }
};

inline Axis row_axis(const Conv2dSizes& s) {
  return {s.height, s.out_height, s.kernel_height, s.stride_height, s.dilation_height, -s.padding_height};
}
inline Axis column_axis(const Conv2dSizes& s) {
  return {s.width, s.out_width, s.kernel_width, s.stride_width, s.dilation_width, -s.padding_width};
}

/// Outputs that have the same taps, only moved: those at first + q step for q < axis.out. Tap t of the axis
/// is the kernel's tap first_tap + t tap_step.
struct Phase {
  Axis axis;
  std::int64_t first, step;
  std::int64_t first_tap, tap_step;

  /// Output q alone, with only those of its taps that read inside the image.
  Phase only(std::int64_t q) const {
    const Piece inside = axis.taps_inside(q);
    const Axis one{axis.in, 1, inside.size(), axis.stride, axis.dilation, axis.input(q, inside.begin)};
    return {one, first + q * step, 1, first_tap + inside.begin * tap_step, tap_step};
  }
  /// The same with the last tap first.
  Phase with_taps_reversed() const {
    const std::int64_t last = axis.taps - 1;
    const Axis reversed{axis.in, axis.out, axis.taps, axis.stride, -axis.dilation, axis.input(0, last)};
    return {reversed, first, step, first_tap + last * tap_step, -tap_step};
  }
};

/// The phases of a convolution's outputs, or of its input gradient's. The latter is a convolution of dy:
/// dx[i] adds up dy[o] w[t] for all o and t with i = o stride + t dilation + offset. Only every `stride`-th i
/// has the same taps.
struct Phases {
  Axis axis;  // of the convolution
  bool flip, input_grad;

  std::int64_t in() const { return input_grad ? axis.out : axis.in; }
  std::int64_t out() const { return input_grad ? axis.in : axis.out; }
  std::int64_t count() const { return input_grad ? std::min(axis.stride, axis.in) : 1; }

  /// Phase `index`; phase 0 has the most outputs. Outputs may have no taps.
  Phase operator[](std::int64_t index) const {
    Phase phase{axis, 0, 1, 0, 1};
    if (input_grad) phase = input_grad_phase(index);
    if (flip) {
      phase.first_tap = axis.taps - 1 - phase.first_tap;
      phase.tap_step = -phase.tap_step;
    }
    return phase;
  }

 private:
  Phase input_grad_phase(std::int64_t index) const {
    const std::int64_t common = std::gcd(axis.stride, axis.dilation), tap_step = axis.stride / common;
    const std::int64_t outputs = divide_up(axis.in - index, axis.stride);
    const auto distance = [&](std::int64_t tap) { return index - axis.offset - tap * axis.dilation; };
    std::int64_t tap = 0;
    while (tap < tap_step && distance(tap) % axis.stride != 0) ++tap;
    if (tap >= std::min(tap_step, axis.taps)) return {{axis.out, outputs, 0}, index, axis.stride, 0, 1};
    const std::int64_t taps = divide_up(axis.taps - tap, tap_step);
    const Axis of_dy{axis.out, outputs, taps, 1, -axis.dilation / common, distance(tap) / axis.stride};
    return {of_dy, index, axis.stride, tap, tap_step};
  }
};

}  // namespace adjoint::kernels
