#pragma once
// Copies between arrays with any strides. Elements are moved as bytes, so that the same code serves all
// element types: `bytes` is the size of an element, 1, 4 or 8.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace adjoint::kernels {

/// A step along this axis moves by `from` elements in x and by `to` elements in y.
struct CopyAxis {
  std::int64_t size, from, to;
};

/// y[i_0 to_0 + i_1 to_1 + ...] = x[i_0 from_0 + i_1 from_1 + ...] for up to Shape::kMaxRank axes. The steps
/// may be negative or, in x, 0. The elements of y must be different from each other and from those of x.
void copy_strided(std::size_t bytes, std::span<const CopyAxis> axes, const void* x, void* y);

/// An axis of `size` elements of y, of which `count` from `begin` on are x's.
struct FramedAxis {
  std::int64_t size, begin, count;
};

/// y = x in the box that the axes describe, and copies of the element `background` around it. Each element of
/// y is written once. There is at least one axis.
void copy_framed(std::size_t bytes, std::span<const FramedAxis> axes, const void* background, const void* x,
                 void* y);

/// y = x on and below this diagonal of matrices [count,rows,columns] (above it, unless lower), 0 elsewhere.
void copy_triangles(std::size_t bytes, bool lower, std::int64_t diagonal, std::int64_t count,
                    std::int64_t rows, std::int64_t columns, const void* x, void* y);

/// Copies n elements that lie `from` elements apart in x and `to` elements apart in y.
template <std::size_t kBytes>
void copy_run(std::int64_t n, const std::byte* x, std::int64_t from, std::byte* y, std::int64_t to) {
  constexpr auto kStep = static_cast<std::int64_t>(kBytes);
  constexpr std::int64_t kShort = 8;  // Copied in less time than memcpy takes to find out what to do.
  const auto copy_each = [=](auto from_bytes, auto to_bytes) {
    for (std::int64_t i = 0; i < n; ++i) std::memcpy(y + i * to_bytes, x + i * from_bytes, kBytes);
  };
  // Compilers use vectors if they know the steps.
  constexpr std::integral_constant<std::int64_t, kStep> kNext;
  constexpr std::integral_constant<std::int64_t, -kStep> kPrevious;
  if (to == 1 && from == 1 && n > kShort) {
    std::memcpy(y, x, static_cast<std::size_t>(n) * kBytes);
  } else if (to == 1 && from == -1) {
    copy_each(kPrevious, kNext);
  } else {
    copy_each(from * kStep, to * kStep);
  }
}

/// Sets n bytes to 0.
void clear(std::int64_t n, void* y);

/// Calls f(std::integral_constant<std::size_t, bytes>), so that an element is one load and one store.
template <class F>
void with_element_size(std::size_t bytes, F&& f) {
  if (bytes == 1) return f(std::integral_constant<std::size_t, 1>());
  if (bytes == 4) return f(std::integral_constant<std::size_t, 4>());
  f(std::integral_constant<std::size_t, 8>());
}

}  // namespace adjoint::kernels
