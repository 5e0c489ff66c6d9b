#pragma once
// The command line of a program: flags such as --name VALUE or --name=VALUE, each at most once, and nothing
// else.

#include <charconv>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

/// A command line that is wrong.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Flag {
  std::string_view name;   ///< "--epochs"
  std::string_view alias;  ///< Another name, or "".
  std::string_view value;  ///< The name of the value in --help, "N"; "" when the flag takes none.
  std::string help;        ///< One or more lines.
  /// Takes the value; throws UsageError, whose text goes on after the name: "must be ...".
  std::function<void(const std::string& value)> set;
};

struct Program {
  std::string_view name;
  std::string_view summary;  ///< One or more lines for --help.
  std::vector<Flag> flags = {};
};

/// Passes each value to its flag, in the order of the arguments. False when --help, -h or --version was given
/// and its text was printed. Throws UsageError for a flag that is unknown, comes twice, lacks its value or
/// refuses it, and for an argument that is not a flag.
bool parse(const Program& program, int argc, const char* const* argv);

/// The number in text, decimal, such as 12 or 1.5e-3. Throws UsageError with the text wanted if text is
/// anything else, and unless low <= number <= high.
template <class T>
T parse_number(const std::string& text, T low, T high, std::string_view wanted);

/// text, unless it is empty: then throws UsageError.
std::string parse_name(const std::string& text);

/// text, if it is one of the choices; otherwise throws UsageError.
std::string parse_choice(const std::string& text, std::initializer_list<std::string_view> choices);

[[noreturn]] void refuse_value(std::string_view wanted, const std::string& text);

// ---- Implementation ----

template <class T>
T parse_number(const std::string& text, T low, T high, std::string_view wanted) {
  T number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  // A NaN is not between any two numbers.
  if (error != std::errc() || stop != end || !(number >= low && number <= high)) refuse_value(wanted, text);
  return number + T{0};  // -0 is 0
}

}  // namespace examples
