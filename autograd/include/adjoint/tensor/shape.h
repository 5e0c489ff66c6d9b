#pragma once
// The sizes of a tensor's axes.

#include <cstdint>
#include <fmt/core.h>
#include <initializer_list>
#include <span>
#include <string>

namespace adjoint {

/// Up to kMaxRank axis sizes, stored in place. A scalar has rank 0 and one element.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  /// Throws ShapeError when a size is negative, there are more than kMaxRank, or their product overflows.
  Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return rank_; }
  /// Product of the sizes.
  std::int64_t numel() const { return numel_; }
  /// Product of all sizes but the first: the elements of one image of a batch; 1 for a scalar.
  std::int64_t features() const;
  /// Size of an axis counted from 0, or from the end when negative: [-1] is the last. Throws ShapeError when
  /// out of range.
  std::int64_t operator[](int axis) const { return sizes_[checked_axis(axis)]; }
  /// axis as a number in [0, rank). Throws ShapeError when it is not in [-rank, rank).
  int checked_axis(int axis) const {
    if (axis < -rank_ || axis >= rank_) [[unlikely]]
      raise_axis(axis);
    return axis < 0 ? axis + rank_ : axis;
  }
  /// All sizes. They are stored in the shape, so a temporary must get a name first.
  std::span<const std::int64_t> sizes() const& { return {sizes_, static_cast<std::size_t>(rank_)}; }
  std::span<const std::int64_t> sizes() const&& = delete;
  /// This shape with one size replaced. Throws as the constructor and checked_axis.
  Shape with(int axis, std::int64_t size) const;

  const std::int64_t* begin() const& { return sizes_; }
  const std::int64_t* begin() const&& = delete;
  const std::int64_t* end() const& { return sizes_ + rank_; }
  const std::int64_t* end() const&& = delete;
  bool operator==(const Shape& other) const;

 private:
  [[noreturn]] void raise_axis(int axis) const;

  std::int64_t sizes_[kMaxRank] = {};
  std::int64_t numel_ = 1;
  int rank_ = 0;
};

/// "[2,3]"; "[]" for a scalar.
std::string to_string(const Shape& shape);

/// Integers that a message shows as "[2,3]", such as sizes that cannot form a Shape.
template <class T>
struct Listed {
  explicit Listed(std::span<const T> listed) : numbers(listed) {}
  std::span<const T> numbers;
};
template <class Range>
Listed(const Range&) -> Listed<typename Range::value_type>;

}  // namespace adjoint

template <>
struct fmt::formatter<adjoint::Shape> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(const adjoint::Shape& shape, fmt::format_context& context) const
      -> fmt::format_context::iterator;
};

template <class T>
struct fmt::formatter<adjoint::Listed<T>> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(adjoint::Listed<T> list, fmt::format_context& context) const -> fmt::format_context::iterator;
};
