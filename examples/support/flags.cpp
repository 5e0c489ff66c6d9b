#include "examples/support/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/core.h>

namespace examples {
namespace {

/// value: its name in --help. found: what was found in its place.
[[noreturn]] void refuse_missing_value(std::string_view flag, std::string_view value,
                                       std::string_view found = "") {
  throw UsageError(fmt::format("{0} needs a value, as in {0} {1}{2}", flag, value, found));
}

void add(CLI::App& app, const Flag& flag) {
  const std::string names =
      flag.alias.empty() ? std::string(flag.name) : fmt::format("{},{}", flag.name, flag.alias);
  // Takes what stands behind each occurrence of the flag.
  const auto set = [&flag](const CLI::results_t& values) {
    if (values.size() > 1)
      throw UsageError(
          fmt::format("{}{}{} is given twice", flag.name, flag.alias.empty() ? "" : " or ", flag.alias));
    // If a value is missing, CLI11 takes the next flag as the value.
    if (values[0].starts_with("--"))
      refuse_missing_value(flag.name, flag.value, fmt::format("; '{}' is a flag", values[0]));
    try {
      flag.set(values[0]);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{} {}", flag.name, error.what()));
    }
    return true;
  };
  CLI::Option* option =
      app.add_option(names, set, flag.help)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  if (flag.value.empty())
    option->expected(0);
  else
    option->type_name(std::string(flag.value));
}

/// Refuses what CLI11 would misread, or would refuse with its own message.
void check_argument(const CLI::App& app, std::string_view argument) {
  const std::size_t equals = argument.find('=');
  if (!argument.starts_with("--") || equals == argument.npos) return;
  const std::string name(argument.substr(0, equals));
  const CLI::Option* option = app.get_option_no_throw(name);
  if (option != nullptr && option->get_items_expected_max() == 0)
    throw UsageError(fmt::format("{} takes no value", name));
  // CLI11 takes the argument after --name= as its value.
  if (equals == argument.size() - 1) throw UsageError(fmt::format("{} must not be empty", name));
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
  for (int i = 1; i < argc; ++i) check_argument(app, argv[i]);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return false;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", app.version());
    return false;
  } catch (const CLI::ArgumentMismatch&) {  // the arguments end where the last one's value should be
    const std::string last = argv[argc - 1];
    // CLI11 also takes the end of "-h-seed" as a flag.
    const CLI::Option* option = app.get_option_no_throw(last);
    if (option == nullptr) throw UsageError("unknown flag " + last);
    refuse_missing_value(last, option->get_type_name());
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
