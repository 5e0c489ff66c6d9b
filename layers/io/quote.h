#pragma once
// How errors show text from a file or a user: readable, and never longer than a line.

#include <cstdint>
#include <fmt/core.h>
#include <span>
#include <string>
#include <string_view>

namespace adjoint {

/// Text that a message shows in double quotes. A backslash stands before quotes and backslashes; bytes that
/// are not printable UTF-8 appear as \xNN. Of a long text only the beginning is shown, and how many bytes it
/// has.
struct Quoted {
  explicit Quoted(std::string_view quoted) : text(quoted) {}
  std::string_view text;
};

/// Sizes that a message shows as "[2,3]"; if there are many, only the first ones and their number.
struct QuotedSizes {
  explicit QuotedSizes(std::span<const std::int64_t> quoted) : sizes(quoted) {}
  std::span<const std::int64_t> sizes;
};

/// Bytes of the UTF-8 character at the front of text; 0 when there is none.
std::size_t utf8_length(std::string_view text);

}  // namespace adjoint

template <>
struct fmt::formatter<adjoint::Quoted> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(adjoint::Quoted quoted, fmt::format_context& context) const -> fmt::format_context::iterator;
};

template <>
struct fmt::formatter<adjoint::QuotedSizes> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(adjoint::QuotedSizes quoted, fmt::format_context& context) const
      -> fmt::format_context::iterator;
};
