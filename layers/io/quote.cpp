#include "layers/io/quote.h"

#include <algorithm>
#include <fmt/core.h>

#include "adjoint/tensor/shape.h"

namespace adjoint {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t place) {
  return static_cast<std::uint8_t>(text[place]);
}

/// Whether the character at the front of text is a control character, which could move a terminal's cursor.
bool is_control(std::string_view text) {
  const std::uint8_t first = byte_at(text, 0);
  return first < 0x20 || first == 0x7f || (first == 0xc2 && text.size() > 1 && byte_at(text, 1) < 0xa0);
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const std::uint8_t first = byte_at(text, 0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (text.size() < length) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte_at(text, k) & 0xc0) != 0x80) return 0;
  }
  // No character has two spellings, is half a surrogate pair or lies above U+10FFFF.
  const std::uint8_t second = length == 0 ? 0 : byte_at(text, 1);
  const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                     (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
  return wrong ? 0 : length;
}

}  // namespace adjoint

auto fmt::formatter<adjoint::Quoted>::format(adjoint::Quoted quoted, fmt::format_context& context) const
    -> fmt::format_context::iterator {
  constexpr std::size_t kMostShown = 60;
  const std::string_view text = quoted.text;
  std::string shown = "\"";
  std::size_t place = 0;
  while (place < std::min(text.size(), kMostShown)) {
    const std::string_view rest = text.substr(place);
    const std::size_t length = adjoint::utf8_length(rest);
    if (length == 0 || adjoint::is_control(rest)) {
      shown += fmt::format("\\x{:02x}", adjoint::byte_at(rest, 0));
      ++place;
      continue;
    }
    if (rest[0] == '"' || rest[0] == '\\') shown += '\\';
    shown += rest.substr(0, length);
    place += length;
  }
  shown += '"';
  if (place < text.size()) shown += fmt::format("... ({} bytes)", text.size());
  return std::ranges::copy(shown, context.out()).out;
}

auto fmt::formatter<adjoint::QuotedSizes>::format(adjoint::QuotedSizes quoted,
                                                  fmt::format_context& context) const
    -> fmt::format_context::iterator {
  constexpr std::size_t kMostShown = 8;
  const auto shown = quoted.sizes.first(std::min(quoted.sizes.size(), kMostShown));
  std::string text = fmt::format("{}", adjoint::Listed(shown));
  if (shown.size() < quoted.sizes.size()) text += fmt::format("... ({} sizes)", quoted.sizes.size());
  return std::ranges::copy(text, context.out()).out;
}
