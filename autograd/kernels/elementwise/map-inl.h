// The loops of map.h. Sources that specialize Function include it after hwy/foreach_target.h.
#if defined(ADJOINT_MAP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ADJOINT_MAP_INL_H
#undef ADJOINT_MAP_INL_H
#else
#define ADJOINT_MAP_INL_H
#endif

#include <utility>

#include "autograd/kernels/elementwise/broadcast.h"
#include "autograd/kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adjoint::kernels {

template <class F>
struct LoopsOf<HWY_TARGET, F> {
  using Of = Function<F, HWY_TARGET>;
  template <class T>
  using V = HWY_NAMESPACE::Vector<T>;

  static constexpr std::int64_t work() {
    if constexpr (requires { Of::kWork; }) {
      return Of::kWork;
    } else {
      return 16;
    }
  }

  template <class T, std::size_t... p>
  static void map(const Arrays<T>& at, std::int64_t n) {
    constexpr HWY_NAMESPACE::AllLanes<T> kLanes;
    constexpr HWY_NAMESPACE::Math<T> kMath;
    [&, x = at.operands[0], y = at.y](auto... parameters) HWY_ATTR {
      for (std::int64_t i = 0; i < n; i += HWY_NAMESPACE::kVectorSize<T>)
        kLanes.store(Of::value(kMath, kLanes.load(x + i), parameters...), y + i);
    }(kMath(at.parameters[p])...);
  }

  template <class T, std::size_t... p>
  static void gradient(const Arrays<T>& at, std::int64_t n) {
    constexpr HWY_NAMESPACE::AllLanes<T> kLanes;
    constexpr HWY_NAMESPACE::Math<T> kMath;
    [&, dy = at.operands[0], s = at.operands[1], dx = at.y](auto... parameters) HWY_ATTR {
      for (std::int64_t i = 0; i < n; i += HWY_NAMESPACE::kVectorSize<T>)
        kLanes.store(Of::gradient(kMath, kLanes.load(dy + i), kLanes.load(s + i), parameters...), dx + i);
    }(kMath(at.parameters[p])...);
  }

  template <class T, std::size_t... k>
  static void zip(const Arrays<T>& at, std::int64_t n) {
    constexpr HWY_NAMESPACE::AllLanes<T> kLanes;
    constexpr HWY_NAMESPACE::Math<T> kMath;
    constexpr std::int64_t kSize = HWY_NAMESPACE::kVectorSize<T>;
    [=, y = at.y](auto... operand) HWY_ATTR {
      if (((at.steps[k] == kSize) && ...)) {
        for (std::int64_t i = 0; i < n; i += kSize)
          kLanes.store(Of::value(kMath, kLanes.load(operand + i)...), y + i);
      } else {
        const std::int64_t steps[] = {at.steps[k]...};
        for (std::int64_t i = 0; i < n; i += kSize) {
          kLanes.store(Of::value(kMath, kLanes.load(operand)...), y + i);
          ((operand += steps[k]), ...);
        }
      }
    }(at.operands[k]...);
  }

  // Integers are computed modulo 2^64, as unsigned numbers. Highway cannot multiply them on every instruction
  // set.
  template <std::size_t... k>
  static void zip_integers(const Arrays<std::int64_t>& at, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      at.y[i] = static_cast<std::int64_t>(
          Of::value(0, static_cast<std::uint64_t>(at.operands[k][i * at.steps[k]])...));
    }
  }

  template <std::size_t... p>
  static constexpr Loops map_loops(std::index_sequence<p...>) {
    return {HWY_TARGET, 1, work(), map<float, p...>, map<double, p...>, nullptr};
  }
  template <std::size_t... p>
  static constexpr Loops gradient_loops(std::index_sequence<p...>) {
    return {HWY_TARGET, 2, work(), gradient<float, p...>, gradient<double, p...>, nullptr};
  }
  template <bool kIntegers, std::size_t... k>
  static constexpr Loops zip_loops(std::index_sequence<k...>) {
    Loops loops = {HWY_TARGET, sizeof...(k), work(), zip<float, k...>, zip<double, k...>, nullptr};
    if constexpr (kIntegers) loops.of_int64 = zip_integers<k...>;
    return loops;
  }

  template <int kParameters>
  static constexpr Loops kMap = map_loops(std::make_index_sequence<kParameters>());
  template <int kParameters>
  static constexpr Loops kGradient = gradient_loops(std::make_index_sequence<kParameters>());
  template <int kOperands, bool kIntegers>
  static constexpr Loops kZip = zip_loops<kIntegers>(std::make_index_sequence<kOperands>());
};

}  // namespace adjoint::kernels
HWY_AFTER_NAMESPACE();

#endif
