#include "adjoint/tensor/shape.h"

#include <algorithm>
#include <fmt/core.h>

#include "adjoint/tensor/check.h"

namespace adjoint {

Shape::Shape(std::span<const std::int64_t> sizes) : rank_(static_cast<int>(sizes.size())) {
  check_shape(sizes.size() <= kMaxRank, "shape: at most {} axes are supported, got {}", kMaxRank,
              sizes.size());
  std::int64_t nonzero = 1;  // A size of 0 must not hide that the product of the others overflows.
  for (int axis = 0; axis < rank_; ++axis) {
    const std::int64_t size = sizes[static_cast<std::size_t>(axis)];
    check_shape(size >= 0, "shape: sizes must not be negative, axis {} has {}", axis, size);
    check_shape(!__builtin_mul_overflow(nonzero, std::max<std::int64_t>(size, 1), &nonzero) &&
                    nonzero <= INT64_MAX / 16,
                "shape: too many elements, the product of {} overflows", Listed(sizes));
    sizes_[axis] = size;
    numel_ *= size;
  }
}

std::int64_t Shape::features() const {
  std::int64_t product = 1;
  for (int axis = 1; axis < rank_; ++axis) product *= sizes_[axis];
  return product;
}

void Shape::raise_axis(int axis) const {
  detail::raise<ShapeError>("shape: axis {} is out of range for {}", fmt::make_format_args(axis, *this));
}

Shape Shape::with(int axis, std::int64_t size) const {
  std::int64_t sizes[kMaxRank];
  std::copy(begin(), end(), sizes);
  sizes[checked_axis(axis)] = size;
  return Shape(std::span<const std::int64_t>(sizes, static_cast<std::size_t>(rank_)));
}

bool Shape::operator==(const Shape& other) const { return std::ranges::equal(sizes(), other.sizes()); }

std::string to_string(const Shape& shape) { return fmt::format("{}", shape); }

}  // namespace adjoint

template <class T>
auto fmt::formatter<adjoint::Listed<T>>::format(adjoint::Listed<T> list, fmt::format_context& context) const
    -> fmt::format_context::iterator {
  std::string text = "[";
  for (const T number : list.numbers) {
    if (text.size() > 1) text += ',';
    text += std::to_string(number);
  }
  text += ']';
  return std::ranges::copy(text, context.out()).out;
}
template struct fmt::formatter<adjoint::Listed<int>>;
template struct fmt::formatter<adjoint::Listed<std::int64_t>>;

auto fmt::formatter<adjoint::Shape>::format(const adjoint::Shape& shape, fmt::format_context& context) const
    -> fmt::format_context::iterator {
  return formatter<adjoint::Listed<std::int64_t>>().format(adjoint::Listed(shape.sizes()), context);
}
