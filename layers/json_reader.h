#pragma once
// A JSON text read from front to back, for a caller who knows what must come next. Internal to this folder.

#include <array>
#include <cstdint>
#include <istream>
#include <string>

namespace adjoint {

/// Each function skips spaces and takes one thing from the text. Throws FileError, which names the file, the
/// byte, what must be there and what is, when there is anything else.
class JsonReader {
 public:
  /// Reads bytes of in; what names the text in errors.
  JsonReader(std::istream& in, std::int64_t bytes, std::string file, std::string what)
      : in_(in), bytes_(bytes), file_(std::move(file)), what_(std::move(what)) {}

  /// An object: member(key) is called for each key and takes its value.
  template <class Member>
  void object(Member member) {
    expect('{', "be '{'");
    if (take('}')) return;
    do {
      std::string key = string();
      expect(':', "be ':'");
      member(std::move(key));
    } while (take(','));
    expect('}', "be ',' or '}'");
  }

  /// An array: element() is called for each element and takes it.
  template <class Element>
  void array(Element element) {
    expect('[', "be '['");
    if (take(']')) return;
    do {
      element();
    } while (take(','));
    expect(']', "be ',' or ']'");
  }

  std::string string();
  /// A whole number from 0 to 2^63 - 1.
  std::int64_t natural();
  void end();

 private:
  static constexpr int kEnd = -1;

  bool take(char wanted);
  void expect(char wanted, const char* rule);
  void skip_spaces();
  int peek();
  void advance() { ++place_; }
  std::int64_t position() const { return bytes_read_ - static_cast<std::int64_t>(held_ - place_); }
  [[noreturn]] void fail(const char* rule);
  void append_escape(std::string& text);
  std::uint32_t hex_digits();

  std::istream& in_;
  const std::int64_t bytes_;
  const std::string file_, what_;
  std::array<char, 1 << 14> buffer_;
  std::size_t place_ = 0, held_ = 0;  // In the buffer.
  std::int64_t bytes_read_ = 0;       // From the stream.
};

}  // namespace adjoint
