#include "layers/json_reader.h"

#include <algorithm>
#include <fmt/core.h>
#include <iterator>

#include "autograd/check.h"
#include "layers/file_error.h"
#include "layers/quote.h"

namespace adjoint {
namespace {

constexpr bool is_digit(int byte) { return byte >= '0' && byte <= '9'; }

/// Appends the UTF-8 of a character.
void append_utf8(std::string& text, std::uint32_t code) {
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto add_low = [&](int shift) { add(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add_low(6);
  } else {
    add(0xf0 | code >> 18);
    add_low(12);
    add_low(6);
  }
  add_low(0);
}

}  // namespace

std::string JsonReader::string() {
  expect('"', "be '\"'");
  const std::int64_t start = position();
  std::string text;
  while (peek() != '"') {
    if (peek() == kEnd || (peek() >= 0 && peek() < 0x20)) fail("be escaped in a string");
    if (peek() == '\\') {
      append_escape(text);
    } else {
      text += static_cast<char>(peek());
      advance();
    }
  }
  advance();
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    check<FileError>(length > 0, "{}: the string at byte {} of {} must be UTF-8, but is {}", file_, start,
                     what_, Quoted(text));
    rest.remove_prefix(length);
  }
  return text;
}

std::int64_t JsonReader::natural() {
  constexpr const char* kRule = "start a whole number from 0 to 2^63 - 1";
  skip_spaces();
  if (!is_digit(peek())) fail(kRule);
  std::int64_t number = peek() - '0';
  advance();
  while (number > 0 && is_digit(peek())) {  // nothing follows a 0
    if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, peek() - '0', &number))
      fail("end a number below 2^63");
    advance();
  }
  return number;
}

void JsonReader::end() {
  skip_spaces();
  if (peek() != kEnd) fail("be a space, since the JSON ends before it");
}

bool JsonReader::take(char wanted) {
  skip_spaces();
  const bool there = peek() == wanted;
  if (there) advance();
  return there;
}

void JsonReader::expect(char wanted, const char* rule) {
  if (!take(wanted)) fail(rule);
}

void JsonReader::skip_spaces() {
  while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') advance();
}

int JsonReader::peek() {
  if (place_ == held_) {
    const auto count = std::min<std::int64_t>(bytes_ - bytes_read_, std::ssize(buffer_));
    if (count == 0) return kEnd;
    in_.read(buffer_.data(), count);
    check<FileError>(in_.good(), "{}: cannot be read to its end", file_);
    bytes_read_ += count;
    place_ = 0;
    held_ = static_cast<std::size_t>(count);
  }
  return static_cast<unsigned char>(buffer_[place_]);
}

void JsonReader::fail(const char* rule) {
  const int byte = peek();
  if (byte == kEnd) throw FileError(fmt::format("{}: {} must not end at byte {}", file_, what_, bytes_));
  throw FileError(fmt::format("{}: byte {} of {} must {}, but is {}", file_, position(), what_, rule,
                              Quoted(std::string_view(&buffer_[place_], 1))));
}

/// Appends what an escape such as \n or \u00e4 stands for.
void JsonReader::append_escape(std::string& text) {
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  advance();
  const std::size_t which = kLetters.find(static_cast<char>(peek()));
  if (peek() != kEnd && which != kLetters.npos) {
    text += kMeanings[which];
    return advance();
  }
  if (peek() != 'u') fail("be one of \"\\/bfnrtu");
  advance();
  std::uint32_t code = hex_digits();
  const bool is_high = code >= 0xd800 && code < 0xdc00;
  if (is_high && peek() == '\\') {  // a character above U+FFFF comes as two halves
    advance();
    if (peek() != 'u') fail("be the 'u' of a surrogate pair");
    advance();
    const std::uint32_t low = hex_digits();
    code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00)) : 0xd800;
  }
  append_utf8(text, code);  // half a pair makes no UTF-8, which string() refuses
}

std::uint32_t JsonReader::hex_digits() {
  std::uint32_t code = 0;
  for (int digit = 0; digit < 4; ++digit) {
    const int byte = peek(), letter = byte | 0x20;
    const bool is_letter = byte > '9' && letter >= 'a' && letter <= 'f';
    if (!is_digit(byte) && !is_letter) fail("be a hexadecimal digit");
    code = code << 4 | static_cast<std::uint32_t>(is_letter ? letter - 'a' + 10 : byte - '0');
    advance();
  }
  return code;
}

}  // namespace adjoint
