#include "examples/support/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/core.h>

namespace examples {
namespace {

void add(CLI::App& app, const Flag& flag) {
  const std::string names =
      flag.alias.empty() ? std::string(flag.name) : fmt::format("{},{}", flag.name, flag.alias);
  const auto set = [&flag](const std::string& value) {
    // CLI11 takes a flag behind one that lacks its value for the value.
    if (value.starts_with("--"))
      throw UsageError(fmt::format("{} needs a value {}, '{}' is a flag", flag.name, flag.value, value));
    try {
      flag.set(value);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{} {}", flag.name, error.what()));
    }
  };
  if (flag.value.empty()) {
    app.add_flag_callback(
           names, [set] { set(""); }, flag.help)
        ->disable_flag_override();
  } else {
    app.add_option_function<std::string>(names, set, flag.help)->type_name(std::string(flag.value));
  }
}

/// CLI11 takes the argument behind --name= for its value.
void check_no_empty_value(std::string_view argument) {
  if (argument.starts_with("--") && argument.find('=') == argument.size() - 1)
    throw UsageError(fmt::format("{} must not be empty", argument.substr(0, argument.size() - 1)));
}

}  // namespace

bool parse(const Program& program, int argc, const char* const* argv) {
  CLI::App app(std::string(program.summary), std::string(program.name));
  app.get_formatter()->column_width(26);
  app.set_version_flag("--version", fmt::format("{} {}", program.name, ADJOINT_VERSION),
                       "Print the version and exit");
  app.set_help_flag("--help,-h", "Print this text and exit");
  app.allow_extras();  // which are refused below, by name
  for (const Flag& flag : program.flags) add(app, flag);
  for (int i = 1; i < argc; ++i) check_no_empty_value(argv[i]);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return false;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", app.version());
    return false;
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  for (const std::string& extra : app.remaining()) {
    if (extra.starts_with('-')) throw UsageError("unknown flag " + extra);
    throw UsageError(fmt::format("'{}' is not a flag, and {} takes nothing else", extra, program.name));
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
