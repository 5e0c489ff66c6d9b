#pragma once
// Arrays whose indices begin at 1, as in formulas.

#include <array>
#include <cassert>

namespace examples {

/// x(1), ..., x(Size). An index out of range fails an assertion.
template <int Size>
struct Numbered {
  std::array<double, Size> values{};

  constexpr double& operator()(int k) { return values[index(k)]; }
  constexpr const double& operator()(int k) const { return values[index(k)]; }

 private:
  static constexpr int index(int k) {
    assert(1 <= k && k <= Size);
    return k - 1;
  }
};

}  // namespace examples
