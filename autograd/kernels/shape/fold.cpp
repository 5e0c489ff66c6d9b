#include "autograd/kernels/shape/fold.h"

#include <algorithm>
#include <cstring>

#include "autograd/kernels/shape/add.h"
#include "autograd/kernels/shape/copy.h"
#include "autograd/kernels/threads/chunks.h"

namespace adjoint::kernels {
namespace {

/// Along one axis, windows in [begin, end) have this tap inside of the image; that of window i is at
/// first + i stride.
struct Inside {
  std::int64_t first, begin, end;

  Inside(std::int64_t tap, std::int64_t dilation, std::int64_t padding, std::int64_t stride,
         std::int64_t size, std::int64_t windows)
      : first(tap * dilation - padding),
        begin(std::clamp<std::int64_t>(first < 0 ? divide_up(-first, stride) : 0, 0, windows)),
        end(std::clamp<std::int64_t>(first < size ? divide_up(size - first, stride) : 0, begin, windows)) {}
};

Inside rows_inside(const FoldSizes& s, std::int64_t tap) {
  return {tap, s.dilation_height, s.padding_height, s.stride_height, s.height, s.out_height};
}
Inside columns_inside(const FoldSizes& s, std::int64_t tap) {
  return {tap, s.dilation_width, s.padding_width, s.stride_width, s.width, s.out_width};
}

/// line[column stride] += x[column] for the columns inside.
template <class T>
void add_run(const Inside& columns, std::int64_t stride, const T* x, T* line) {
  if (stride == 1) {  // The compiler uses vectors.
    for (std::int64_t column = columns.begin; column < columns.end; ++column) add_to(line[column], x[column]);
  } else {
    for (std::int64_t column = columns.begin; column < columns.end; ++column)
      add_to(line[column * stride], x[column]);
  }
}

}  // namespace

void unfold(std::size_t bytes, const FoldSizes& s, const void* x, void* y) {
  const std::int64_t taps = s.window_height * s.window_width, outputs = s.out_height * s.out_width;
  with_element_size(bytes, [&](auto size) {
    constexpr auto kStep = static_cast<std::int64_t>(size());
    parallel_for(s.planes * taps, s.planes * taps * outputs * kElementWork, [&](std::int64_t chunk) {
      const std::int64_t tap = chunk % taps;
      const Inside rows = rows_inside(s, tap / s.window_width),
                   columns = columns_inside(s, tap % s.window_width);
      const auto* plane = static_cast<const std::byte*>(x) + chunk / taps * s.height * s.width * kStep;
      auto* to = static_cast<std::byte*>(y) + chunk * outputs * kStep;
      const auto zeros = [&](std::int64_t begin, std::int64_t end) {
        std::memset(to + begin * kStep, 0, static_cast<std::size_t>((end - begin) * kStep));
      };
      zeros(0, rows.begin * s.out_width);
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        const std::int64_t out = row * s.out_width;
        zeros(out, out + columns.begin);
        const std::int64_t column = columns.first + columns.begin * s.stride_width;
        const auto* from = plane + ((rows.first + row * s.stride_height) * s.width + column) * kStep;
        copy_run<size()>(columns.end - columns.begin, from, s.stride_width,
                         to + (out + columns.begin) * kStep, 1);
        zeros(out + columns.end, out + s.out_width);
      }
      zeros(rows.end * s.out_width, outputs);
    });
  });
}

template <class T>
void fold(const FoldSizes& s, const T* x, T* y) {
  const std::int64_t taps = s.window_height * s.window_width, outputs = s.out_height * s.out_width;
  const std::int64_t inputs = s.height * s.width;
  parallel_for(s.planes, s.planes * (taps * outputs + inputs) * kElementWork, [&](std::int64_t plane) {
    T* to = y + plane * inputs;
    std::fill_n(to, inputs, T(0));
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      const Inside rows = rows_inside(s, tap / s.window_width),
                   columns = columns_inside(s, tap % s.window_width);
      const T* from = x + (plane * taps + tap) * outputs;
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        T* line = to + (rows.first + row * s.stride_height) * s.width + columns.first;
        add_run(columns, s.stride_width, from + row * s.out_width, line);
      }
    }
  });
}

template void fold(const FoldSizes&, const float*, float*);
template void fold(const FoldSizes&, const double*, double*);
template void fold(const FoldSizes&, const std::int64_t*, std::int64_t*);

}  // namespace adjoint::kernels
