#pragma once
// Axes as arguments of ops.

#include <concepts>
#include <initializer_list>
#include <span>

#include "adjoint/tensor/shape.h"

namespace adjoint {

/// One axis, several, or all of them: sum(x, 1), sum(x, {0, 2}), sum(x). Negative axes are counted from the
/// end. Ops check that they exist. Other numbers than int are not converted, so that norm(x, 1.0) and
/// sum(x, {.keepdim = true}) do not compile: options stand behind the axes, as in
/// sum(x, Axes::all(), {.keepdim = true}).
class Axes {
 public:
  /// None: sum(x, {}).
  Axes() = default;
  template <std::same_as<int>... Ints>
  requires(sizeof...(Ints) > 0) Axes(Ints... axes)
      : Axes(std::span<const int>(std::initializer_list<int>{axes...})) {}  // NOLINT: sum(x, {0, 1})
  /// Throws ShapeError if there are more than Shape::kMaxRank.
  Axes(std::span<const int> axes);  // NOLINT: a reduction takes any kind of list
  template <class Range>
  requires(std::convertible_to<const Range&, std::span<const int>>) Axes(const Range& axes)
      : Axes(std::span<const int>(axes)) {}  // NOLINT: as above

  static Axes all() { return Axes(All()); }
  bool is_all() const { return count_ < 0; }
  /// The given axes; none if is_all().
  std::span<const int> given() const& { return {axes_, count_ < 0 ? 0 : static_cast<std::size_t>(count_)}; }
  std::span<const int> given() const&& = delete;

 private:
  struct All {};
  explicit Axes(All) : count_(-1) {}

  int axes_[Shape::kMaxRank] = {};
  int count_ = 0;
};

}  // namespace adjoint
