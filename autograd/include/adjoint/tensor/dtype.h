#pragma once
// The element types a tensor can have, chosen at run time.

#include <cstddef>
#include <cstdint>

namespace adjoint {

enum class DType : std::uint8_t { float32, float64, int64 };

inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;
inline constexpr DType int64 = DType::int64;

/// The DType of a C++ element type: float, double or std::int64_t.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::float32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::float64;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::int64;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

/// "float32", "float64" or "int64".
constexpr const char* name(DType dtype) {
  return dtype == DType::float32 ? "float32" : dtype == DType::float64 ? "float64" : "int64";
}

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) { return dtype == DType::float32 ? 4 : 8; }

constexpr bool is_floating(DType dtype) { return dtype != DType::int64; }

/// True when int64 can hold value with its fraction cut off: -2^63 <= value < 2^63. False for NaN.
constexpr bool fits_int64(double value) { return value >= -0x1p63 && value < 0x1p63; }

/// Calls f.template operator()<T>() with the C++ type of dtype; f is a generic lambda: []<class T>() {...}.
template <class F>
decltype(auto) visit(DType dtype, F&& f) {
  if (dtype == DType::float32) return f.template operator()<float>();
  if (dtype == DType::float64) return f.template operator()<double>();
  return f.template operator()<std::int64_t>();
}

/// As visit, but for the three types of numbers only. Ops must check first that dtype is one of them.
template <class F>
decltype(auto) visit_numbers(DType dtype, F&& f) {
  if (dtype == DType::float32) return f.template operator()<float>();
  if (dtype == DType::float64) return f.template operator()<double>();
  return f.template operator()<std::int64_t>();
}

/// As visit, but for the two floating types only. Ops must check first that dtype is one of them.
template <class F>
decltype(auto) visit_floating(DType dtype, F&& f) {
  if (dtype == DType::float32) return f.template operator()<float>();
  return f.template operator()<double>();
}

}  // namespace adjoint
