#include "examples/support/flags.h"

#include <algorithm>
#include <cctype>
#include <fmt/core.h>
#include <limits>
#include <numeric>
#include <set>

namespace examples {
namespace {

void print_help(const Program& program) {
  std::vector<Flag> flags = program.flags;
  flags.push_back({"--help", "-h", "", "Print this text and exit", {}});
  flags.push_back({"--version", "", "", "Print the version and exit", {}});
  fmt::print("Usage: {} {}\n\n{}\n\n", program.name, program.flags.empty() ? "[--help]" : "[FLAG]...",
             program.summary);
  for (const Flag& flag : flags) {
    constexpr std::size_t kHelpColumn = 26;
    std::string line = fmt::format("  {}", flag.name);
    if (!flag.alias.empty()) line += fmt::format(", {}", flag.alias);
    if (!flag.value.empty()) line += fmt::format(" {}", flag.value);
    if (line.size() + 2 > kHelpColumn) {
      fmt::print("{}\n", line);
      line.clear();
    }
    std::string help = flag.help;
    for (std::size_t at = 0; (at = help.find('\n', at)) != std::string::npos; ++at)
      help.insert(at + 1, kHelpColumn, ' ');
    fmt::print("{:<{}}{}\n", line, kHelpColumn, help);
  }
}

/// How many characters must be changed, added or removed to make one text of the other (Levenshtein).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);  // distances of a's first characters to each start of b
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// The flag that may have been meant: the nearest that starts alike or differs in a letter or two.
std::string suggestion(const Program& program, std::string given) {
  constexpr std::size_t kLongest = 40;  // longer arguments are no misspelt flags
  if (given.size() > kLongest) return "";
  for (char& c : given) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string best;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  const auto consider = [&](std::string_view name) {
    const bool starts_alike =
        given.size() > 4 && name.size() >= 4 && (name.starts_with(given) || given.starts_with(name));
    const std::size_t distance = edit_distance(given, name);
    if ((starts_alike || distance <= std::max<std::size_t>(1, name.size() / 5)) && distance < least) {
      least = distance;
      best = name;
    }
  };
  for (const Flag& flag : program.flags) {
    consider(flag.name);
    if (!flag.alias.empty()) consider(flag.alias);
  }
  consider("--help");
  consider("--version");
  return best.empty() ? "" : fmt::format("; did you mean {}?", best);
}

const Flag& find_flag(const Program& program, const std::string& name) {
  if (!name.starts_with('-'))
    throw UsageError(fmt::format("'{}' is not a flag, and {} takes nothing else", name, program.name));
  const auto found = std::ranges::find_if(
      program.flags, [&](const Flag& flag) { return name == flag.name || name == flag.alias; });
  if (found == program.flags.end())
    throw UsageError(fmt::format("unknown flag {}{}", name, suggestion(program, name)));
  return *found;
}

}  // namespace

bool parse(const Program& program, int argc, const char* const* argv) {
  std::set<std::string_view> given;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help" || argument == "-h") return print_help(program), false;
    if (argument == "--version") {
      fmt::print("{} {}\n", program.name, ADJOINT_VERSION);
      return false;
    }
    const std::size_t equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
    const Flag& flag = find_flag(program, argument.substr(0, equals));
    if (!given.insert(flag.name).second) throw UsageError(fmt::format("{} is given twice", flag.name));

    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
      if (flag.value.empty()) throw UsageError(fmt::format("{} takes no value, not '{}'", flag.name, value));
    } else if (!flag.value.empty()) {
      // A flag where the value should be is a forgotten value; --save=--x writes to a file of such a name.
      if (i + 1 == argc || std::string_view(argv[i + 1]).starts_with("--"))
        throw UsageError(fmt::format("{} needs a value: {} {}", flag.name, flag.name, flag.value));
      value = argv[++i];
    }
    try {
      flag.set(value);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{} {}", flag.name, error.what()));
    }
  }
  return true;
}

std::string parse_name(const std::string& text) {
  if (text.empty()) throw UsageError("must not be empty");
  return text;
}

std::string parse_choice(const std::string& text, std::initializer_list<std::string_view> choices) {
  if (std::ranges::find(choices, text) != choices.end()) return text;
  std::string wanted;
  for (const std::string_view choice : choices)
    wanted += fmt::format("{}{}", wanted.empty() ? "" : ", ", choice);
  refuse_value("one of " + wanted, text);
}

void refuse_value(std::string_view wanted, const std::string& text) {
  throw UsageError(fmt::format("must be {}, not '{}'", wanted, text));
}

}  // namespace examples
