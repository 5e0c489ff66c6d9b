#pragma once
// Errors: the exception types, and the checks that throw them.

#include <fmt/core.h>
#include <stdexcept>

#include "adjoint/tensor/dtype.h"
#include "adjoint/tensor/shape.h"

namespace adjoint {

/// A call that cannot be carried out as asked. The message names the op, the argument, the rule and the given
/// value.
struct Error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
/// Shapes or axes that do not fit.
struct ShapeError : Error {
  using Error::Error;
};
/// An element type that does not fit.
struct DTypeError : Error {
  using Error::Error;
};
/// A graph that cannot be differentiated as asked: already freed, changed since, or never recorded.
struct GraphError : Error {
  using Error::Error;
};

namespace detail {
template <class E>
[[noreturn, gnu::cold, gnu::noinline]] void raise(fmt::string_view format, fmt::format_args args) {
  throw E(fmt::vformat(format, args));
}
}  // namespace detail

/// Unless condition holds, throws E (Error by default) with the formatted message.
template <class E = Error, class... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    detail::raise<E>(format, fmt::make_format_args(args...));
}

template <class... Args>
void check_shape(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    detail::raise<ShapeError>(format, fmt::make_format_args(args...));
}

}  // namespace adjoint

template <>
struct fmt::formatter<adjoint::DType> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(adjoint::DType dtype, fmt::format_context& context) const -> fmt::format_context::iterator;
};
